"""Imports of labels for texts that are already there: nobody's work is replaced, and nothing is there twice."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.db import session_scope
from app.models import Annotation, Contribution, Example, ImportUpdate, Job, Project, User
from tests.api.conftest import Site
from tests.api.test_label_changes import golds, save
from tests.factories import count, fill, freeze, labelled_rows, make_project, open_rows, work_off

UPDATE = {"on_duplicate": "update"}


def rows_of(*pairs: tuple[str, str | None], **more: Any) -> list[dict[str, Any]]:
    return [
        {"text": text, "annotation": {"labels": [label]} if label else None, **more}
        for text, label in pairs
    ]


def bring(api: TestClient, project: Project, rows: list[dict[str, Any]], **more: Any) -> Any:
    """Import rows as updates; the import as it has ended."""
    wish = {"items": rows, "options": UPDATE | more}
    made = api.post(f"/projects/{project.id}/examples", json=wish).json()
    work_off(made["job"]["id"])
    return api.get(f"/projects/{project.id}/imports/{made['id']}").json()


def undo(api: TestClient, project: Project, row: Any) -> Any:
    path = f"/projects/{project.id}/imports/{row['id']}/undo"
    job = work_off(api.post(path).json()["undo"]["id"])
    assert job.state == "succeeded", job.error
    return job.progress


def numbers(api: TestClient, project: Project) -> tuple[int, int]:
    found = api.get(f"/projects/{project.id}").json()
    return found["example_count"], found["labelled_count"]


@pytest.fixture
def project(ada: User) -> Project:
    """Three open texts, and one that an import has labelled."""
    made = make_project(ada)
    fill(made, ada, open_rows(3))
    fill(made, ada, labelled_rows([("It rains.", "negative")]))
    return made


def test_labels_stand_where_nothing_did_and_are_suggestions_elsewhere(
    api: TestClient, ada: User, project: Project
) -> None:
    items = api.get(f"/projects/{project.id}/examples").json()["items"]
    assert save(api, project, items[0]["id"], {"labels": ["neutral"]}).status_code == 201
    row = bring(
        api,
        project,
        rows_of(
            ("Sentence number 0.", "positive"),
            ("Sentence number 1.", "positive"),
            ("Sentence number 2.", None),
            ("It rains.", "positive"),
            ("A new one.", "neutral"),
        ),
    )
    assert row["report"]["matched"] == 4
    assert row["report"]["updates"] == {"label": 1, "suggestion": 2}
    assert numbers(api, project) == (5, 4)
    assert [g and g["labels"][0] for g in golds(api, project)] == [
        "neutral", "positive", None, "negative", "neutral",
    ]  # fmt: skip
    waiting = api.get(f"/projects/{project.id}/examples", params={"having": "proposals"}).json()
    assert [r["inputs"]["text"] for r in waiting["items"]] == ["Sentence number 0.", "It rains."]
    assert [p["summary"] for r in waiting["items"] for p in r["proposals"]] == ["positive"] * 2
    others = api.get(f"/projects/{project.id}/examples/{items[0]['id']}").json()["others"]
    assert [said["payload"] for said in others] == [{"labels": ["positive"]}]
    again = bring(
        api, project, rows_of(("Sentence number 0.", "positive"), ("It rains.", "positive"))
    )
    assert again["report"]["updates"] == {"same": 2}
    assert count(Example) == 5


def test_rows_match_by_their_id_first(api: TestClient, project: Project) -> None:
    fill_rows = rows_of(("Twin.", None), external_id="a") + rows_of(
        ("Twin.", None), external_id="b"
    )
    api_row = api.post(f"/projects/{project.id}/examples", json={"items": fill_rows}).json()
    work_off(api_row["job"]["id"])
    bring(api, project, rows_of(("Twin.", "positive"), external_id="b"))
    twins = api.get(f"/projects/{project.id}/examples", params={"q": "Twin."}).json()["items"]
    assert [row["annotation"] for row in twins] == [None, {"labels": ["positive"]}]
    wrong = bring(api, project, rows_of(("Another text.", "positive"), external_id="a"))
    assert wrong["job"]["state"] == "failed"
    assert "“a”" in wrong["report"]["problems"][0]["message"]


def test_spans_of_a_text_with_other_blanks_are_named(api: TestClient, ada: User) -> None:
    ner = make_project(ada, "ner")
    fill(ner, ada, [{"text": "Ada  met Bo."}])
    said = {"spans": [{"start": 8, "end": 10, "label": "PER"}]}
    row = bring(api, ner, [{"text": "Ada met Bo.", "annotation": said}])
    assert row["job"]["state"] == "failed"
    assert "blanks" in row["report"]["problems"][0]["message"]


def test_a_file_that_says_two_things_of_one_text_is_refused(
    api: TestClient, project: Project
) -> None:
    for text in ("It rains.", "Quite new."):
        row = bring(api, project, rows_of((text, "positive"), (text, "neutral")))
        assert row["job"]["state"] == "failed"
        assert row["report"]["problems"][0]["message"].startswith("The file says something else")
    twice = bring(api, project, rows_of(("Quite new.", "positive"), ("Quite new.", "positive")))
    assert twice["report"]["duplicates"] == 1
    assert numbers(api, project) == (5, 2)
    assert count(ImportUpdate) == 0


def test_taking_the_import_back_takes_its_labels_too_and_leaves_what_people_went_on_from(
    api: TestClient, project: Project
) -> None:
    row = bring(
        api,
        project,
        rows_of(
            ("Sentence number 0.", "positive"),
            ("Sentence number 1.", "positive"),
            ("It rains.", "positive"),
        ),
    )
    items = api.get(f"/projects/{project.id}/examples").json()["items"]
    changed = save(api, project, items[1]["id"], {"labels": ["neutral"]}, effect="replace")
    assert changed.status_code == 201
    end = undo(api, project, row)
    assert (end["labels_removed"], end["labels_kept"]) == (2, 1)
    assert [g and g["labels"][0] for g in golds(api, project)] == [
        None,
        "neutral",
        None,
        "negative",
    ]
    assert numbers(api, project) == (4, 2)
    waiting = api.get(f"/projects/{project.id}/examples", params={"having": "proposals"}).json()
    assert waiting["items"] == []
    with session_scope(read_only=True) as session:
        assert session.get_one(Project, project.id).proposal_count == 0
        assert [c.proposals for c in session.query(Contribution)] == [0]
        assert session.query(Annotation).filter_by(is_proposal=True).count() == 0


def test_the_preview_says_what_would_happen(
    site: Site, api: TestClient, ada: User, project: Project
) -> None:
    data = "text,label\nSentence number 0.,positive\nIt rains.,positive\nNew.,neutral\n"
    made = api.post(
        f"/projects/{project.id}/imports",
        files={"file": ("rows.csv", data.encode())},
        data={"start": "false"},
    ).json()
    path = f"/projects/{project.id}/imports/{made['id']}"
    found = api.post(f"{path}/preview", json=UPDATE).json()
    assert found["updates"] == {"matched": 2, "label": 1, "suggestion": 1}
    assert api.post(f"{path}/preview", json={}).json()["updates"] == {}
    page = site.browser(ada).post(f"{path}/preview", data=UPDATE)
    assert "labels where nothing stands: 1" in page.text


def test_a_version_has_all_of_such_an_import_or_nothing(
    api: TestClient, ada: User, project: Project
) -> None:
    row = bring(api, project, rows_of(("It rains.", "positive")))
    with session_scope() as session:  # as while its worker is still labelling
        session.get_one(Job, row["job"]["id"]).state = "running"
    assert api.post(f"/projects/{project.id}/versions").status_code == 409
    with session_scope() as session:
        session.get_one(Job, row["job"]["id"]).state = "succeeded"
    assert freeze(project, ada).counts["labels"] == {"negative": 1}
