"""Input that no store and no header can hold is refused in words, on every door."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from fastapi.testclient import TestClient

from app.models import Example, Job, Project, User
from tests.api.conftest import Site
from tests.factories import count, make_project

Finish = Callable[[dict[str, Any]], Job]
NESTED = "[" * 100_000 + "]" * 100_000


@pytest.fixture
def project(ada: User) -> Project:
    return make_project(ada)


@pytest.mark.parametrize(
    "value",
    ["1" * 30, "-9223372036854775809", "1e999", "NaN", "Infinity", '"\\u0000"', '"\\ud800"',
     "[" * 70 + "]" * 70, NESTED],
    ids=lambda value: value[:12],
)  # fmt: skip
def test_json_bodies(api: TestClient, project: Project, value: str) -> None:
    body = f'{{"items": [{{"text": "a", "meta": {{"key": {value}}}}}]}}'
    answer = api.post(
        f"/projects/{project.id}/examples",
        content=body.encode(),
        headers={"Content-Type": "application/json"},
    )
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert len(answer.json()["detail"]) > 10


def test_bytes_that_are_no_text(api: TestClient) -> None:
    answer = api.post(
        "/projects", content=b'{"name": "\xff"}', headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 422
    assert "UTF-8" in answer.json()["detail"]


def test_addresses_and_forms(site: Site, ada: User, project: Project) -> None:
    caller, browser = site.caller(ada), site.browser(ada)
    assert caller.get("/projects/a%00b").status_code == 422
    assert caller.get(f"/projects/{project.id}/examples?search=%00").status_code == 422
    assert browser.get(f"/projects/{project.id}/examples?search=a%00").status_code == 422
    answer = browser.post("/projects/new", data={"name": "a\x00", "task": "ner"})
    assert answer.status_code == 422
    assert "NUL" in answer.text


@pytest.mark.parametrize("name", ["a\x00.csv", "语料 🍰 «x».csv", "x" * 1000 + ".csv", "../../etc"])
def test_file_names(site: Site, ada: User, project: Project, name: str) -> None:
    boundary, quoted = b"b", name.encode()
    body = (
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="' + quoted + b'"\r\n\r\n'
        b"text,label\nA line.,good\r\n--b--\r\n"
    )
    answer = site.caller(ada).post(
        f"/projects/{project.id}/imports",
        content=body,
        headers={"Content-Type": f"multipart/form-data; boundary={boundary.decode()}"},
    )
    if "\x00" in name:
        assert answer.status_code in (400, 422), answer.text
    else:
        assert answer.status_code == 202, answer.text
        assert len(answer.json()["filename"]) <= 300


def test_project_names_of_any_script_make_download_names(
    site: Site, ada: User, project: Project
) -> None:
    caller = site.caller(ada)
    answer = caller.patch(f"/projects/{project.id}", json={"name": "评论“х”\u202e🍰"})
    assert answer.status_code == 200
    answer = caller.get(f"/projects/{project.id}/leaderboard.csv")
    answer.headers["content-disposition"].encode("ascii")


ROWS = [
    {"text": "ok", "meta": {"n": 1}},
    {"text": "a\x00"},
    {"text": "ok", "external_id": "x" * 301},
    {"text": "ok", "annotation": {"labels": ["l" * 5000]}},
    {"text": "x" * 1_000_001},
]


def test_rows_of_files_are_refused_one_by_one(
    api: TestClient, project: Project, finish: Finish
) -> None:
    lines = [orjson.dumps({"inputs": row, **row}).decode() for row in ROWS]
    deep = "[" * 80 + "]" * 80
    lines += [
        '{"text": "ok", "meta": {"n": 123456789012345678901}}',
        f'{{"text": "ok", "meta": {{"n": {deep}}}}}',
        '{"text": "ok \\ud800"}',
        '{"text": "ok", "id": 1, "tokens": [[1e400, 2]]}',
    ]
    answer = api.post(
        f"/projects/{project.id}/imports",
        files={"file": ("rows.jsonl", "\n".join(lines).encode())},
        data={"options": '{"on_error": "skip"}'},
    )
    job = finish(answer.json())
    assert job.state == "succeeded", job.error
    report = api.get(f"/projects/{project.id}/imports/{answer.json()['id']}").json()["report"]
    assert [item["row"] for item in report["problems"]] == list(range(2, len(lines) + 1))
    assert all(len(item["message"]) > 10 for item in report["problems"])
    assert count(Example) == 1


def test_a_column_of_ids_taken_for_the_label_is_refused(
    api: TestClient, project: Project, finish: Finish
) -> None:
    lines = ["text,label", *(f"Text {n}.,id-{n}" for n in range(3000))]
    answer = api.post(
        f"/projects/{project.id}/imports",
        files={"file": ("rows.csv", "\n".join(lines).encode())},
    )
    job = finish(answer.json())
    assert job.state == "failed"
    assert "another column" in (job.error or "")


@pytest.mark.parametrize("delimiter", ["ab", ""])
def test_a_delimiter_is_one_character(api: TestClient, project: Project, delimiter: str) -> None:
    options = orjson.dumps({"read": {"delimiter": delimiter}}).decode()
    answer = api.post(
        f"/projects/{project.id}/imports",
        files={"file": ("rows.csv", b"text\na\n")},
        data={"options": options},
    )
    assert answer.status_code == 422
