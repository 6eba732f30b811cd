"""Exports: made once, stored, and from then on files like any other."""

import io
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from fastapi.testclient import TestClient

from app.models import DatasetVersion, Job, Project, User
from app.services import exporting
from app.services.version_files import exports_key
from app.services.versions import SplitPercent
from app.storage import get_storage
from app.tasks import TASKS
from tests.api.conftest import Site
from tests.factories import fill, freeze, make_project, work_off

Finish = Callable[[dict[str, Any]], Job]
PERCENT = SplitPercent(train=40, validation=30, test=30)
ROWS = {
    "sentiment": {"labels": ["positive"]},
    "ner": {"spans": [{"start": 0, "end": 3, "label": "PER"}]},
    "srl": {
        "predicates": [
            {
                "start": 4,
                "end": 7,
                "sense": None,
                "arguments": [{"start": 0, "end": 3, "role": "ARG0"}],
            }
        ]
    },
}
EVERY = [(task, name) for task, kind in TASKS.items() for name in kind.export_formats]


def frozen(user: User, task: str = "sentiment", count: int = 40) -> tuple[Project, DatasetVersion]:
    project = make_project(user, task)
    rows = [{"text": f"Ada ran {n} miles.", "annotation": ROWS[task]} for n in range(count)]
    fill(project, user, rows)
    return project, freeze(project, user, split=PERCENT)


def path_of(project: Project) -> str:
    return f"/projects/{project.id}/versions/1/export"


def stored(version: DatasetVersion) -> dict[str, float]:
    """The files of a version's exports, and when they were written."""
    storage, folder = get_storage(), exports_key(version.id)
    return {
        name: Path(storage.path(f"{folder}/{name}")).stat().st_mtime_ns
        for name in storage.names(folder)
    }


