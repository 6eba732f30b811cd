"""A text falls into one split, once and for all: whatever becomes of its example, and whatever a later file says."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import delete, update

from app.db import session_scope
from app.models import DatasetVersion, DecidedSplit, Job, Project, User
from tests.api.conftest import Site
from tests.factories import count, make_project, work_off
from worker import jobs as worker_jobs

Finish = Callable[[dict[str, Any]], Job]
TEXTS = [f"The soup number {n} was cold." for n in range(40)]


@pytest.fixture
def project(ada: User) -> Project:
    return make_project(ada)


def rows(texts: list[str], split: str | None = None) -> bytes:
    said = {"split": split} if split else {}
    return b"\n".join(orjson.dumps({"text": t, "label": "negative"} | said) for t in texts)


def send(api: TestClient, project: Project, content: bytes, **options: Any) -> dict[str, Any]:
    answer = api.post(
        f"/projects/{project.id}/imports",
        files={"file": ("rows.jsonl", content)},
        data={"options": orjson.dumps(options).decode()},
    )
    assert answer.status_code == 202, answer.text
    assert work_off(answer.json()["job"]["id"]).state == "succeeded"
    found: dict[str, Any] = api.get(f"/projects/{project.id}/imports/{answer.json()['id']}").json()
    return found


def take_back(api: TestClient, project: Project, sent: dict[str, Any]) -> None:
    answer = api.post(f"/projects/{project.id}/imports/{sent['id']}/undo")
    assert work_off(answer.json()["undo"]["id"]).state == "succeeded"


def freeze(api: TestClient, project: Project, **wish: Any) -> dict[str, str]:
    """Make a version; the split of each text in it."""
    made = api.post(f"/projects/{project.id}/versions", json=wish)
    assert made.status_code == 202, made.text
    assert work_off(made.json()["job"]["id"]).state == "succeeded"
    path = f"/projects/{project.id}/versions/{made.json()['number']}/export?format=jsonl"
    return {
        item["inputs"]["text"]: item["split"]
        for item in map(orjson.loads, api.get(path).content.splitlines())
    }


def test_a_text_that_was_taken_back_and_comes_again_keeps_its_split(
    api: TestClient, project: Project
) -> None:
    sent = send(api, project, rows(TEXTS, "test"))
    first = freeze(api, project)
    assert set(first.values()) == {"test"}
    take_back(api, project, sent)
    send(api, project, rows(["Another one."]))
    assert set(freeze(api, project)) == {"Another one."}  # a version without them in between
    again = send(api, project, rows(TEXTS, "train"))
    assert again["report"]["unused"] == {
        "what the file says of the split, since a version has the text in another: it stays there": 40
    }
    third = freeze(api, project, split={"train": 100, "validation": 0, "test": 0})
    assert {third[text] for text in TEXTS} == {"test"}


def test_splits_of_versions_of_an_earlier_release_are_remembered(
    api: TestClient, project: Project
) -> None:
    sent = send(api, project, rows(TEXTS, "test"))
    freeze(api, project)
    with session_scope() as session:  # as such a release left it
        session.execute(delete(DecidedSplit))
        session.execute(update(DatasetVersion).values(remembers_splits=False))
    take_back(api, project, sent)
    send(api, project, rows([*TEXTS, "Another one."]))
    second = freeze(api, project)
    assert {second[text] for text in TEXTS} == {"test"}
    assert count(DecidedSplit) == 41


def test_splitting_anew_is_remembered_as_well(api: TestClient, project: Project) -> None:
    send(api, project, rows(TEXTS))
    freeze(api, project, split={"train": 100, "validation": 0, "test": 0})
    assert count(DecidedSplit) == 40
    tests = {"train": 0, "validation": 0, "test": 100}
    assert set(freeze(api, project, split=tests, keep_splits=False).values()) == {"test"}
    assert set(freeze(api, project, split={"train": 100, "validation": 0, "test": 0}).values()) == {
        "test"
    }


def test_the_same_text_on_two_sides_is_named_with_its_count(
    api: TestClient, site: Site, project: Project, ada: User
) -> None:
    content = b"\n".join([rows(TEXTS, "train"), rows(TEXTS[:3], "test")])
    said = "the split of a row whose text stands elsewhere for another one: copies stay together"
    browser = site.browser(ada)
    path, file = f"/projects/{project.id}/imports", {"file": ("rows.jsonl", content)}
    uploaded = api.post(path, files=file, data={"start": "false"}).json()
    preview = api.post(f"{path}/{uploaded['id']}/preview").json()
    assert preview["unused"] == {said: 3}
    page = browser.get(f"/projects/{project.id}/imports/{uploaded['id']}").text
    assert f"{said} (3 rows)" in page
    assert send(api, project, content)["report"]["unused"] == {said: 3}
    # Another file, for the other side.
    assert send(api, project, rows(TEXTS[5:7], "validation"))["report"]["unused"] == {said: 2}
    splits = freeze(api, project)
    assert [splits[text] for text in TEXTS[:8]] == ["test"] * 3 + ["train"] * 2 + [
        "validation"
    ] * 2 + ["train"]


def test_a_deleted_project_leaves_no_splits(api: TestClient, project: Project) -> None:
    send(api, project, rows(TEXTS))
    freeze(api, project)
    assert count(DecidedSplit) == 40
    assert api.delete(f"/projects/{project.id}").status_code == 204
    with session_scope(read_only=True) as session:
        job = session.query(Job).filter_by(kind="delete").one()
    worker_jobs.run(job.id)
    assert count(DecidedSplit) == count(Project) == 0
