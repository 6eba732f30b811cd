"""Every page, at desktop and phone width, light and dark, in English and Chinese."""

from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.accessibility import problems
from tests.e2e.conftest import Server, sign_in, wait_for

pytestmark = pytest.mark.e2e
SCREENS = {
    "desktop, light, English": {
        "viewport": {"width": 1280, "height": 860},
        "color_scheme": "light",
        "locale": "en",
    },
    "phone, dark, Chinese": {
        "viewport": {"width": 360, "height": 740},
        "color_scheme": "dark",
        "locale": "zh-CN",
        "has_touch": True,
    },
}


@pytest.fixture(scope="module")
def pages(client: httpx.Client) -> list[str]:
    """The addresses of all pages, of a server with the demo and a version of it."""
    client.post("/demo")
    items = client.get("/api/v1/projects").json()["items"]
    projects = {item["task"]: item["id"] for item in items}
    for project in projects.values():
        version = client.post(f"/api/v1/projects/{project}/versions", json={}).json()
        path = f"/api/v1/projects/{project}/versions/{version['number']}"
        wait_for(lambda path=path: client.get(path).json()["sha256"], "no version")
    upload = {"file": ("rows.csv", b"text,label\nGood.,positive\nBad.,dreadful\n")}
    made = client.post(f"/projects/{projects['sentiment']}/import", files=upload)
    return [
        "/",
        "/projects/new",
        "/runs",
        "/account",
        "/admin/users",
        "/admin/workers",
        "/api/docs",
        "/not-there",
        made.headers["location"],
        *(f"/projects/new?task={task}" for task in projects),
        *(
            f"/projects/{project}{page}"
            for project in projects.values()
            for page in (
                "",
                "/label",
                "/settings",
                "/labels",
                "/versions/1",
                "/versions/1/near-duplicates",
                "/versions/1/train",
            )
        ),
        *(
            f"/projects/{projects['ner']}{page}"
            for page in (
                "/labels?kind=merge&label=ORG&into=LOC",
                "/examples?label=ORG",
                "/examples",
                "/import",
                "/versions",
                "/versions/2/diff",
                "/runs",
            )
        ),
    ]


@pytest.fixture(scope="module")
def training_pages(client: httpx.Client, pages: list[str]) -> list[str]:
    """The addresses of all pages about training, after small runs of each kind: one of them fails."""
    project = next(
        item["id"]
        for item in client.get("/api/v1/projects").json()["items"]
        if item["task"] == "sentiment"
    )
    home, version = f"/projects/{project}", f"/projects/{project}/versions/1"
    small = {"base": "scratch", "scratch_layers": 1, "scratch_hidden": 32, "scratch_vocab": 200}
    small |= {"epochs": 1, "batch_size": 16}

    def start(address: str, **form: object) -> str:
        started = client.post(address, data=small | form)
        assert started.status_code == 303, started.text
        return started.headers["location"]

    failing = start(f"{version}/train", base="hub", base_ref_hub="no/such-model")
    search = start(f"{version}/search", learning_rate="1e-3, 1e-2")
    crossed = start(f"{version}/train", kind="crossvalidate", folds=2)
    pretrained = start(f"{home}/pretrain")

    def runs() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = client.get(f"/api/v1{home}/runs").json()["items"]
        return found

    ended = {"succeeded", "failed"}
    wait_for(lambda: {run["job"]["state"] for run in runs()} <= ended, "still training", 240)
    best, other = (run["id"] for run in runs() if run["search_id"] == search.split("/")[-1])
    evaluated = start(f"/runs/{best}/evaluate", version=f"{project}/1", split="all")
    wait_for(lambda: {run["job"]["state"] for run in runs()} <= ended, "not evaluated", 60)
    return [
        failing,
        search,
        crossed,
        pretrained,
        evaluated,
        *(f"/runs/{best}{page}" for page in ("", "/errors", "/model", "/evaluate")),
        *(f"{home}{page}" for page in ("/runs", "/leaderboard", "/pretrain", "/label-issues")),
        f"{version}/search",
        f"{home}/compare",
        f"{home}/compare?run={best}&run={other}",
        f"{home}/compare?" + "&".join(f"run={run['id']}" for run in runs()),
    ]


@pytest.mark.parametrize("screen", SCREENS)
def test_every_page_about_training_is_accessible_and_fits(
    browser: Browser, client: httpx.Client, server: Server, training_pages: list[str], screen: str
) -> None:
    found: dict[str, list[str]] = {}
    with browser.new_context(**SCREENS[screen]) as context:
        sign_in(context, client, server)
        page = context.new_page()
        for path in training_pages:
            page.goto(server.url + path)
            for disclosure in page.locator(".disclosure > summary").all():
                disclosure.click()
            for chart in page.locator("[data-chart]:visible").all():
                expect(chart.locator("canvas")).to_be_visible()
            found[path] = problems(page)
    assert {path: lines for path, lines in found.items() if lines} == {}


@pytest.mark.parametrize("screen", SCREENS)
def test_every_page_is_accessible_and_fits(
    browser: Browser, client: httpx.Client, server: Server, pages: list[str], screen: str
) -> None:
    found: dict[str, list[str]] = {}
    with browser.new_context(**SCREENS[screen]) as context:
        page = context.new_page()
        for path in ("/login", "/setup"):
            page.goto(server.url + path)
            found[path] = problems(page)
        sign_in(context, client, server)
        for path in pages:
            page.goto(server.url + path)
            if path.endswith("/label"):
                expect(page.locator("#text")).not_to_be_empty()
            found[path] = problems(page)
    assert {path: lines for path, lines in found.items() if lines} == {}
