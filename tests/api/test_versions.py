"""Versions: frozen once, cited by their digest, the same in every format."""

import hashlib
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from fastapi.testclient import TestClient
from httpx import Response

from app.models import Job, Project, User
from app.services.versions import SplitPercent
from tests.api.conftest import Site
from tests.api.people import look, say
from tests.factories import fill, freeze, labelled_rows, make_project, open_rows

Finish = Callable[[dict[str, Any]], Job]
MANY = [(f"Review number {n}.", ("positive", "negative")[n % 2]) for n in range(60)]
NER = [
    {
        "text": "Ada met Bo 🎈 in Köln .",
        "tokens": [[0, 3], [4, 7], [8, 10], [11, 12], [13, 15], [16, 20], [21, 22]],
        "annotation": {
            "spans": [
                {"start": 0, "end": 3, "label": "PER"},
                {"start": 8, "end": 10, "label": "PER"},
                {"start": 16, "end": 20, "label": "LOC"},
            ]
        },
    },
    {"text": "Nobody came .", "annotation": {"spans": []}},
]
SRL = [
    {
        "text": "Ada gave Bo the map .",
        "tokens": [[0, 3], [4, 8], [9, 11], [12, 15], [16, 19], [20, 21]],
        "annotation": {
            "predicates": [
                {
                    "start": 4,
                    "end": 8,
                    "sense": "give.01",
                    "arguments": [
                        {"start": 0, "end": 3, "role": "ARG0"},
                        {"start": 9, "end": 11, "role": "ARG2"},
                        {"start": 12, "end": 19, "role": "ARG1"},
                    ],
                }
            ]
        },
    }
]
ROWS = {"sentiment": labelled_rows(), "ner": NER, "srl": SRL}
FOR_OTHER_MODELS = {"messages", "alpaca", "sharegpt", "trl", "trl_chat", "huggingface"}
"""Formats that are written to train other models, and not to be read back."""
IN_PART = {"sentiment": set[str](), "ner": set[str](), "srl": {"conll2009"}}
"""Formats that do not say everything of the rows above: several words of an argument."""


def rows_of(api: TestClient, project: Project, number: int) -> list[dict[str, Any]]:
    answer = api.get(f"/projects/{project.id}/versions/{number}/export")
    assert answer.headers["x-content-sha256"] == hashlib.sha256(answer.content).hexdigest()
    return [orjson.loads(line) for line in answer.content.splitlines()]


def test_a_version_never_changes(api: TestClient, ada: User) -> None:
    project = make_project(ada)
    fill(project, ada, [*labelled_rows(), *open_rows(1)])
    first = freeze(project, ada, note="first")
    path = f"/projects/{project.id}"
    before = [api.get(f"{path}/versions/1{part}").content for part in ("", "/manifest", "/export")]
    example = api.get(f"{path}/examples").json()["items"][0]["id"]
    base = look(api, project, example)["base"]
    assert say(api, project, example, "negative", base=base, effect="replace").status_code == 201
    api.patch(path, json={"name": "Renamed", "instruction": "Say it in one word."})
    fill(project, ada, labelled_rows([("Something new.", "neutral")]))
    second = freeze(project, ada)
    after = [api.get(f"{path}/versions/1{part}").content for part in ("", "/manifest", "/export")]
    assert before == after
    assert (second.number, second.counts["examples"]) == (2, 6)
    assert second.sha256 != first.sha256
    assert {row["id"]: row for row in rows_of(api, project, 1)}[example]["annotation"] == {
        "labels": ["positive"]
    }


def test_the_same_content_has_the_same_digest(api: TestClient, ada: User) -> None:
    project = make_project(ada)
    fill(project, ada, labelled_rows())
    assert freeze(project, ada).sha256 == freeze(project, ada, note="again").sha256


