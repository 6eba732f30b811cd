"""Label sets that live: renaming, merging, splitting and retiring labels that annotations have."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from fastapi.testclient import TestClient

from app.db import session_scope
from app.models import Annotation, Job, Project, User
from app.services.version_files import data_key
from app.storage import get_storage
from tests.api.conftest import Site
from tests.factories import (
    count,
    fill,
    freeze,
    join,
    labelled_rows,
    make_project,
    make_user,
    open_rows,
)

NER = {"labels": [{"name": "PER"}, {"name": "ORG"}, {"name": "LOC"}], "mode": "overlapping"}


def change(api: TestClient, project: Project, kind: str, **fields: Any) -> Any:
    return api.post(f"/projects/{project.id}/labels", json={"kind": kind, **fields})


def preview(api: TestClient, project: Project, kind: str, **fields: Any) -> Any:
    return api.post(f"/projects/{project.id}/labels/preview", json={"kind": kind, **fields})


def golds(api: TestClient, project: Project, **filters: Any) -> list[dict[str, Any]]:
    found = api.get(f"/projects/{project.id}/examples", params=filters).json()
    return [row["annotation"] for row in found["items"]]


def save(api: TestClient, project: Project, example: int, payload: Any, **more: Any) -> Any:
    path = f"/projects/{project.id}/examples/{example}"
    item = api.get(path).json()
    key = f"key{example}-{item['base']}"
    wish = {"payload": payload, "base": item["base"], "client_key": key, **more}
    return api.post(f"{path}/annotations", json=wish)


def spans(*labels: str) -> dict[str, Any]:
    return {"spans": [{"start": 0, "end": 3, "label": label} for label in labels]}


@pytest.fixture
def project(ada: User) -> Project:
    made = make_project(ada)
    fill(made, ada, labelled_rows())
    return made


def test_what_was_labelled_is_read_under_the_new_name_and_nothing_is_written(
    api: TestClient, project: Project
) -> None:
    before = count(Annotation)
    changed = change(api, project, "rename", label="positive", to="good")
    assert changed.status_code == 200
    names = [label["name"] for label in changed.json()["labels"]]
    assert names == ["good", "neutral", "negative"]
    assert changed.json()["labels"][0]["former"] == ["positive"]
    assert [g["labels"] for g in golds(api, project)].count(["good"]) == 2
    assert len(golds(api, project, label="good")) == 2
    assert golds(api, project, label="positive") == []
    assert count(Annotation) == before
    with session_scope(read_only=True) as session:
        assert session.query(Annotation).first().payload == {"labels": ["positive"]}


def test_the_preview_counts_what_a_change_touches_by_kind(
    site: Site, api: TestClient, ada: User, project: Project
) -> None:
    bo = make_user("Bo")
    join(project, ada, annotator=bo)
    ids = [row["id"] for row in api.get(f"/projects/{project.id}/examples").json()["items"]]
    good = {"labels": ["positive"]}
    assert save(api, project, ids[1], good, effect="replace").status_code == 201
    assert save(api, project, ids[1], {"labels": ["neutral"]}).status_code == 201
    assert save(api, project, ids[2], good, effect="replace").status_code == 201
    assert save(site.caller(bo), project, ids[2], good, effect="propose").status_code == 201
    found = preview(api, project, "merge", label="positive", into="neutral").json()
    assert found["uses"] == {
        "examples": 3,
        "by_people": {"Ada": 1},
        "by_imports": 2,
        "beside": 0,
        "suggestions": 1,
        "history": 1,
        "is_complete": True,
    }
    assert [label["name"] for label in found["labels"]] == ["neutral", "negative"]
    assert len(api.get(f"/projects/{project.id}/schema").json()["labels"]) == 3


def test_a_merge_can_be_taken_apart_again(api: TestClient, project: Project) -> None:
    change(api, project, "merge", label="neutral", into="positive")
    assert [g["labels"][0] for g in golds(api, project)].count("positive") == 3
    refused = api.put(
        f"/projects/{project.id}/schema",
        json={"labels": [{"name": n} for n in ("positive", "negative", "neutral")]},
    )
    assert refused.status_code == 422
    assert "former name" in refused.json()["detail"]
    changed = change(api, project, "separate", former="neutral").json()
    assert "former" not in changed["labels"][0]
    assert [g["labels"][0] for g in golds(api, project)].count("neutral") == 1


def test_a_label_renamed_there_and_back_is_the_same(api: TestClient, project: Project) -> None:
    before = golds(api, project)
    change(api, project, "rename", label="positive", to="good")
    change(api, project, "rename", label="good", to="positive")
    assert golds(api, project) == before
    assert golds(api, project, label="positive") != []


def test_two_labels_that_become_one_are_there_once(api: TestClient, ada: User) -> None:
    several = make_project(
        ada, label_schema={"mode": "multi", "labels": [{"name": n} for n in "abc"]}
    )
    fill(several, ada, [{"text": "One.", "annotation": {"labels": ["a", "b"]}}])
    change(api, several, "merge", label="a", into="b")
    assert golds(api, several) == [{"labels": ["b"]}]
    ner = make_project(ada, "ner", label_schema=NER)
    fill(ner, ada, [{"text": "Ada.", "annotation": spans("PER", "ORG")}])
    change(api, ner, "merge", label="ORG", into="PER")
    assert golds(api, ner) == [spans("PER")]


def test_roles_are_renamed_with_their_continuations_and_references(
    api: TestClient, ada: User
) -> None:
    srl = make_project(ada, "srl")
    roles = [{"start": 0, "end": 3, "role": "ARG0"}, {"start": 9, "end": 11, "role": "C-ARG0"}]
    said = {"predicates": [{"start": 4, "end": 8, "sense": None, "arguments": roles}]}
    fill(srl, ada, [{"text": "Ada gave Bo.", "annotation": said}])
    change(api, srl, "rename", label="ARG0", to="AGENT")
    [found] = golds(api, srl, label="AGENT")
    assert [a["role"] for a in found["predicates"][0]["arguments"]] == ["AGENT", "C-AGENT"]
    for name in ("V", "C-ARG1"):
        assert change(api, srl, "rename", label="ARG1", to=name).status_code == 422


def test_old_versions_stay_and_new_ones_have_the_new_name(
    api: TestClient, ada: User, project: Project
) -> None:
    def bytes_of(version: Any) -> bytes:
        with get_storage().reading(data_key(version.id)) as stream:
            return stream.read()

    first = freeze(project, ada)
    before = bytes_of(first)
    change(api, project, "rename", label="positive", to="good")
    second = freeze(project, ada)
    assert bytes_of(first) == before
    labels = [orjson.loads(line)["annotation"]["labels"] for line in bytes_of(second).splitlines()]
    assert ["good"] in labels
    assert ["positive"] not in labels
    assert second.counts["labels"]["good"] == 2
    diff = api.get(f"/projects/{project.id}/versions/2/diff", params={"base": 1}).json()
    assert (diff["counts"]["relabelled"], diff["unchanged"], diff["labels"]) == (0, 5, {})


def test_a_file_with_the_old_name_is_taken_for_the_new_one(
    api: TestClient, ada: User, project: Project
) -> None:
    change(api, project, "rename", label="positive", to="good")
    fill(project, ada, labelled_rows([("Fine.", "positive"), ("Also fine.", "Positive")]))
    report = api.get(f"/projects/{project.id}/imports").json()["items"][0]["report"]
    assert report["taken_for"] == {"positive": "good", "Positive": "good"}
    assert report["new_labels"] == []
    assert len(golds(api, project, label="good")) == 4


def test_a_page_that_still_offers_the_old_name_saves_as_the_new_one(
    api: TestClient, ada: User, project: Project
) -> None:
    fill(project, ada, open_rows(1))
    example = api.get(f"/projects/{project.id}/examples?status=open").json()["items"][0]["id"]
    change(api, project, "rename", label="positive", to="good")
    assert save(api, project, example, {"labels": ["positive"]}).json()["payload"] == {
        "labels": ["good"]
    }


def test_a_retired_label_stays_and_is_not_given_anew(
    api: TestClient, project: Project, finish: Callable[[dict[str, Any]], Job]
) -> None:
    changed = change(api, project, "retire", label="neutral").json()
    assert changed["labels"][1]["retired"] is True
    examples = api.get(f"/projects/{project.id}/examples").json()["items"]
    had, other = examples[2]["id"], examples[0]["id"]
    refused = save(api, project, other, {"labels": ["neutral"]}, effect="replace")
    assert refused.status_code == 422
    assert "neutral" in refused.json()["detail"]
    kept = save(api, project, had, {"labels": ["neutral"]}, effect="replace", comment="Still.")
    assert kept.status_code == 201
    rows = {"items": [{"text": "New.", "annotation": {"labels": ["neutral"]}}]}
    ended = finish(api.post(f"/projects/{project.id}/examples", json=rows).json())
    assert ended.state == "failed"
    assert "neutral" in (ended.error or "")
    change(api, project, "restore", label="neutral")
    assert save(api, project, other, {"labels": ["neutral"]}, effect="replace").status_code == 201


def test_a_split_offers_finer_labels_and_leaves_a_worklist(
    site: Site, api: TestClient, ada: User, project: Project
) -> None:
    change(api, project, "split", label="positive", parts=["delighted", "content"])
    names = {
        label["name"]: label.get("retired", False)
        for label in api.get(f"/projects/{project.id}/schema").json()["labels"]
    }
    assert names == {
        "positive": True,
        "delighted": False,
        "content": False,
        "neutral": False,
        "negative": False,
    }
    left = api.get(f"/projects/{project.id}/examples", params={"label": "positive"}).json()["items"]
    assert len(left) == 2
    page = site.browser(ada).get(f"/projects/{project.id}/label?having=positive").text
    assert str(left[1]["id"]) in page.split('"worklist":')[1][:60]
    save(api, project, left[0]["id"], {"labels": ["content"]}, effect="replace")
    left = api.get(f"/projects/{project.id}/examples", params={"label": "positive"}).json()["items"]
    assert len(left) == 1


def test_a_label_that_only_history_has_can_be_removed(api: TestClient, project: Project) -> None:
    path = f"/projects/{project.id}/schema"
    rest = {"labels": [{"name": "positive"}, {"name": "negative"}]}
    assert api.put(path, json=rest).status_code == 422
    assert change(api, project, "remove", label="neutral").status_code == 422
    example = api.get(f"/projects/{project.id}/examples").json()["items"][2]["id"]
    save(api, project, example, {"labels": ["positive"]}, effect="replace")
    assert preview(api, project, "remove", label="neutral").json()["uses"]["history"] == 1
    assert change(api, project, "remove", label="neutral").status_code == 200
    assert [label["name"] for label in api.get(path).json()["labels"]] == ["positive", "negative"]
    assert save(api, project, example, {"labels": ["neutral"]}).status_code == 422


def test_a_tighter_mode_needs_a_worklist_that_is_empty(
    site: Site, api: TestClient, ada: User
) -> None:
    project = make_project(ada, "ner", label_schema=NER)
    fill(project, ada, [{"text": "Ada.", "annotation": spans("PER", "ORG")}, {"text": "Bo."}])
    refused = api.put(f"/projects/{project.id}/schema", json=NER | {"mode": "flat"})
    assert refused.status_code == 422
    assert refused.json()["problems"] == [{"where": "mode", "message": "flat"}]
    found = api.get(f"/projects/{project.id}/examples", params={"breaks": "flat"}).json()["items"]
    assert [row["inputs"]["text"] for row in found] == ["Ada."]
    form = {"label_name": ["PER", "ORG", "LOC"], "mode": "flat"} | {
        f"label_{part}": [value] * 3
        for part, value in (
            ("title", ""),
            ("color", "#2563eb"),
            ("hotkey", ""),
            ("description", ""),
        )
    }
    page = site.browser(ada).post(f"/projects/{project.id}/settings", data=form)
    assert page.status_code == 422
    assert "examples?breaks=flat" in page.text
    save(api, project, found[0]["id"], spans("PER"), effect="replace")
    assert api.put(f"/projects/{project.id}/schema", json=NER | {"mode": "flat"}).status_code == 200
    wrong = api.get(f"/projects/{project.id}/examples", params={"breaks": "round"})
    assert wrong.status_code == 422


def test_a_schema_sent_back_keeps_former_names(api: TestClient, project: Project) -> None:
    change(api, project, "rename", label="positive", to="good")
    path = f"/projects/{project.id}/schema"
    labels = [{"name": name} for name in ("negative", "good", "neutral")]
    assert api.put(path, json={"labels": labels}).json()["labels"][1]["former"] == ["positive"]
    assert len(golds(api, project, label="good")) == 2


def test_the_page_shows_what_is_touched_before_it_asks(
    site: Site, ada: User, api: TestClient, project: Project
) -> None:
    browser = site.browser(ada)
    home = f"/projects/{project.id}/labels"
    wish = {"kind": "rename", "label": "positive", "to": "good"}
    page = browser.get(home, params=wish)
    assert "“positive” becomes “good”" in page.text
    assert browser.get(home, params=wish | {"to": "neutral"}).status_code == 422
    assert browser.post(home, data=wish).status_code == 303
    assert "former=positive" in browser.get(home).text
    assert api.get(f"/projects/{project.id}/schema").json()["labels"][0]["name"] == "good"
