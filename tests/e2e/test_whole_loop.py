"""The ten steps of a new user, in a real browser with a real worker: from a file to a model that answers."""

import io
import json
import os
import re
import signal
import zipfile
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.e2e.accessibility import problems
from tests.e2e.conftest import PASSWORD, ROOT, Server, wait_for

pytestmark = pytest.mark.e2e
IMAGES = ROOT / "docs" / "images"

GOOD = ("great", "lovely", "superb", "fine", "delightful", "bright")
BAD = ("awful", "dull", "broken", "dreadful", "sour", "noisy")
THINGS = (
    "The soup",
    "This lamp",
    "Our guide",
    "That film",
    "The hotel",
    "Her phone",
    "The train",
    "My chair",
)


def sentences() -> list[tuple[str, str]]:
    """96 little reviews; which word is in it decides the label."""
    return [
        (f"{thing} was {word}, as I told {friend}.", label)
        for thing in THINGS
        for words, label in ((GOOD, "positive"), (BAD, "negative"))
        for word, friend in zip(words, ("Ann", "Bo", "Cy", "Di", "Ed", "Flo"), strict=True)
    ]


def write_csv(folder: Path) -> Path:
    """Most rows with their label, the last dozen without."""
    rows = sentences()
    lines = ["review,label"]
    lines += [
        f'"{text}",{label if number < len(rows) - 12 else ""}'
        for number, (text, label) in enumerate(rows)
    ]
    path = folder / "reviews.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_from_a_file_to_a_model_that_answers(page: Page, server: Server, tmp_path: Path) -> None:
    set_up_account(page, server)
    load_demo(page, server)
    project = new_project(page, server)
    import_file(page, project, write_csv(tmp_path))
    label_the_rest(page, project)
    version = freeze(page, project)
    token = make_token(page, server)
    export(page, version, token)
    run = train(page, version)
    watch_until_it_succeeds(page)
    look_into_errors(page, run)
    download_and_try(page, run, tmp_path)


def set_up_account(page: Page, server: Server) -> None:
    page.goto(server.url)
    expect(page).to_have_url(re.compile("/login"))
    expect(page.get_by_text("set-up link")).to_be_visible()
    page.goto(server.setup_url)
    page.get_by_label("Your name").fill("Ada")
    page.get_by_label("E-mail address").fill("ada@example.org")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Create the account").click()
    expect(page.get_by_role("button", name="Load the demo")).to_be_visible()


def load_demo(page: Page, server: Server) -> None:
    page.get_by_role("button", name="Load the demo").click()
    expect(page.locator(".card-grid > li")).to_have_count(3)
    page.get_by_role("link", name="Who did what").click()
    page.get_by_role("link", name="Examples").click()
    page.get_by_role("searchbox").fill("Karim sold his bicycle")
    page.keyboard.press("Enter")
    expect(page.locator("tbody tr")).to_have_count(1)
    page.locator("tbody a").click()
    expect(page.locator("#predicates li")).to_have_count(2)
    page.wait_for_load_state("networkidle")
    if os.environ.get("WRITE_IMAGES"):
        IMAGES.mkdir(exist_ok=True)
        page.screenshot(path=IMAGES / "workbench.png")


def new_project(page: Page, server: Server) -> str:
    page.goto(server.url)
    page.get_by_role("link", name="New project").click()
    page.get_by_role("link", name="Sentiment").click()
    page.get_by_label("Name", exact=True).first.fill("Reviews")
    page.get_by_label("Guidelines").fill("Judge the **writer's** feeling.")
    page.get_by_role("button", name="Make the project").click()
    expect(page).to_have_url(re.compile(r"/projects/\w+/import$"))
    return page.url.removesuffix("/import")


def import_file(page: Page, project: str, path: Path) -> None:
    page.get_by_label("File").set_input_files(path)
    page.get_by_role("button", name="Upload and look").click()
    expect(page.get_by_text("The soup was great, as I told Ann.").first).to_be_visible()
    page.get_by_role("button", name=re.compile("^Import")).click()
    expect(page.get_by_text("succeeded")).to_be_visible(timeout=30_000)


def label_the_rest(page: Page, project: str) -> None:
    """Twelve are open: one by one, each by its key; a reload in between loses nothing."""
    page.goto(f"{project}/label")
    right = dict(sentences())
    text = page.locator("[data-testid=text]")
    seen: list[str] = []
    for number in range(12):
        expect(text).not_to_have_text(seen[-1] if seen else "")
        words = text.inner_text().strip()
        seen.append(words)
        page.keyboard.press("1" if right[words] == "positive" else "3")
        if number == 5:
            page.wait_for_function("() => !document.body.innerText.includes('Saving')")
    expect(page.get_by_text("Nothing is left")).to_be_visible()
    assert len(set(seen)) == 12


def freeze(page: Page, project: str) -> str:
    page.goto(f"{project}/versions")
    page.get_by_label("Note").fill("The first reviews")
    page.get_by_role("button", name="Freeze").click()
    expect(page.get_by_role("link", name="Train a model")).to_be_visible(timeout=30_000)
    expect(page.get_by_text(re.compile(r"^[0-9a-f]{64}$")).first).to_be_visible()
    return page.url


