"""Importing over the API: all of a file, or nothing."""

import errno
import gzip
import io
import os
import re
from collections.abc import Callable
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient

from app.models import Annotation, Example, Import, Job, Project, User
from app.services import import_job
from app.settings import get_settings
from app.storage import get_storage
from tests.api.conftest import Site
from tests.factories import count, make_project, work_off

BAD = b"text,label\nGood.,positive\n,negative\nBad.,negative\n  ,neutral\n"
Finish = Callable[[dict[str, Any]], Job]


@pytest.fixture
def project(ada: User) -> Project:
    return make_project(ada)


def send(api: TestClient, project: Project, content: bytes, **options: Any) -> dict[str, Any]:
    answer = api.post(
        f"/projects/{project.id}/imports",
        files={"file": ("reviews.csv", content)},
        data={"options": orjson.dumps(options).decode()},
    )
    assert answer.status_code == 202, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_refused_file_names_each_wrong_row_and_leaves_nothing(
    api: TestClient, project: Project, finish: Finish
) -> None:
    sent = send(api, project, BAD)
    job = finish(sent)
    assert job.state == "failed"
    assert job.error_category == "data"
    report = api.get(f"/projects/{project.id}/imports/{sent['id']}").json()["report"]
    assert [problem["row"] for problem in report["problems"]] == [3, 5]
    assert all("empty" in problem["message"] for problem in report["problems"])
    assert count(Example) == count(Annotation) == 0
    assert api.get(f"/projects/{project.id}").json()["example_count"] == 0


def test_wrong_rows_are_left_out_only_where_somebody_says_so(
    api: TestClient, project: Project, finish: Finish
) -> None:
    sent = send(api, project, BAD, on_error="skip")
    assert finish(sent).state == "succeeded"
    report = api.get(f"/projects/{project.id}/imports/{sent['id']}").json()["report"]
    assert (report["read"], report["rejected"], report["labelled"]) == (2, 2, 2)
    shown = api.get(f"/projects/{project.id}").json()
    assert (shown["example_count"], shown["labelled_count"]) == (2, 2)


def test_rows_that_cannot_be_told_apart_are_not_counted_as_one(
    site: Site, api: TestClient, project: Project, finish: Finish, ada: User
) -> None:
    content = b'text,label\nFine.,positive\n"Not "closed" here,negative\nLost?,positive\nEnds",neutral\nBad.,negative\n'
    sent = send(api, project, content, on_error="skip")
    assert finish(sent).state == "succeeded"
    report = api.get(f"/projects/{project.id}/imports/{sent['id']}").json()["report"]
    assert (report["read"], report["rejected"]) == (2, 1)
    assert report["rejected_is_exact"] is False
    page = site.browser(ada).get(f"/projects/{project.id}/imports/{sent['id']}").text
    assert "at least 1" in page
    assert "1+ rows cannot be read" in (finish(send(api, project, content)).error or "")


def test_one_wrong_row_is_spoken_of_as_one(
    api: TestClient, project: Project, finish: Finish
) -> None:
    sent = send(api, project, b"text,label\nGood.,positive\n,negative\n")
    assert (finish(sent).error or "").startswith("1 row cannot be read")
    report = api.get(f"/projects/{project.id}/imports/{sent['id']}").json()["report"]
    assert (report["rejected"], report["rejected_is_exact"]) == (1, True)


def test_a_file_of_wrong_rows_alone_says_why(
    api: TestClient, project: Project, finish: Finish
) -> None:
    job = finish(send(api, project, b"text,label\n,positive\n", on_error="skip"))
    assert job.state == "failed"
    assert "row 2" in (job.error or "")


def test_unknown_labels_are_added_or_refused_as_wished(
    api: TestClient, project: Project, finish: Finish
) -> None:
    content = b"text,label\nSo so.,mixed\n"
    assert finish(send(api, project, content, new_labels="reject")).state == "failed"
    sent = send(api, project, content)
    assert finish(sent).state == "succeeded"
    names = [label["name"] for label in api.get(f"/projects/{project.id}/schema").json()["labels"]]
    assert names[-1] == "mixed"