def files_of(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as folder:
        assert folder.testzip() is None
        return {name: folder.read(name) for name in folder.namelist()}


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize(("task", "name"), EVERY)
def test_every_export_is_made_once_and_is_a_file_then(
    api: TestClient, ada: User, task: str, name: str
) -> None:
    project, version = frozen(ada, task, 6)
    path, wish = path_of(project), {"format": name}
    head = api.head(path, params=wish)
    assert head.status_code == 200
    made = stored(version)
    whole = api.get(path, params=wish)
    assert whole.headers["content-length"] == head.headers["content-length"]
    assert len(whole.content) == int(head.headers["content-length"])
    assert whole.headers["etag"] == head.headers["etag"]
    part = api.get(path, params=wish, headers={"Range": "bytes=3-9"})
    assert (part.status_code, part.content) == (206, whole.content[3:10])
    same = api.get(path, params=wish, headers={"If-None-Match": head.headers["etag"]})
    assert same.status_code == 304
    assert stored(version) == made
    assert len(made) == (0 if name == "jsonl" else 2)


def test_a_file_that_is_not_whole_is_made_again(api: TestClient, ada: User) -> None:
    project, version = frozen(ada)
    whole = api.get(path_of(project), params={"format": "csv"})
    folder = Path(get_storage().path(exports_key(version.id)))
    file = next(path for path in folder.iterdir() if not path.suffix)
    for damage in (lambda: file.write_bytes(b"id"), file.unlink):
        damage()
        again = api.get(path_of(project), params={"format": "csv"})
        assert again.content == whole.content
    next(folder.glob("*.json")).write_bytes(b"{")
    assert api.get(path_of(project), params={"format": "csv"}).content == whole.content


def test_two_who_ask_at_once_get_the_same_whole_file(site: Site, ada: User) -> None:
    project, version = frozen(ada)
    got: list[bytes] = []

    def fetch() -> None:
        answer = site.caller(ada).get(path_of(project), params={"format": "parquet"})
        got.append(answer.content)

    threads = [threading.Thread(target=fetch) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 4
    assert len(set(got)) == 1
    assert len(stored(version)) == 2


def test_an_export_of_a_large_version_is_stored_while_it_is_sent(
    api: TestClient, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    project, version = frozen(ada)
    small = api.get(path_of(project), params={"format": "alpaca", "split": "train"}).content
    for name in stored(version):
        get_storage().remove(f"{exports_key(version.id)}/{name}")
    monkeypatch.setattr(exporting, "AT_ONCE", 0)
    wish = {"format": "alpaca", "split": "train"}
    head = api.head(path_of(project), params=wish)
    assert "content-length" not in head.headers
    first = api.get(path_of(project), params=wish)
    assert first.content == small
    second = api.get(path_of(project), params=wish)
    assert (second.content, second.headers["content-length"]) == (small, str(len(small)))
    assert second.headers["etag"] == first.headers["etag"] == head.headers["etag"]


def test_a_large_version_is_prepared_by_a_job(
    api: TestClient, ada: User, finish: Finish, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "AT_ONCE", 0)
    project, _version = frozen(ada, "ner")
    path, wish = f"/projects/{project.id}/versions/1", {"format": "conll2003", "split": "each"}
    refused = api.get(f"{path}/export/notes", params=wish)
    assert (refused.status_code, "prepare" in refused.json()["detail"]) == (409, True)
    assert api.get(f"{path}/exports", params=wish).json()["size"] is None
    asked = api.post(f"{path}/exports", json=wish)
    assert asked.status_code == 202
    assert asked.json()["job"]["kind"] == "export"
    again = api.post(f"{path}/exports", json=wish).json()
    assert again["job"]["id"] == asked.json()["job"]["id"]
    job = finish(asked.json())
    assert (job.state, job.progress["done"]) == ("succeeded", 80)
    found = api.get(f"{path}/exports", params=wish).json()
    assert found["notes"]["examples"] == 0
    file = api.get(f"{path}/export", params=wish)
    assert file.headers["content-length"] == str(found["size"])
    assert set(files_of(file.content)) == {"train.conll", "validation.conll", "test.conll"}
    assert api.get(f"{path}/export/notes", params=wish).status_code == 200
    assert api.post(f"{path}/exports", json=wish).json()["job"]["id"] == job.id


@pytest.mark.parametrize("name", ["messages", "alpaca", "sharegpt", "trl", "trl_chat"])
def test_a_test_example_is_in_no_file_that_is_trained_on(
    api: TestClient, ada: User, name: str
) -> None:
    project, _version = frozen(ada)
    sent = api.get(path_of(project), params={"format": name})
    assert sent.headers["content-disposition"].endswith(".zip")
    files = files_of(sent.content)
    lines = api.get(path_of(project)).content.splitlines()
    texts = {split: set() for split in ("train", "validation", "test")}
    for item in map(orjson.loads, lines):
        texts[item["split"]].add(item["inputs"]["text"])
    for split, own in texts.items():
        content = next(files[file] for file in files if file.startswith(split)).decode()
        assert all(text in content for text in own)
        assert not any(text in content for s in texts for text in texts[s] if s != split)
        only = api.get(path_of(project), params={"format": name, "split": split})
        assert only.content.decode() == content
    assert b"load_dataset" in files["README.md"] or b"LLaMA-Factory" in files["README.md"]
    if not name.startswith("trl"):
        info = orjson.loads(files["dataset_info.json"])
        assert {entry["file_name"] for entry in info.values()} < set(files)
        assert set(info) == {f"{name}_{split}" for split in texts}


def test_all_splits_in_one_file_are_warned_of(api: TestClient, ada: User) -> None:
    project, _version = frozen(ada)
    notes = f"{path_of(project)}/notes"
    for name, split, count in (
        ("messages", "all", 2),  # and what it leaves out
        ("messages", None, 1),
        ("csv", None, 0),
    ):
        wish = {"format": name} | ({"split": split} if split else {})
        assert len(api.get(notes, params=wish).json()["remarks"]) == count, name


def test_an_answer_that_is_empty_is_noted(api: TestClient, ada: User) -> None:
    schema = {"mode": "multi", "labels": [{"name": "a", "color": "#15803d"}]}
    project = make_project(ada, label_schema=schema)
    fill(project, ada, [{"text": "Nothing.", "annotation": {"labels": []}}])
    freeze(project, ada)
    notes = api.get(f"{path_of(project)}/notes", params={"format": "trl"}).json()
    assert notes["examples"] == 1
    assert "empty" in notes["notes"][0]["message"]
    assert sum(notes["by_split"].values()) == 1


def test_notes_are_in_the_language_of_who_reads_them(site: Site, ada: User) -> None:
    project = make_project(ada, "ner")
    inside = {"spans": [{"start": 1, "end": 3, "label": "PER"}]}
    fill(project, ada, [{"text": "Ada.", "annotation": inside}])
    freeze(project, ada)
    page = f"/projects/{project.id}/versions/1/download/conll2003"
    browser = site.browser(ada)
    said = [browser.get(page, headers={"Accept-Language": code}).text for code in ("en", "zh")]
    assert "does not fall on token borders" in said[0]
    assert "does not fall on token borders" not in said[1]


def test_the_page_before_a_download(site: Site, ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    project, _version = frozen(ada)
    browser = site.browser(ada)
    version = f"/projects/{project.id}/versions/1"
    assert f"{version}/download/alpaca" in browser.get(version).text
    page = browser.get(f"{version}/download/alpaca").text
    assert f"{version}/export/alpaca?split=each" in page
    assert browser.get(f"{version}/export/alpaca?split=each").content[:2] == b"PK"
    monkeypatch.setattr(exporting, "AT_ONCE", 0)
    page = browser.get(f"{version}/download/csv?split=test").text
    assert "Prepare the file" in page
    asked = browser.post(f"{version}/download/csv?split=test")
    assert asked.headers["location"].startswith(f"{version}/download/csv?split=test")
    assert "Waiting for a worker" in browser.get(asked.headers["location"]).text
    assert browser.post(f"{version}/download/csv/cancel?split=test").status_code == 303
    assert "Prepare the file" in browser.get(asked.headers["location"]).text
    browser.post(f"{version}/download/csv?split=test")
    caller = site.caller(ada)
    state = caller.get(f"{version}/exports", params={"format": "csv", "split": "test"}).json()
    work_off(state["job"]["id"])
    assert f"{version}/export/csv?split=test" in browser.get(asked.headers["location"]).text
    assert browser.get(f"{version}/manifest").json()["version"]["number"] == 1


def test_a_licence_of_the_list_stands_on_the_card(api: TestClient, ada: User) -> None:
    project, version = frozen(ada)
    wish = {"format": "huggingface", "licence": "cc-by-4.0"}
    card = files_of(api.get(path_of(project), params=wish).content)["README.md"].decode()
    assert 'license: "cc-by-4.0"' in card
    assert str(version.sha256) in card
    wish["licence"] = "../evil"
    assert api.get(path_of(project), params=wish).status_code == 422
