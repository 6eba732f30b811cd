"""Where a version is from, and what of its test split nearly stands in train."""

import hashlib
from typing import Any

import orjson
from fastapi.testclient import TestClient

from app.db import session_scope
from app.models import DatasetVersion, User
from app.services.version_files import manifest_key
from app.storage import get_storage
from tests.api.conftest import Site
from tests.api.test_import_updates import bring, rows_of
from tests.api.test_label_changes import save
from tests.factories import fill, freeze, join, labelled_rows, make_project, make_user, work_off


def manifest_of(api: TestClient, project_id: str, number: int = 1) -> Any:
    return api.get(f"/projects/{project_id}/versions/{number}/manifest").json()


def test_the_manifest_says_who_and_what_the_gold_is_from(
    site: Site, api: TestClient, ada: User
) -> None:
    project = make_project(ada, guidelines="# Be fair", instruction="Say how it sounds.")
    fill(project, ada, labelled_rows())
    bo = make_user("Bo")
    join(project, ada, reviewer=bo)
    program = site.caller(bo)
    ids = [row["id"] for row in api.get(f"/projects/{project.id}/examples").json()["items"]]
    save(program, project, ids[0], {"labels": ["positive"]}, effect="replace")
    save(program, project, ids[1], {"labels": ["neutral"]}, effect="replace")
    save(api, project, ids[2], {"labels": ["positive"]}, effect="propose")
    bring(api, project, rows_of(("It opens at nine.", "negative"), ("New.", "neutral")))
    freeze(project, ada)
    found = manifest_of(api, project.id)
    assert found["guidelines"]["text"] == "# Be fair"
    assert found["guidelines"]["sha256"] == hashlib.sha256(b"# Be fair").hexdigest()
    assert found["instruction"] == "Say how it sounds."
    lineage = found["lineage"]
    assert lineage["annotators"] == [{"annotator": bo.id, "examples": 2}]
    assert "Bo" not in orjson.dumps(found).decode()
    assert lineage["sources"] == {"import": 4, "person": 2}
    assert lineage["rules"] == {"only": 3, "agreed": 1, "adjudicated": 2}
    shown = [
        (i["file"], i["rows"], i["examples"], i["labels_for_others"]) for i in lineage["imports"]
    ]
    assert shown == [("rows.jsonl", 5, 5, 0), ("rows.jsonl", 2, 1, 1)]
    page = site.browser(ada).get(f"/projects/{project.id}/versions/1").text
    assert "Where it is from" in page
    assert "Bo" in page


def test_the_manifest_has_a_digest_of_its_own(site: Site, api: TestClient, ada: User) -> None:
    project = make_project(ada)
    fill(project, ada, labelled_rows())
    version = freeze(project, ada)
    with get_storage().reading(manifest_key(version.id)) as stream:
        data = stream.read()
    shown = api.get(f"/projects/{project.id}/versions/1").json()
    assert shown["manifest_sha256"] == hashlib.sha256(data).hexdigest()
    assert shown["runs"] == []
    changed = data.replace(b"Classify the text.", b"Classify the TEXT.")
    assert changed != data
    with get_storage().writing(manifest_key(version.id)) as sink:
        sink.write(changed)
    assert api.get(f"/projects/{project.id}/versions/1/manifest").status_code == 500
    assert site.browser(ada).get(f"/projects/{project.id}/versions/1").status_code == 200


def test_the_runs_that_used_a_version_are_shown(api: TestClient, ada: User) -> None:
    project = make_project(ada)
    fill(project, ada, labelled_rows())
    freeze(project, ada)
    run = api.post(f"/projects/{project.id}/runs", json={"version": 1}).json()
    [shown] = api.get(f"/projects/{project.id}/versions/1").json()["runs"]
    assert (shown["id"], shown["kind"], shown["state"]) == (run["id"], "finetune", "queued")


NEAR = (
    ("The food at this small place by the river was really very good.", "test"),
    ("The food at that small place by the river was really very good!", "train"),
    ("这家餐厅的服务员态度非常好，菜的味道也很不错，下次还会再来。", "test"),
    ("这家餐厅的服务员态度非常好，菜的味道也很不错，下次还会来。", "train"),
    ("Nothing else is like this sentence about the moon.", "test"),
    ("我昨天在图书馆看了一本关于历史的书。", "train"),
)


def test_test_examples_that_nearly_stand_in_train_are_counted_and_listed(
    site: Site, api: TestClient, ada: User
) -> None:
    project = make_project(ada)
    for split in ("test", "train"):
        rows = [
            {"text": text, "annotation": {"labels": ["positive"]}}
            for text, wanted in NEAR
            if wanted == split
        ]
        made = api.post(
            f"/projects/{project.id}/examples", json={"items": rows, "options": {"split": split}}
        )
        work_off(made.json()["job"]["id"])
    version = freeze(project, ada)
    path = f"/projects/{project.id}/versions/1/near-duplicates"
    before = api.get(path).json()
    assert before["examples"] is None
    assert before["job"]["state"] == "queued"
    assert "being looked for" in site.browser(ada).get(f"/projects/{project.id}/versions/1").text
    work_off(before["job"]["id"])
    found = api.get(path).json()
    assert (found["examples"], found["is_complete"]) == (2, True)
    assert [(row["text"], row["train_text"]) for row in found["items"]] == [
        (NEAR[0][0], NEAR[1][0]),
        (NEAR[2][0], NEAR[3][0]),
    ]
    assert all(0.8 <= row["similarity"] <= 1 for row in found["items"])
    first = api.get(path, params={"limit": 1}).json()
    assert first["next_after"] == found["items"][0]["example_id"]
    browser = site.browser(ada)
    assert (
        "2 test examples nearly stand in train"
        in browser.get(path.removesuffix("/near-duplicates")).text
    )
    assert NEAR[3][0] in browser.get(path).text
    with session_scope(read_only=True) as session:
        assert session.get_one(DatasetVersion, version.id).near_duplicates == {
            "examples": 2,
            "is_complete": True,
        }
    again = api.post(path).json()
    assert again["job"]["state"] == "queued"
    assert api.post(path).status_code == 409
    work_off(again["job"]["id"])
    assert api.get(path).json()["examples"] == 2