def test_an_example_stays_in_its_split(api: TestClient, ada: User) -> None:
    project = make_project(ada)
    percent = SplitPercent(train=60, validation=20, test=20)
    fill(project, ada, labelled_rows(MANY[:30]))
    freeze(project, ada, split=percent)
    fill(project, ada, labelled_rows(MANY[30:] + MANY[:10]))
    freeze(project, ada)
    splits = [
        {row["inputs"]["text"]: row["split"] for row in rows_of(api, project, number)}
        for number in (1, 2)
    ]
    assert len(set(splits[0].values())) == 3
    assert splits[1] == splits[1] | splits[0]
    by_text: dict[str, set[str]] = {}
    for row in rows_of(api, project, 2):
        by_text.setdefault(row["inputs"]["text"], set()).add(row["split"])
    assert all(len(found) == 1 for found in by_text.values()), "a duplicate is on two sides"
    other = make_project(ada, name="Other")
    fill(other, ada, labelled_rows(MANY[:30]))
    freeze(other, ada, split=percent)
    assert {r["inputs"]["text"]: r["split"] for r in rows_of(api, other, 1)} == splits[0]


@pytest.mark.parametrize("task", ["sentiment", "ner", "srl"])
def test_every_format_is_sent_the_same_twice_and_what_it_reads_back_is_equal(
    api: TestClient, ada: User, finish: Finish, task: str
) -> None:
    project = make_project(ada, task)
    fill(project, ada, ROWS[task])
    freeze(project, ada)
    formats = api.get("/tasks").json()["items"]
    formats = next(item["export_formats"] for item in formats if item["name"] == task)
    gold = [(row["inputs"]["text"], row["annotation"]) for row in rows_of(api, project, 1)]
    whole = set()
    for name in formats:
        path = f"/projects/{project.id}/versions/1/export"
        wish = {"format": name, "comments": "true", "split": "all"}
        sent, again = api.get(path, params=wish), api.get(path, params=wish)
        assert sent.status_code == 200, sent.text
        assert sent.content == again.content
        known = {"If-None-Match": sent.headers["etag"]}
        assert api.get(path, params=wish, headers=known).status_code == 304
        apart = api.get(path, params={"format": name, "split": "each"})
        assert (apart.status_code, apart.headers["content-type"]) == (200, "application/zip")
        if (
            name in FOR_OTHER_MODELS
            or api.get(f"{path}/notes", params={"format": name}).json()["examples"]
        ):
            continue
        whole.add(name)
        assert read_back(api, ada, finish, task, sent) == gold, name
    assert whole == set(formats) - FOR_OTHER_MODELS - IN_PART[task]


def read_back(
    api: TestClient, ada: User, finish: Finish, task: str, sent: Response
) -> list[tuple[str, Any]]:
    """What a new project makes of an exported file, its format detected."""
    copy = make_project(ada, task, name="Copy")
    filename = sent.headers["content-disposition"].split('"')[1]
    answer = api.post(f"/projects/{copy.id}/imports", files={"file": (filename, sent.content)})
    job = finish(answer.json())
    assert job.state == "succeeded", f"{filename}: {job.error}"
    freeze(copy, ada)
    return [(row["inputs"]["text"], row["annotation"]) for row in rows_of(api, copy, 1)]


def test_the_canonical_file_is_fetched_in_parts(api: TestClient, ada: User) -> None:
    project = make_project(ada)
    fill(project, ada, labelled_rows())
    freeze(project, ada)
    path = f"/projects/{project.id}/versions/1/export"
    whole = api.get(path)
    assert "attachment" in whole.headers["content-disposition"]
    part = api.get(path, headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, whole.content[10:20])
    for words, status in (("bytes=99999999-", 416), ("bytes=x", 400)):
        refused = api.get(path, headers={"Range": words})
        assert (refused.status_code, refused.json()["status"]) == (status, status)
        assert refused.headers["content-type"] == "application/problem+json"
    only = api.get(path, params={"split": "train"}).content.splitlines()
    assert {orjson.loads(line)["split"] for line in only} <= {"train"}