def make_token(page: Page, server: Server) -> str:
    version = page.url
    page.goto(f"{server.url}/account")
    tokens = page.locator("#tokens")
    tokens.get_by_label("Name").fill("notebook")
    tokens.get_by_label("password").fill(PASSWORD)
    page.get_by_role("button", name="Make a token").click()
    token = page.locator("#new-token").inner_text()
    page.goto(version)
    return token


def export(page: Page, version: str, token: str) -> None:
    """The same bytes from the page and by REST."""
    page.get_by_role("link", name="JSON Lines (canonical)").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download", exact=True).click()
    from_page = Path(download.value.path()).read_bytes()
    match = re.search(r"(.*)/projects/(\w+)/versions/(\d+)", version)
    assert match
    answer = httpx.get(
        f"{match[1]}/api/v1/projects/{match[2]}/versions/{match[3]}/export?format=jsonl",
        headers={"Authorization": f"Bearer {token}"},
    )
    assert answer.status_code == 200
    assert answer.content == from_page
    rows = [json.loads(line) for line in from_page.splitlines()]
    assert {row["inputs"]["text"]: row["annotation"]["labels"][0] for row in rows} == dict(
        sentences()
    )


def train(page: Page, version: str) -> str:
    page.goto(f"{version}/train")
    page.get_by_label("From scratch").first.check()
    page.get_by_label("Epochs").fill("12")
    page.get_by_label("Learning rate").first.fill("0.002")
    page.get_by_text("More", exact=True).click()
    page.get_by_label("From scratch: layers").fill("1")
    page.get_by_label("From scratch: hidden size").fill("64")
    page.get_by_role("button", name="Start training").click()
    expect(page).to_have_url(re.compile(r"/runs/\w+$"))
    return page.url


def watch_until_it_succeeds(page: Page) -> None:
    """Without a reload: the marker put into the page is still there at the end."""
    page.evaluate("() => { window.notReloaded = true }")
    expect(page.locator("#run-state")).to_have_attribute("data-state", "succeeded", timeout=120_000)
    assert page.evaluate("() => window.notReloaded")
    expect(page.get_by_text("Macro-F1").first).to_be_visible()
    expect(page.get_by_text("Confusion").first).to_be_visible()
    expect(page.locator("#chart-loss canvas, #chart-loss svg").first).to_be_visible()
    assert problems(page) == []
    if os.environ.get("WRITE_IMAGES"):
        page.screenshot(path=IMAGES / "run.png")


def look_into_errors(page: Page, run: str) -> None:
    page.get_by_role("link", name="What it got wrong").last.click()
    expect(page.get_by_role("heading", name="What the model got wrong")).to_be_visible()
    assert problems(page) == []
    page.goto(run)


def download_and_try(page: Page, run: str, folder: Path) -> None:
    with page.expect_download() as download:
        page.get_by_role("link", name=re.compile("Download the model")).click()
    bundle = zipfile.ZipFile(io.BytesIO(Path(download.value.path()).read_bytes()))
    assert {"config.json", "model.safetensors", "annotune.json"} <= set(bundle.namelist())
    bundle.extractall(folder / "model")
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    model = AutoModelForSequenceClassification.from_pretrained(folder / "model")
    AutoTokenizer.from_pretrained(folder / "model")
    assert set(model.config.id2label.values()) >= {"positive", "negative"}
    page.get_by_placeholder("Type or paste a text").fill("The soup was awful, as I told Bo.")
    page.get_by_role("button", name="Predict").click()
    expect(page.locator("#prediction")).to_contain_text("negative", timeout=60_000)


def test_a_save_that_was_acknowledged_survives_kill_9_of_the_web_process(
    client: httpx.Client, server: Server
) -> None:
    """The annotation is there when the web server, which `annotune up` starts again, answers."""
    project = client.post("/api/v1/projects", json={"name": "Kept", "task": "sentiment"}).json()[
        "id"
    ]
    upload = {"file": ("one.txt", b"Saved is saved.\n")}
    job = client.post(f"/api/v1/projects/{project}/imports", files=upload).json()
    wait_for(
        lambda: client.get(f"/api/v1/projects/{project}").json()["example_count"] == 1, str(job)
    )
    example = client.post(f"/api/v1/projects/{project}/queue/next", json={}).json()
    said = {"payload": {"labels": ["positive"]}, "base": 0, "client_key": "k1"}
    path = f"/api/v1/projects/{project}/examples/{example['id']}"
    assert client.post(f"{path}/annotations", json=said).status_code == 201
    killed = web_processes(server)
    assert killed, "no web process was found to kill"
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: answers(client, path), "the web server did not come back")
    after = client.get(path).json()
    standing = after["standing"]
    assert (standing["payload"], standing["revision"]) == ({"labels": ["positive"]}, 1)


def web_processes(server: Server) -> list[int]:
    """The web server's process, of this `annotune up` alone."""
    import psutil

    children = psutil.Process(server.process.pid).children(recursive=True)
    return [child.pid for child in children if "app.server" in child.cmdline()]


def answers(client: httpx.Client, path: str) -> bool:
    try:
        return client.get(path).status_code == 200
    except httpx.TransportError:
        return False
