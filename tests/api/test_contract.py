"""What holds for every address: errors, documentation, headers, bounds."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI

from app.http import bodies
from app.settings import get_settings
from tests.api.conftest import Site
from tests.factories import fill, freeze, labelled_rows, make_project, make_user, open_rows


def operations(application: FastAPI) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in application.openapi()["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def test_every_operation_is_documented(application: FastAPI) -> None:
    found = list(operations(application))
    assert len(found) > 40
    ids = [operation["operationId"] for _method, _path, operation in found]
    assert len(ids) == len(set(ids))
    for method, path, operation in found:
        name = f"{method} {path}"
        assert operation["summary"], name
        assert operation["description"].strip(), name
        assert operation["tags"], name
        every = {"400", "401", "403", "404", "413", "422", "503"}
        assert every <= set(operation["responses"]), name
        for parameter in operation.get("parameters", ()):
            assert parameter.get("description"), f"{name}: {parameter['name']}"


def test_every_operation_refuses_strangers_with_a_problem_document(
    quick_site: Site, application: FastAPI
) -> None:
    stranger = quick_site.anonymous()
    for method, path, _operation in operations(application):
        address = re.sub(r"\{(\w+)\}", "1", path)
        answer = stranger.request(method, address)
        assert answer.status_code == 401, f"{method} {address}: {answer.status_code}"
        assert answer.headers["content-type"] == "application/problem+json"
        body = answer.json()
        assert body["status"] == 401
        assert body["title"] == "Unauthorized"
        assert body["detail"]


@pytest.mark.parametrize(
    ("method", "path", "content", "status"),
    [
        ("GET", "/nowhere", b"", 404),
        ("PUT", "/projects", b"", 405),
        ("POST", "/projects", b"{", 422),
        ("POST", "/projects", b"[]", 422),
        ("POST", "/projects", b"\xff\xfe", 422),
        ("POST", "/projects", b'{"task": "ner", "name": "a\\u0000b"}', 422),
        ("POST", "/projects", b'{"task": "ner", "name": "a\\ud800b"}', 422),
        ("GET", "/projects/x'%20OR%201=1", b"", 404),
        ("GET", "/projects/" + "x" * 500, b"", 422),
        ("GET", "/projects/22/examples?limit=0", b"", 422),
        ("GET", "/projects/22/examples/99999999999999999999", b"", 422),
    ],
)
def test_every_error_is_a_problem_document(
    quick_site: Site, method: str, path: str, content: bytes, status: int
) -> None:
    caller = quick_site.caller(make_user(admin=True))
    answer = caller.request(
        method, path, content=content, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert (body["status"], bool(body["title"]), bool(body["detail"])) == (status, True, True)


@pytest.mark.parametrize(
    ("method", "path", "where"),
    [
        ("GET", "/projects?page=2", "query.page"),
        ("GET", "/projects/1/examples?labels=negative", "query.labels"),
        ("GET", "/projects/1/examples?limit=1&limit=2", "query.limit"),
        ("GET", "/projects/1/leaderboard?versoin=1", "query.versoin"),
        ("POST", "/projects/1/queue/next?after=1", "query.after"),
        ("DELETE", "/projects/1?really=yes", "query.really"),
    ],
)
def test_a_parameter_that_an_address_does_not_take_is_refused(
    quick_site: Site, method: str, path: str, where: str
) -> None:
    refused = quick_site.caller(make_user(admin=True)).request(method, path)
    assert refused.status_code == 422
    assert [problem["where"] for problem in refused.json()["problems"]] == [where]


def test_every_operation_refuses_unknown_parameters(quick_site: Site, application: FastAPI) -> None:
    caller = quick_site.caller(make_user(admin=True))
    for method, path, _operation in operations(application):
        address = re.sub(r"\{(\w+)\}", "1", path).removeprefix("/api/v1")
        refused = caller.request(method, f"{address}?surely_unknown=1")
        assert refused.status_code == 422, f"{method} {path}: {refused.status_code}"


def test_a_parameter_that_takes_several_values_takes_them(quick_site: Site) -> None:
    caller = quick_site.caller(make_user(admin=True))
    assert caller.get("/projects/1/compare?run=1&run=2").status_code == 404


def test_a_field_that_a_form_does_not_have_is_refused(quick_site: Site) -> None:
    ada = make_user(admin=True)
    refused = quick_site.caller(ada).post(
        f"/projects/{make_project(ada).id}/imports",
        files={"file": ("a.txt", b"One.\n")},
        data={"option": "{}"},
    )
    assert refused.status_code == 422
    assert refused.json()["problems"][0]["where"] == "body.option"


@pytest.mark.parametrize(
    ("path", "body", "where"),
    [
        ("runs/1/push", {"repo_id": "a/b", "private": 0}, "body.private"),
        ("runs/1/push", {"repo_id": "a/b", "privat": True}, "body.privat"),
        ("projects/1/queue/next", {"after": False}, "body.after"),
        ("projects/1/queue/next", {"after": "1"}, "body.after"),
        ("projects/1/queue/next", {"after": 1.5}, "body.after"),
        ("projects/1/versions", {"split": {"train": "80"}}, "body.split.train"),
    ],
)
def test_a_value_of_another_type_is_not_taken_for_one_of_the_right(
    quick_site: Site, path: str, body: dict[str, Any], where: str
) -> None:
    refused = quick_site.caller(make_user(admin=True)).post(f"/{path}", json=body)
    assert refused.status_code == 422
    assert [problem["where"] for problem in refused.json()["problems"]] == [where]


def test_a_whole_number_may_be_written_as_json_allows(quick_site: Site) -> None:
    ada = make_user(admin=True)
    path = f"/projects/{make_project(ada).id}/queue/next"
    json = {"Content-Type": "application/json"}
    caller = quick_site.caller(ada)
    assert caller.post(path, content=b'{"after": 1.0}', headers=json).status_code == 204
    assert caller.post(path, content=b'{"after": 1e0}', headers=json).status_code == 204


@pytest.mark.parametrize(
    "meta",
    [
        b"18446744073709551616", b"-9223372036854775809", b"NaN", b"-Infinity", b"1e999",
        b"[" * 300 + b"]" * 300, b'"\\u0000"', b'"\\ud800"',
    ],
)  # fmt: skip
def test_json_that_no_database_can_store_is_refused(quick_site: Site, meta: bytes) -> None:
    ada = make_user(admin=True)
    refused = quick_site.caller(ada).post(
        f"/projects/{make_project(ada).id}/examples",
        content=b'{"items": [{"text": "a", "meta": {"a": ' + meta + b"}}]}",
        headers={"Content-Type": "application/json"},
    )
    assert refused.status_code == 422, refused.text
    assert refused.json()["problems"][0]["where"] == "body"


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/api/v1/projects", {"GET", "HEAD", "OPTIONS", "POST"}),
        ("/api/v1/projects/1", {"DELETE", "GET", "HEAD", "OPTIONS", "PATCH"}),
        ("/api/v1/projects/1/queue/next", {"OPTIONS", "POST"}),
        ("/login", {"GET", "HEAD", "OPTIONS", "POST"}),
    ],
)
def test_an_address_says_which_methods_it_has(
    quick_site: Site, path: str, methods: set[str]
) -> None:
    stranger = quick_site.anonymous()
    asked, refused = stranger.options(path), stranger.request("TRACE", path)
    assert (asked.status_code, refused.status_code) == (204, 405)
    for answer in (asked, refused):
        assert set(answer.headers["allow"].split(", ")) == methods
    kind = "application/problem+json" if path.startswith("/api/") else "text/html"
    assert refused.headers["content-type"].startswith(kind)


def test_head_is_get_without_a_body(quick_site: Site) -> None:
    ada = make_user(admin=True)
    project = make_project(ada)
    fill(project, ada, labelled_rows())
    freeze(project, ada)
    caller = quick_site.caller(ada)
    for path in ("/projects", f"/projects/{project.id}/versions/1/export", "/projects/1"):
        got, head = caller.get(path), caller.head(path)
        assert (head.status_code, head.content) == (got.status_code, b"")
        for name in ("content-type", "etag", "content-length"):
            assert head.headers.get(name) == got.headers.get(name), name
    assert quick_site.browser(ada).head(f"/projects/{project.id}").status_code == 200
    assert quick_site.anonymous().head("/api/v1/me").status_code == 401


def test_errors_speak_the_callers_language(quick_site: Site) -> None:
    answer = quick_site.anonymous().get("/api/v1/me", headers={"Accept-Language": "zh-CN,en;q=0.5"})
    assert answer.status_code == 401
    assert answer.json()["detail"]


def test_pages_allow_no_foreign_and_no_inline_script(quick_site: Site) -> None:
    ada = make_user(admin=True)
    project = make_project(ada)
    fill(project, ada, [*labelled_rows(), *open_rows(1)])
    freeze(project, ada)
    base = f"/projects/{project.id}"
    browser = quick_site.browser(ada)
    for path in (
        "/",
        "/runs",
        "/account",
        "/admin/users",
        "/projects/new",
        "/projects/new?task=srl",
        "/api/docs",
        base,
        f"{base}/label",
        f"{base}/examples",
        f"{base}/import",
        f"{base}/versions",
        f"{base}/versions/1",
        f"{base}/versions/1/train",
        f"{base}/runs",
        f"{base}/settings",
    ):
        answer = browser.get(path)
        assert answer.status_code == 200, path
        policy = answer.headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        for attributes, content in re.findall(
            r"<script\b([^>]*)>(.*?)</script>", answer.text, re.S
        ):
            assert not content.strip() or 'type="application/json"' in attributes, path
        assert not re.search(r"<[^>]+\s(?:on\w+|style)=", answer.text), path
        assert not re.search(r'(?:src|href)="https?://', answer.text), path


def test_the_documentation_names_every_operation(quick_site: Site, application: FastAPI) -> None:
    page = quick_site.anonymous().get("/api/docs").text
    for method, path, operation in operations(application):
        assert f'id="{operation["operationId"]}"' in page, f"{method} {path}"
    links = set(re.findall(r'href="#([^"]+)"', page)) - {"main"}
    assert links <= set(re.findall(r'id="([^"]+)"', page))


def test_a_body_over_its_bound_is_refused(
    quick_site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = make_user(admin=True)
    project = make_project(ada)
    monkeypatch.setenv("ANNOTUNE_MAX_UPLOAD_MB", "1")
    monkeypatch.setattr(bodies, "MAX_BODY", 1000)
    get_settings.cache_clear()
    caller = quick_site.caller(ada)
    path = f"/projects/{project.id}"

    def chunks() -> Iterator[bytes]:
        yield b'{"items": [{"text": "'
        for _ in range(50):
            yield b"x" * 100
        yield b'"}]}'

    json = {"Content-Type": "application/json"}
    answers = [
        caller.post(f"{path}/imports", files={"file": ("a.txt", b"x" * 1_500_000)}),
        caller.post(f"{path}/imports", files={"file": ("a.txt", b"x" * 2_500_000)}),
        caller.post(f"{path}/examples", json={"items": [{"text": "x" * 2000}]}),
        caller.post(f"{path}/examples", content=chunks(), headers=json),
    ]
    for number, answer in enumerate(answers):
        assert answer.status_code == 413, f"{number}: {answer.text}"
        assert answer.headers["content-type"] == "application/problem+json"
        assert "larger than" in answer.json()["detail"]
    assert (
        quick_site.browser(ada).post("/account/password", data={"current": "x" * 2000}).status_code
        == 413
    )