def test_what_a_format_cannot_say_is_listed(api: TestClient, ada: User) -> None:
    project = make_project(ada, "ner")
    inside = {"spans": [{"start": 1, "end": 3, "label": "PER"}]}
    fill(project, ada, [*NER, {"text": "Ada.", "annotation": inside}])
    freeze(project, ada)
    path = f"/projects/{project.id}/versions/1/export/notes"
    notes = api.get(path, params={"format": "conll2003"}).json()
    assert notes["examples"] == len(notes["notes"]) == 1
    assert api.get(path, params={"format": "jsonl"}).json()["examples"] == 0


def test_a_version_that_is_not_written_yet_is_said_to_be_so(api: TestClient, ada: User) -> None:
    project = make_project(ada)
    fill(project, ada, labelled_rows())
    made = api.post(f"/projects/{project.id}/versions", json={"note": "soon"})
    assert made.status_code == 202
    assert made.json()["sha256"] is None
    path = f"/projects/{project.id}/versions/1"
    for part in ("/export", "/manifest"):
        assert api.get(path + part).status_code == 409
    assert api.post(f"/projects/{project.id}/runs", json={"version": 1}).status_code == 409
    job = made.json()["job"]["id"]
    assert api.post(f"/jobs/{job}/cancel").json()["state"] == "cancelled"


@pytest.mark.parametrize(
    "wish",
    [
        {"split": {"train": 80, "validation": 10, "test": 20}},
        {"split": {"train": -10, "validation": 100, "test": 10}},
        {"split": {"train": 79.5, "validation": 10.5, "test": 10}},
        {"splits": {}},
    ],
)
def test_splits_add_up_to_a_hundred(api: TestClient, ada: User, wish: dict[str, Any]) -> None:
    project = make_project(ada)
    fill(project, ada, labelled_rows())
    assert api.post(f"/projects/{project.id}/versions", json=wish).status_code == 422


def test_there_is_nothing_to_freeze_before_something_is_labelled(
    api: TestClient, ada: User
) -> None:
    project = make_project(ada)
    fill(project, ada, open_rows(2))
    refused = api.post(f"/projects/{project.id}/versions")
    assert refused.status_code == 422
    assert "Nothing is labelled" in refused.json()["detail"]
    for number in ("1", "0", "x", str(2**40)):
        assert api.get(f"/projects/{project.id}/versions/{number}").status_code in (404, 422)


def test_a_format_of_another_task_is_refused(api: TestClient, ada: User) -> None:
    project = make_project(ada)
    fill(project, ada, labelled_rows())
    freeze(project, ada)
    refused = api.get(f"/projects/{project.id}/versions/1/export?format=conll")
    assert refused.status_code == 422
    assert "jsonl" in refused.json()["detail"]


def freeze_again(api: TestClient, project: Project, finish: Finish, **wish: Any) -> dict[str, Any]:
    made = api.post(f"/projects/{project.id}/versions", json=wish)
    assert made.status_code == 202, made.text
    assert finish(made.json()).state == "succeeded"
    found: dict[str, Any] = api.get(
        f"/projects/{project.id}/versions/{made.json()['number']}"
    ).json()
    return found


def splits_of(api: TestClient, project: Project, number: int) -> dict[str, str]:
    export = api.get(f"/projects/{project.id}/versions/{number}/export?format=jsonl").content
    return {
        item["inputs"]["text"]: item["split"] for item in map(orjson.loads, export.splitlines())
    }