def test_duplicates_are_kept_or_left_out_as_wished(
    api: TestClient, project: Project, finish: Finish
) -> None:
    content = b"text\nOnce.\nTwice.\nTwice.\n"
    finish(send(api, project, content))
    assert count(Example) == 3
    finish(send(api, project, content, on_duplicate="skip"))
    assert count(Example) == 3


def test_texts_arrive_exactly_as_they_were_sent(
    api: TestClient, project: Project, finish: Finish
) -> None:
    text = "  Ünïcode 👩‍👩‍👧 𝔘\n\tzwei  Zeilen e\u0301 "
    item = {"text": text, "meta": {"b": 1, "a": None}, "external_id": "x-1"}
    answer = api.post(f"/projects/{project.id}/examples", json={"items": [item]})
    assert finish(answer.json()).state == "succeeded"
    row = api.get(f"/projects/{project.id}/examples").json()["items"][0]
    assert row["inputs"]["text"] == text
    assert row["meta"] == {"a": None, "b": 1}
    assert row["external_id"] == "x-1"


@pytest.mark.parametrize(
    "item",
    [
        {"text": "a\x00b"},
        {"text": ""},
        {"text": "ok", "tokens": [[0, 5]]},
        {"text": "ok", "tokens": [[1, 2], [0, 1]]},
        {"text": "ok", "annotation": {"labels": ["positive", "negative"]}},
        {"text": "ok", "annotation": {"spans": []}},
        {"text": "ok", "meta": {"key": "a\x00b"}},
        {"text": "ok", "external_id": "a\x00b"},
    ],
)
def test_one_wrong_example_stops_all_that_came_with_it(
    api: TestClient, project: Project, finish: Finish, item: dict[str, Any]
) -> None:
    items = [{"text": "Good."}, item]
    answer = api.post(f"/projects/{project.id}/examples", json={"items": items})
    if answer.status_code == 202:
        job = finish(answer.json())
        assert (job.state, job.error_category) == ("failed", "data"), job.error
    else:
        assert answer.status_code == 422
    assert count(Example) == 0


@pytest.mark.parametrize("place", ["text", "meta"])
def test_half_a_surrogate_pair_is_refused(api: TestClient, project: Project, place: str) -> None:
    body = '{"items": [{"text": "x\\ud800"}]}'
    if place == "meta":
        body = '{"items": [{"text": "x", "meta": {"k": "\\ud800"}}]}'
    answer = api.post(
        f"/projects/{project.id}/examples",
        content=body,
        headers={"Content-Type": "application/json"},
    )
    assert answer.status_code == 422
    assert count(Import) == 0


def test_an_upload_waits_for_its_preview_and_starts_once(
    site: Site, api: TestClient, ada: User, project: Project, finish: Finish
) -> None:
    path = f"/projects/{project.id}/imports"
    content = "这家店很好吃，还会再来\tpositive\n服务太差，再也不来了\tnegative\n".encode("gb18030")
    sent = api.post(path, files={"file": ("a.tsv", content)}, data={"start": "false"}).json()
    assert sent["job"] is None
    preview = api.post(f"{path}/{sent['id']}/preview", json={}).json()
    assert preview["encoding"].lower().startswith("gb")
    assert [record["text"] for record in preview["records"]] == [
        "这家店很好吃，还会再来",
        "服务太差，再也不来了",
    ]
    assert count(Example) == 0
    first = api.post(f"{path}/{sent['id']}/start", json={}).json()
    second = api.post(f"{path}/{sent['id']}/start", json={}).json()
    assert first["job"]["id"] == second["job"]["id"]
    other = api.post(f"{path}/{sent['id']}/start", json={"on_error": "skip"})
    assert (other.status_code, "other options" in other.json()["detail"]) == (409, True)
    again = api.post(f"{path}/{sent['id']}/preview", json={})
    assert (again.status_code, "started already" in again.json()["detail"]) == (409, True)
    page = site.browser(ada).post(
        f"/projects/{project.id}/imports/{sent['id']}/preview", data={}, follow_redirects=False
    )
    assert (page.status_code, page.headers["location"]) == (
        303,
        f"/projects/{project.id}/imports/{sent['id']}",
    ), "a tab that is left open goes on to where the import is"
    assert finish(second).state == "succeeded"
    assert finish(second).state == "succeeded", "a message that comes twice changes nothing"
    assert count(Example) == 2


