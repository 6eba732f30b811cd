"""What a request may bring, how fast, and from whom."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import httpx
import pytest
from fastapi import FastAPI

from app.http import bodies, server
from app.models import Project, User
from app.settings import get_settings
from tests.api.conftest import Site
from tests.conftest import serving, wait_for
from tests.factories import make_project, make_token, make_user

JSON = "application/problem+json"


@pytest.fixture
def mei(quick_site: Site) -> User:
    return make_user("Mei", admin=True)


@pytest.fixture
def project(mei: User) -> Project:
    return make_project(mei, "srl")


class Endless:
    """A body that would go on for ever; it knows how much of it was read."""

    def __init__(self, head: bytes = b"") -> None:
        self.head = head
        self.taken = 0

    def __iter__(self) -> Iterator[bytes]:
        yield self.head
        while self.taken < 64 << 20:
            self.taken += 1 << 16
            yield b"x" * (1 << 16)


MULTIPART = "multipart/form-data; boundary=b"
FILE = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n'


def test_a_file_of_somebody_unknown_is_not_read(quick_site: Site, project: Project) -> None:
    for path in (
        f"/api/v1/projects/{project.id}/imports",
        f"/api/v1/projects/{project.id}/rolesets",
        "/api/v1/runs/abc/evaluate/file",
    ):
        body = Endless(FILE)
        answer = quick_site.anonymous().post(
            path, content=iter(body), headers={"Content-Type": MULTIPART}
        )
        assert answer.status_code == 401, path
        assert answer.headers["content-type"] == JSON
        assert answer.headers["www-authenticate"] == "Bearer"
        assert body.taken <= 1 << 16, f"{path}: {body.taken} bytes were read"
    for path in (
        f"/projects/{project.id}/import",
        f"/projects/{project.id}/frames",
        "/runs/abc/evaluate/file",
    ):
        body = Endless(FILE)
        answer = quick_site.anonymous().post(
            path, content=iter(body), headers={"Content-Type": MULTIPART}
        )
        assert (answer.status_code, answer.headers["location"][:6]) == (303, "/login"), path
        assert body.taken <= 1 << 16


def test_a_file_is_read_only_where_one_is_expected(
    quick_site: Site, mei: User, project: Project
) -> None:
    caller = quick_site.caller(mei)
    for path in ("/projects", f"/projects/{project.id}/examples"):
        body = Endless(FILE)
        answer = caller.post(path, content=iter(body), headers={"Content-Type": MULTIPART})
        assert answer.status_code == 415, path
        assert answer.headers["content-type"] == JSON
        assert "JSON" in answer.json()["detail"]
        assert body.taken <= 1 << 16
    browser = quick_site.browser(mei)
    answer = browser.post("/account/password", files={"file": b"x"})
    assert answer.status_code == 415
    assert "form without files" in answer.text
    answer = quick_site.anonymous().post("/login", files={"email": b"x"})
    assert answer.status_code == 415


@pytest.mark.parametrize(
    "media", ["text/plain", "application/x-www-form-urlencoded", "application/xml", ""]
)
def test_the_api_takes_json(quick_site: Site, mei: User, media: str) -> None:
    answer = quick_site.caller(mei).post(
        "/projects", content=b'{"name": "a", "task": "ner"}', headers={"Content-Type": media}
    )
    assert answer.status_code == 415
    assert answer.headers["content-type"] == JSON


def test_strangers_bring_little(quick_site: Site, application: FastAPI) -> None:
    stranger = quick_site.anonymous()
    form = {"email": "a@example.org", "password": "x" * bodies.MAX_ANONYMOUS}
    assert stranger.post("/login", data=form).status_code == 303
    answer = stranger.post("/api/v1/projects", json={"name": "x" * bodies.MAX_ANONYMOUS})
    assert answer.status_code == 401
    with serving(application) as address, connected(address) as wire:
        wire.sendall(
            b"POST /api/v1/projects HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
            b"Content-Type: application/json\r\n\r\n"
        )
        for _ in range(bodies.MAX_ANONYMOUS // 1024 + 1):
            wire.sendall(b"400\r\n" + b"[" * 1024 + b"\r\n")
        assert b" 401 " in wire.recv(100)


def test_refusals_speak_the_callers_language(quick_site: Site) -> None:
    answer = quick_site.anonymous().post(
        "/api/v1/projects", content=b"x", headers={"Accept-Language": "zh", "Content-Type": "a/b"}
    )
    assert "JSON" in answer.json()["detail"]
    assert "This address" not in answer.json()["detail"]


def test_uploads_at_once_are_bounded(
    quick_site: Site,
    mei: User,
    project: Project,
    application: FastAPI,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bodies, "MAX_UPLOADS_EACH", 2)
    headers = {"Authorization": f"Bearer {make_token(mei)}", "Content-Type": MULTIPART}
    going_on = threading.Event()
    arrived = []

    def slow_body() -> Iterator[bytes]:
        yield FILE + b"first "
        arrived.append(1)
        going_on.wait(30)
        yield b"last\r\n--b--\r\n"

    statuses: list[int] = []
    with serving(application) as address:
        url = f"{address}/api/v1/projects/{project.id}/imports"

        def upload() -> None:
            statuses.append(httpx.post(url, content=slow_body(), headers=headers).status_code)

        threads = [threading.Thread(target=upload) for _ in range(2)]
        for thread in threads:
            thread.start()
        wait_for(lambda: len(arrived) == 2)
        whole = FILE + b"all\r\n--b--\r\n"

        def refused() -> bool:  # the server may not have met the other two yet
            answer = httpx.post(url, content=whole, headers=headers)
            if answer.status_code != 503:
                return False
            assert answer.headers["retry-after"] == "5"
            assert answer.headers["content-type"] == JSON
            return True

        wait_for(refused)
        going_on.set()
        for thread in threads:
            thread.join(30)
        assert statuses == [202, 202]
        assert httpx.post(url, content=whole, headers=headers).status_code == 202


# -- slow senders and receivers ------------------------------------------------------------------


@contextmanager
def connected(address: str) -> Iterator[socket.socket]:
    parts = urlsplit(address)
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=30) as wire:
        yield wire


def answer_of(wire: socket.socket) -> bytes:
    """All that comes until the other side closes the connection."""
    pieces = []
    try:
        while piece := wire.recv(65536):
            pieces.append(piece)
    except ConnectionResetError:
        pass
    return b"".join(pieces)


def drip(wire: socket.socket, piece: bytes, *, every: float, until: float) -> float:
    """Send a piece again and again; after how many seconds the other side had enough."""
    started = time.monotonic()
    while time.monotonic() - started < until:
        try:
            wire.sendall(piece)
            wire.settimeout(every)
            if wire.recv(1, socket.MSG_PEEK) or True:
                break
        except TimeoutError:
            continue
        except OSError:
            break
    wire.settimeout(30)
    return time.monotonic() - started


@pytest.fixture
def impatient(
    quick_site: Site, application: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """A server with little patience."""
    monkeypatch.setattr(server, "HEADER_SECONDS", 1.0)
    monkeypatch.setattr(server, "DRAIN_SECONDS", 1.0)
    monkeypatch.setattr(server, "WRITE_SECONDS", 1.0)
    monkeypatch.setattr(bodies, "GRACE_SECONDS", 1.0)
    with serving(application) as address:
        yield address


def test_a_connection_that_says_nothing_ends(impatient: str) -> None:
    with connected(impatient) as wire:
        assert answer_of(wire) == b""


@pytest.mark.parametrize("piece", [b"X-A: b\r\n", b"a", b"\r\n"])
def test_a_head_that_drips_in_ends(impatient: str, piece: bytes) -> None:
    with connected(impatient) as wire:
        wire.sendall(b"GET / HTTP/1.1\r\n" if piece != b"\r\n" else b"")
        assert drip(wire, piece, every=0.1, until=20) < 15
        found = answer_of(wire)
        assert found.startswith(b"HTTP/1.1 408 ") or found == b""


def test_a_kept_connection_does_not_wait_for_a_dripping_head_either(impatient: str) -> None:
    with connected(impatient) as wire:
        wire.sendall(b"GET /login HTTP/1.1\r\nHost: a\r\n\r\n")
        assert wire.recv(100).startswith(b"HTTP/1.1 200")
        while b"</html>" not in wire.recv(65536):
            pass
        wire.sendall(b"GET / HTTP/1.1\r\n")
        drip(wire, b"A: b\r\n", every=0.1, until=20)
        assert b"408" in answer_of(wire)[:20]


def test_a_body_that_drips_in_is_answered_in_words(impatient: str) -> None:
    with connected(impatient) as wire:
        wire.sendall(
            b"POST /api/v1/projects HTTP/1.1\r\nHost: a\r\nContent-Length: 10000\r\n"
            b"Content-Type: application/json\r\n\r\n"
        )
        assert drip(wire, b"1", every=0.1, until=20) < 15
        found = answer_of(wire)
        assert found.startswith(b"HTTP/1.1 408 ")
        assert b"application/problem+json" in found
        assert b"too slowly" in found


def test_the_rest_of_a_refused_body_is_not_waited_for(impatient: str) -> None:
    with connected(impatient) as wire:
        wire.sendall(
            b"POST /api/v1/projects HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000\r\n"
            b"Content-Type: multipart/form-data; boundary=b\r\n\r\n"
        )
        assert b" 415 " in wire.recv(100)
        assert drip(wire, b"1", every=0.1, until=20) < 15
        assert wire.recv(65536)
        started = time.monotonic()
        answer_of(wire)
        assert time.monotonic() - started < 15


def test_a_head_without_end_is_refused(impatient: str) -> None:
    with connected(impatient) as wire:
        wire.sendall(b"GET / HTTP/1.1\r\n" + b"A: " + b"b" * (server.MAX_HEADER_BYTES + 1))
        assert answer_of(wire).startswith(b"HTTP/1.1 4")


def test_quick_senders_are_served(impatient: str) -> None:
    with connected(impatient) as wire:
        for _ in range(3):
            wire.sendall(
                b"POST /api/v1/projects HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n"
                b"Content-Type: application/json\r\n\r\n{}"
            )
            assert b" 401 " in wire.recv(4096)


def test_connections_are_bounded(
    quick_site: Site, application: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANNOTUNE_MAX_CONNECTIONS", "10")
    get_settings.cache_clear()
    with serving(application) as address:
        open_ones = []
        for _ in range(10):
            parts = urlsplit(address)
            open_ones.append(socket.create_connection((parts.hostname or "", parts.port or 0)))

        def refused() -> bool:
            with connected(address) as wire:
                wire.sendall(b"GET /login HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                found = answer_of(wire)
            return found.startswith(b"HTTP/1.1 503") and b"retry-after" in found

        wait_for(refused)
        for wire in open_ones:
            wire.close()
        wait_for(lambda: httpx.get(f"{address}/login").status_code == 200)