def test_a_split_is_decided_once_and_remembered(
    api: TestClient, site: Site, ada: User, finish: Finish
) -> None:
    project = make_project(ada)
    fill(project, ada, labelled_rows(MANY))
    freeze_again(api, project, finish)
    before = splits_of(api, project, 1)
    # Other per cents, and the same texts again from a file that says other splits.
    rows = [{"text": text, "label": label, "split": "test"} for text, label in MANY[:30]]
    file = {"file": ("again.jsonl", b"\n".join(map(orjson.dumps, rows)))}
    sent = api.post(f"/projects/{project.id}/imports", files=file)
    assert finish(sent.json()).state == "succeeded"
    fill(project, ada, labelled_rows([(f"New {n}.", "positive") for n in range(40)]))
    halves = {"train": 50, "validation": 0, "test": 50}
    second = freeze_again(api, project, finish, split=halves)
    after = splits_of(api, project, 2)
    assert {text: after[text] for text in before} == before
    assert second["counts"]["moves"] == []
    assert 20 < second["counts"]["not_followed"] <= 30
    page = site.browser(ada).get(f"/projects/{project.id}/versions/2").text
    assert "are not in the split that their file says" in page
    assert set(after.values()) == {"train", "validation", "test"}
    new = [after[f"New {n}."] for n in range(40)]
    assert "validation" not in new
    assert 8 < new.count("test") < 32
    manifest = api.get(f"/projects/{project.id}/versions/2/manifest").json()
    assert manifest["splits_kept_from"] == 1
    # Only who asks for it has them split anew, and is told what moved.
    third = freeze_again(api, project, finish, split=halves, keep_splits=False)
    moved = {text for text, split in splits_of(api, project, 3).items() if after[text] != split}
    assert sum(move["examples"] for move in third["counts"]["moves"]) >= len(moved) > 5


def test_what_splitting_anew_would_move_is_shown_before(
    api: TestClient, site: Site, ada: User, finish: Finish
) -> None:
    project = make_project(ada)
    fill(project, ada, labelled_rows(MANY))
    freeze_again(api, project, finish)
    browser = site.browser(ada)
    path = f"/projects/{project.id}/versions"
    same = browser.post(f"{path}/moves", data={"train": 80, "validation": 10, "test": 10})
    assert "Nothing would move" in same.text
    other = browser.post(f"{path}/moves", data={"train": 10, "validation": 10, "test": 80})
    assert "of version 1 would be in another split" in other.text
    halves = {"train": 10, "validation": 10, "test": 80}
    made = freeze_again(api, project, finish, split=halves, keep_splits=False)
    moved = sum(move["examples"] for move in made["counts"]["moves"])
    assert f"{moved} examples of version 1" in other.text


def test_two_versions_are_compared(api: TestClient, site: Site, ada: User, finish: Finish) -> None:
    project = make_project(ada)
    fill(project, ada, labelled_rows(MANY))
    freeze_again(api, project, finish)
    rows = api.get(f"/projects/{project.id}/examples?limit=60").json()["items"]
    ids = sorted(row["id"] for row in rows)
    item = look(api, project, ids[0])
    other = "negative" if item["standing"]["payload"]["labels"] == ["positive"] else "positive"
    assert say(api, project, ids[0], other, base=item["base"], effect="replace").status_code == 201
    fill(project, ada, labelled_rows([("One more.", "neutral")]))
    freeze_again(api, project, finish)
    path = f"/projects/{project.id}/versions/2/diff"
    found = api.get(path, params={"base": 1}).json()
    assert found["counts"] == {"added": 1, "removed": 0, "relabelled": 1, "moved": 0}
    assert found["unchanged"] == 59
    assert found["labels"]["neutral"] == [0, 1]
    relabelled, added = found["changes"]
    assert (relabelled["example_id"], relabelled["kinds"]) == (ids[0], ["relabelled"])
    assert relabelled["after"]["annotation"] == {"labels": [other]}
    assert (added["text"], added["before"]) == ("One more.", None)
    # The other way round it was removed; and page by page nothing is left out.
    back = api.get(f"/projects/{project.id}/versions/1/diff", params={"base": 2}).json()
    assert back["counts"]["removed"] == 1
    first = api.get(path, params={"base": 1, "limit": 1}).json()
    rest = api.get(path, params={"base": 1, "after": first["next_after"]}).json()
    assert first["changes"] + rest["changes"] == found["changes"]
    assert api.get(path, params={"base": 1, "kind": "moved"}).json()["changes"] == []
    assert api.get(path, params={"base": 9}).status_code == 404
    page = site.browser(ada).get(f"/projects/{project.id}/versions/2/diff")
    assert "From version 1 to version 2" in page.text
    assert "One more." in page.text
