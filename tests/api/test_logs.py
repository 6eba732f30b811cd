"""Logs: who, from where, which request; no secrets; and never the reason why a request fails."""

import io
import json
import logging
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog

from app.http import logs
from app.settings import get_settings
from tests.api.conftest import Site
from tests.conftest import serving
from tests.factories import PASSWORD, make_project, make_user

Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Lines]:
    """What is logged from now on, as JSON."""
    before, root = structlog.get_config(), logging.getLogger().handlers[:]
    monkeypatch.setenv("ANNOTUNE_LOG_JSON", "true")
    get_settings.cache_clear()
    logs.configure()
    said: list[str] = []

    def lines() -> list[dict[str, Any]]:
        said.extend(capsys.readouterr().err.splitlines())
        return [json.loads(line) for line in said]

    yield lines
    structlog.configure(**before)
    logging.getLogger().handlers[:] = root


def test_a_line_says_who_asked_from_where_with_the_id_that_the_answer_carries(
    quick_site: Site, logged: Lines
) -> None:
    ada = make_user("Ada", admin=True)
    answer = quick_site.caller(ada).get("/audit?person=secret-word")
    (line,) = [line for line in logged() if line["event"] == "request"]
    assert line["request"] == answer.headers["X-Request-Id"]
    assert (line["person"], line["address"]) == (ada.id, "testclient")
    assert (line["method"], line["path"], line["status"]) == ("GET", "/api/v1/audit", 200)
    assert "secret-word" not in json.dumps(logged())


def test_log_ins_and_refusals_are_events_without_what_was_typed(
    quick_site: Site, logged: Lines
) -> None:
    ada = make_user("Ada")

    def log_in(email: str, password: str) -> None:
        quick_site.anonymous().post("/login", data={"email": email, "password": password})

    log_in(ada.email, PASSWORD)
    log_in(ada.email, "wrong horse battery")
    log_in("my-password@typed-here", "x")
    quick_site.anonymous().get("/api/v1/projects", headers={"Authorization": "Bearer ann_bad"})
    make_project(make_user("Cy", admin=True))
    quick_site.caller(ada).get("/users")
    others = {"request", "data_closed_to_others"}
    events = [line for line in logged() if line["event"] not in others]
    assert [(line["event"], line.get("reason"), line.get("person")) for line in events] == [
        ("login", None, ada.id),
        ("login_refused", "wrong password", ada.id),
        ("login_refused", "no such account", None),
        ("refused", "The API token is unknown or revoked.", None),
        ("refused", "Only an administrator may do this.", ada.id),
    ]
    assert all(line["address"] == "testclient" and line["request"] for line in events)
    said = json.dumps(logged())
    for secret in (PASSWORD, "wrong horse", "my-password", "ann_bad"):
        assert secret not in said


def test_what_somebody_sends_cannot_look_like_a_line_of_its_own(
    quick_site: Site,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    logged: Lines,
) -> None:
    monkeypatch.setenv("ANNOTUNE_LOG_JSON", "false")
    get_settings.cache_clear()
    logs.configure()
    quick_site.anonymous().get("/x%0A2026-01-01 [info] login person=ada%1B[2J")
    structlog.get_logger().info("typed", name="a\nb\x1b[2J\u2028c")
    text = capsys.readouterr().err
    assert len(text.splitlines()) == 2
    assert "\x1b" not in text


class _Full(io.StringIO):
    def write(self, _text: str) -> int:
        raise OSError(28, "No space left on device")


class _Odd:
    def __repr__(self) -> str:
        raise RuntimeError("cannot be shown")


def test_logging_never_fails_a_request(
    quick_site: Site, monkeypatch: pytest.MonkeyPatch, logged: Lines
) -> None:
    structlog.get_logger().info("odd", value=_Odd(), half="\ud800")
    monkeypatch.setattr(sys, "stderr", _Full())
    assert quick_site.anonymous().get("/login").status_code == 200
    logging.getLogger("somebody").warning("nobody hears it")
    sys.stderr.close()
    assert quick_site.anonymous().get("/login").status_code == 200


def test_the_servers_own_warnings_are_lines_of_the_same_form(
    quick_site: Site, logged: Lines
) -> None:
    with serving(quick_site._application):
        logs.configure()  # as create_app does inside the server's start
        logging.getLogger("uvicorn.error").error("Exception in ASGI application")
    (line,) = [line for line in logged() if line.get("logger") == "uvicorn.error"]
    assert (line["level"], line["event"]) == ("error", "Exception in ASGI application")