def test_a_cancelled_import_leaves_nothing(
    api: TestClient, project: Project, finish: Finish
) -> None:
    sent = send(api, project, b"text\nOne.\n")
    path = f"/projects/{project.id}/imports/{sent['id']}"
    assert api.post(f"{path}/cancel").status_code == 204
    assert finish(sent).state == "cancelled"
    assert count(Example) == 0


def test_a_bad_wish_removes_the_upload_again(api: TestClient, project: Project) -> None:
    for options, where in (
        ("{", "options"),
        ('{"on_error": "shrug"}', "on_error"),
        ('{"format": "pdf"}', "format"),
    ):
        answer = api.post(
            f"/projects/{project.id}/imports",
            files={"file": ("a.txt", b"One.")},
            data={"options": options},
        )
        assert answer.status_code == 422
        assert [problem["where"] for problem in answer.json()["problems"]] == [where]
    assert count(Import) == 0


def test_an_upload_that_fills_the_disk_is_507_and_leaves_nothing(
    api: TestClient, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", no_room)
        answer = api.post(f"/projects/{project.id}/imports", files={"file": ("reviews.csv", BAD)})
    assert answer.status_code == 507, answer.text
    assert "disk is full" in answer.json()["detail"]
    assert count(Import) == 0
    files = get_settings().data_dir / "files"
    assert not [path for path in files.rglob("*") if path.is_file()]
    assert send(api, project, BAD, on_error="skip")["job"]["state"] == "queued"


def test_an_empty_file_is_refused_at_once(api: TestClient, project: Project) -> None:
    answer = api.post(f"/projects/{project.id}/imports", files={"file": ("a.txt", b"")})
    assert answer.status_code == 422
    assert "empty" in answer.json()["detail"]


def test_nobody_sees_an_import_before_all_of_it_is_there(
    site: Site, api: TestClient, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_job, "_BATCH", 2)
    seen: list[int] = []
    sent = send(api, project, b"text\n" + b"".join(b"Row %d.\n" % n for n in range(6)))
    stage = import_job._insert

    def look(*words: Any) -> None:
        stage(*words)
        seen.append(len(api.get(f"/projects/{project.id}/examples").json()["items"]))

    monkeypatch.setattr(import_job, "_insert", look)
    assert work_off(sent["job"]["id"]).state == "succeeded"
    assert seen == [0, 0, 0]
    assert len(api.get(f"/projects/{project.id}/examples").json()["items"]) == 6


def parquet_of_one_text() -> bytes:
    sink = io.BytesIO()
    words = pa.DictionaryArray.from_arrays(pa.array([0] * 300_000, pa.int32()), ["x" * 1000])
    pq.write_table(pa.table({"text": words}), sink, compression="zstd")
    return sink.getvalue()


@pytest.mark.parametrize(
    ("reader", "make", "words"),
    [
        ("text", lambda: gzip.compress(b"a\n" * 6_000_000), "more than 200,000 rows"),
        ("text", lambda: gzip.compress((b"a" * 999 + b"\n") * 100_000), "200 times its size"),
        ("parquet", parquet_of_one_text, "200 times its size"),
    ],
)
def test_a_small_file_that_stands_for_much_is_refused_before_anything_is_stored(
    api: TestClient,
    project: Project,
    finish: Finish,
    monkeypatch: pytest.MonkeyPatch,
    reader: str,
    make: Callable[[], bytes],
    words: str,
) -> None:
    monkeypatch.setenv("ANNOTUNE_MAX_IMPORT_ROWS", "200000")
    get_settings.cache_clear()
    monkeypatch.setattr(import_job, "_insert", lambda *_words: pytest.fail("a row is staged"))
    content = make()
    assert len(content) < 400_000
    job = finish(send(api, project, content, format=reader))
    assert (job.state, job.error_category) == ("failed", "data")
    assert words in (job.error or "")


def test_rows_of_an_import_are_bounded_by_a_setting(
    api: TestClient, project: Project, finish: Finish, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANNOTUNE_MAX_IMPORT_ROWS", "3")
    get_settings.cache_clear()
    for rows, state in ((3, "succeeded"), (4, "failed")):
        content = b"text\n" + b"".join(b"Row %d.\n" % n for n in range(rows))
        job = finish(send(api, project, content))
        assert job.state == state
    assert "more than 3 rows" in (job.error or "")
    assert count(Example) == 3


def test_an_import_is_taken_back_but_for_what_people_have_worked_on(
    site: Site, api: TestClient, project: Project, finish: Finish, ada: User
) -> None:
    first = send(api, project, b"text,label\nOne.,positive\nTwo.,\n")
    second = send(api, project, b"text,label\nGood.,positive\nBad.,negative\nHm.,\n")
    finish(first)
    assert api.post(f"/projects/{project.id}/imports/{second['id']}/undo").status_code == 409
    finish(second)
    items = api.get(f"/projects/{project.id}/examples").json()["items"]
    (touched,) = [item for item in items if item["inputs"]["text"] == "Hm."]
    words = {"client_key": "k", "base": 0, "payload": {"labels": ["neutral"]}}
    address = f"/projects/{project.id}/examples/{touched['id']}/annotations"
    assert api.post(address, json=words).is_success
    path = f"/projects/{project.id}/imports/{second['id']}"
    for removed in (2, 0):
        asked = api.post(f"{path}/undo")
        assert asked.status_code == 202
        undo = asked.json()["undo"]
        assert api.post(f"{path}/undo").json()["undo"]["id"] == undo["id"], "it is one wish"
        assert work_off(undo["id"]).state == "succeeded"
        progress = api.get(f"/jobs/{undo['id']}").json()["progress"]
        assert (progress["removed"], progress["kept"]) == (removed, 1)
    shown = api.get(f"/projects/{project.id}").json()
    assert (shown["example_count"], shown["labelled_count"]) == (3, 2)
    left = {
        item["inputs"]["text"]
        for item in api.get(f"/projects/{project.id}/examples").json()["items"]
    }
    assert left == {"One.", "Two.", "Hm."}
    browser = site.browser(ada)
    page = browser.post(f"/projects/{project.id}/imports/{first['id']}/undo").headers["location"]
    assert "undo/cancel" in browser.get(page).text
    undo = api.get(f"/projects/{project.id}/imports/{first['id']}").json()["undo"]
    work_off(undo["id"])
    assert "2 examples were removed." in browser.get(page).text
    assert api.get(f"/projects/{project.id}").json()["example_count"] == 1


def test_a_label_that_only_a_withdrawn_import_used_can_be_removed(
    api: TestClient, project: Project, finish: Finish
) -> None:
    first = send(api, project, b"text,label\nOne.,mixed\n")
    second = send(api, project, b"text,label\nTwo.,positive\n")
    finish(first)
    finish(second)
    labels = {"labels": [{"name": "positive"}]}
    path = f"/projects/{project.id}/schema"
    assert "mixed" in api.put(path, json=labels).json()["detail"]
    undo = api.post(f"/projects/{project.id}/imports/{first['id']}/undo").json()["undo"]
    meanwhile = api.put(path, json=labels)
    assert meanwhile.status_code == 409, "it is not known yet which labels are used"
    work_off(undo["id"])
    assert api.put(path, json=labels).status_code == 200
    assert api.put(path, json={"labels": [{"name": "other"}]}).status_code == 422


def test_a_file_that_has_failed_is_read_again_in_another_way(
    site: Site, api: TestClient, project: Project, finish: Finish, ada: User
) -> None:
    failed = send(api, project, BAD)
    path = f"/projects/{project.id}/imports/{failed['id']}"
    assert api.post(f"{path}/again").status_code == 409
    finish(failed)
    new = api.post(f"{path}/again").json()
    assert (new["job"], new["filename"], new["sha256"]) == (None, "reviews.csv", failed["sha256"])
    start = f"/projects/{project.id}/imports/{new['id']}/start"
    assert finish(api.post(start, json={"on_error": "skip"}).json()).state == "succeeded"
    assert count(Example) == 2
    browser = site.browser(ada)
    preview = browser.post(f"/projects/{project.id}/imports/{failed['id']}/again")
    assert "as they will be read" in browser.get(preview.headers["location"]).text
    get_storage().remove(f"uploads/{failed['id']}")
    gone = api.post(f"{path}/again")
    assert (gone.status_code, "upload it again" in gone.json()["detail"]) == (409, True)


def test_labels_far_down_a_file_can_be_mapped_and_case_is_no_difference(
    site: Site, api: TestClient, project: Project, ada: User
) -> None:
    rows = "text,label\n" + "Good.,1\n" * 50 + "Bad.,0\n" + "Well.,POSITIVE\n"
    sent = api.post(
        f"/projects/{project.id}/imports",
        files={"file": ("a.csv", rows.encode())},
        data={"start": "false"},
    ).json()
    page = site.browser(ada).get(f"/projects/{project.id}/imports/{sent['id']}").text
    assert re.findall(r'name="map_from" value="(\w+)"', page) == ["1", "0", "POSITIVE"]
    assert re.findall(r'name="map_to" value="(\w*)"', page) == ["", "", "positive"]


def test_a_file_that_is_no_text_is_refused_as_such(
    site: Site, api: TestClient, project: Project, finish: Finish, ada: User
) -> None:
    sent = send(api, project, bytes(range(256)) * 40)
    job = finish(sent)
    assert job.state == "failed"
    assert "not look like text" in str(job.error)


def test_what_is_taken_for_another_label_and_what_is_not_used_is_said(
    api: TestClient, site: Site, ada: User, project: Project, finish: Finish
) -> None:
    path = f"/projects/{project.id}/imports"
    table = pa.table(
        {
            "text": ["Fine.", "Bad.", "So so."],
            "label": [" Positive", "NEGATIVE", "neutral"],
            "raw": [b"1", b"2", b"3"],
            "site": ["a", "b", "c"],
        }
    )
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    file = {"file": ("a.parquet", buffer.getvalue())}
    sent = api.post(path, files=file, data={"start": "false"}).json()
    preview = api.post(f"{path}/{sent['id']}/preview", json={}).json()
    assert preview["taken_for"] == {"Positive": "positive", "NEGATIVE": "negative"}
    assert preview["unused"] == {"raw": 3}
    assert preview["new_labels"] == []
    assert [record["annotation"] for record in preview["records"]] == [
        {"labels": [name]} for name in ("positive", "negative", "neutral")
    ]
    assert preview["columns"]["site"] == ["a", "b", "c"]
    page = site.browser(ada).get(f"/projects/{project.id}/imports/{sent['id']}").text
    assert "Not used" in page
    assert "raw (3 rows)" in page
    started = api.post(f"{path}/{sent['id']}/start", json={}).json()
    assert finish(started).state == "succeeded"
    report = api.get(f"{path}/{sent['id']}").json()["report"]
    assert report["taken_for"] == preview["taken_for"]
    assert report["unused"] == {"raw": 3}
    examples = api.get(f"/projects/{project.id}/examples").json()["items"]
    assert sorted(example["meta"]["site"] for example in examples) == ["a", "b", "c"]


def test_the_preview_names_the_rows_that_the_import_would_refuse(
    api: TestClient, site: Site, ada: User, project: Project, finish: Finish
) -> None:
    path = f"/projects/{project.id}/imports"
    rows = [
        {"text": "Fine.", "label": "positive", "split": "val", "id": "a-1"},
        {"text": "Long.", "label": "positive", "id": "x" * 301},
        {"text": "Odd.", "label": "positive", "split": "holdout"},
        {"text": "Wide.", "label": "L" * 101},
    ]
    content = b"\n".join(orjson.dumps(row) for row in rows)
    sent = api.post(path, files={"file": ("a.jsonl", content)}, data={"start": "false"}).json()
    preview = api.post(f"{path}/{sent['id']}/preview", json={}).json()
    assert [(r["text"], r["split"], r["external_id"]) for r in preview["records"]] == [
        ("Fine.", "validation", "a-1")
    ]
    assert [problem["row"] for problem in preview["problems"]] == [2, 3, 4]
    page = site.browser(ada).get(f"/projects/{project.id}/imports/{sent['id']}").text
    assert "holdout" in page
    assert "a-1" in page
    started = api.post(f"{path}/{sent['id']}/start", json={"on_error": "skip"}).json()
    assert finish(started).state == "succeeded"
    report = api.get(f"{path}/{sent['id']}").json()["report"]
    assert report["problems"] == preview["problems"]


def test_a_file_of_no_known_format_is_refused_and_a_named_format_is_not_guessed(
    api: TestClient, project: Project
) -> None:
    path = f"/projects/{project.id}/imports"
    page = b"<html>\n<body>\n<p>Hello.</p>\n</body>\n</html>\n"
    refused = api.post(path, files={"file": ("a.html", page)})
    assert refused.status_code == 422
    assert "JSON Lines" in refused.json()["detail"]
    assert count(Import) == 0
    named = api.post(
        path, files={"file": ("a.html", page)}, data={"options": orjson.dumps({"format": "text"})}
    )
    assert named.status_code == 202, named.text


def test_what_is_wrong_with_a_value_is_said_in_the_readers_language(
    api: TestClient, site: Site, project: Project, ada: User
) -> None:
    long = orjson.dumps({"text": "Fine.", "label": "x" * 101})
    sent = api.post(
        f"/projects/{project.id}/imports",
        files={"file": ("a.jsonl", long)},
        data={"start": "false"},
    ).json()
    found = api.post(f"/projects/{project.id}/imports/{sent['id']}/preview").json()
    assert "at most 100 characters" in found["problems"][0]["message"]
    assert "String should" not in found["problems"][0]["message"]
    answer = api.post("/projects", json={"name": "", "task": "sentiment"})
    assert answer.status_code == 422
    assert "It must not be empty." in answer.text
    assert "String should" not in answer.text


def test_ids_that_stand_twice_in_a_file_are_named_with_their_count(
    api: TestClient, project: Project, finish: Finish
) -> None:
    content = b"id,text,label\n1,A.,good\n1,B.,bad\n2,C.,good\n1,D.,good\n"
    said = {"the id as a name of one row alone: another row of the file has the same": 2}
    path, file = f"/projects/{project.id}/imports", {"file": ("a.csv", content)}
    sent = api.post(path, files=file, data={"start": "false"}).json()
    assert api.post(f"{path}/{sent['id']}/preview").json()["unused"] == said
    sent = send(api, project, content)
    finish(sent)
    assert api.get(f"{path}/{sent['id']}").json()["report"]["unused"] == said
