"""Behind reverse proxies: whose address counts, which pages are our own, and what links and cookies say."""

from typing import Any

import pytest
from fastapi.testclient import TestClient
from pydantic import ValidationError

from app.db import session_scope
from app.models import ApiToken, User
from app.settings import Settings, get_settings
from tests.api.conftest import Site
from tests.factories import (
    PASSWORD,
    fill,
    freeze,
    labelled_rows,
    make_project,
    make_token,
    make_user,
)

PROXY, CALLER = "10.0.0.2", "203.0.113.7"
PUBLIC = "https://annotune.example.org"


@pytest.fixture
def ada(quick_site: Site) -> User:
    return make_user("Ada", admin=True)


def configure(monkeypatch: pytest.MonkeyPatch, **settings: str) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(f"ANNOTUNE_{name.upper()}", value)
    get_settings.cache_clear()


def used_from(site: Site, user: User, peer: str, forwarded: list[str]) -> str | None:
    """The caller's address as the page of tokens tells it."""
    headers = [("Authorization", f"Bearer {make_token(user)}")]
    headers += [("X-Forwarded-For", value) for value in forwarded]
    client = site.anonymous(client=(peer, 1234))
    assert client.get("/api/v1/me", headers=headers).status_code == 200
    with session_scope(read_only=True) as session:
        return session.query(ApiToken).filter(ApiToken.used_at.is_not(None)).one().used_from


@pytest.mark.parametrize(
    ("trusted", "peer", "forwarded", "address"),
    [
        ("", PROXY, [CALLER], PROXY),  # nobody is believed who is not named
        (PROXY, CALLER, ["192.0.2.1"], CALLER),
        (PROXY, PROXY, [CALLER], CALLER),
        (PROXY, PROXY, [f"192.0.2.1, {CALLER}"], CALLER),  # the first one the caller made up
        (PROXY, PROXY, ["192.0.2.1", CALLER], CALLER),  # the same in two headers
        ("10.0.0.0/8", PROXY, [f"192.0.2.1, {CALLER}, 10.9.9.9"], CALLER),  # two proxies
        ("10.0.0.2", PROXY, [f"{CALLER}, 10.9.9.9"], "10.9.9.9"),  # of which one is not ours
        (PROXY, PROXY, [f"{CALLER}:50123"], CALLER),
        (PROXY, PROXY, ["[2001:db8::7]:50123"], "2001:db8::7"),
        ("::1, 10.0.0.0/8", PROXY, ["2001:db8::7"], "2001:db8::7"),
        (PROXY, PROXY, [], PROXY),
    ],
)
def test_the_callers_address_is_what_trusted_proxies_say(
    quick_site: Site,
    ada: User,
    monkeypatch: pytest.MonkeyPatch,
    trusted: str,
    peer: str,
    forwarded: list[str],
    address: str,
) -> None:
    configure(monkeypatch, trusted_proxies=trusted)
    assert used_from(quick_site, ada, peer, forwarded) == address


def test_typos_behind_a_trusted_proxy_count_for_the_person_alone(
    quick_site: Site, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(monkeypatch, trusted_proxies=PROXY)

    def enter(address: str, password: str) -> int:
        client = quick_site.anonymous(client=(PROXY, 1234))
        form = {"email": ada.email, "password": password}
        return client.post("/login", data=form, headers={"X-Forwarded-For": address}).status_code

    assert [enter(CALLER, "wrong") for _ in range(6)] == [422] * 5 + [429]
    assert enter("203.0.113.8", PASSWORD) == 303


@pytest.mark.parametrize(
    "wrong",
    [
        {"trusted_proxies": "nginx"},
        {"trusted_proxies": "10.0.0.0/33"},
        {"public_url": "annotune.example.org"},
        {"public_url": "https://example.org/annotune"},
        {"public_url": "https://ada:secret@example.org"},
    ],
)
def test_settings_that_would_trust_nobody_or_link_nowhere_are_refused(
    quick_site: Site, monkeypatch: pytest.MonkeyPatch, wrong: dict[str, str]
) -> None:
    configure(monkeypatch, **wrong)
    with pytest.raises(ValidationError):
        Settings()


# -- our own pages -------------------------------------------------------------------------------


def enter(client: TestClient, **headers: str) -> int:
    form = {"email": "ada@example.org", "password": PASSWORD}
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.post("/login", data=form, headers=names).status_code


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": PUBLIC}, 303),  # a proxy that does not keep Host, by plain HTTP to us
        ({"origin": PUBLIC, "sec_fetch_site": "same-origin"}, 303),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "https://annotune.example.org.evil.example"}, 403),
        ({"origin": "http://annotune.example.org"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": PUBLIC, "sec_fetch_site": "cross-site"}, 403),
        ({"origin": "https://wiki.example.org", "sec_fetch_site": "same-site"}, 403),
        ({}, 303),  # a program
    ],
)
def test_a_public_url_makes_log_in_possible_behind_a_proxy_that_changes_the_host(
    quick_site: Site,
    ada: User,
    monkeypatch: pytest.MonkeyPatch,
    headers: dict[str, str],
    status: int,
) -> None:
    configure(monkeypatch, public_url=f"{PUBLIC}/")
    client = quick_site.anonymous(base_url="http://127.0.0.1:8000")
    assert enter(client, **headers) == status


def test_without_a_public_url_a_browsers_own_word_is_enough(quick_site: Site, ada: User) -> None:
    client = quick_site.anonymous(base_url="http://127.0.0.1:8000")
    assert enter(client, origin=PUBLIC, sec_fetch_site="same-origin") == 303
    client = quick_site.anonymous(base_url="http://127.0.0.1:8000")
    assert enter(client, origin="http://127.0.0.1:8000") == 303
    client = quick_site.anonymous(base_url="http://127.0.0.1:8000")
    assert enter(client, origin=PUBLIC) == 403


def test_another_site_uses_no_session_even_with_the_pages_token(
    quick_site: Site, ada: User
) -> None:
    browser = quick_site.browser(ada)
    assert browser.post("/demo", headers={"Origin": "https://evil.example"}).status_code == 403


# -- HTTPS ---------------------------------------------------------------------------------------


def cookies(answer: Any) -> dict[str, set[str]]:
    """The flags of each cookie that is set."""
    found = {}
    for line in answer.headers.get_list("set-cookie"):
        name, _equals, rest = line.partition("=")
        found[name] = {part.strip().lower() for part in rest.split(";")[1:]}
    return found


@pytest.mark.parametrize("how", ["public_url", "forwarded", "secure_cookies"])
def test_with_https_cookies_are_secure_and_no_other_host_can_plant_them(
    quick_site: Site, ada: User, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    headers = {}
    if how == "public_url":
        configure(monkeypatch, public_url=PUBLIC)
    elif how == "forwarded":
        configure(monkeypatch, trusted_proxies=PROXY)
        headers = {"X-Forwarded-Proto": "https"}
    else:
        configure(monkeypatch, secure_cookies="true")
    client = quick_site.anonymous(client=(PROXY, 1), base_url="https://annotune.example.org")
    answer = client.post("/login", data={"email": ada.email, "password": PASSWORD}, headers=headers)
    given = cookies(answer)
    assert set(given) == {"__Host-annotune_session", "__Host-annotune_browser"}
    for flags in given.values():
        assert {"httponly", "secure", "samesite=lax", "path=/"} <= flags
        assert not any(flag.startswith("domain") for flag in flags)
    assert client.get("/", headers=headers).status_code == 200
    planted = quick_site.anonymous(base_url="https://annotune.example.org")
    planted.cookies.set("annotune_session", client.cookies["__Host-annotune_session"])
    assert planted.get("/", headers=headers).status_code in (
        (303,) if how != "forwarded" else (200, 303)
    )


def test_plain_http_keeps_plain_cookies_and_promises_no_https(quick_site: Site, ada: User) -> None:
    client = quick_site.anonymous()
    answer = client.post("/login", data={"email": ada.email, "password": PASSWORD})
    assert all("secure" not in flags for flags in cookies(answer).values())
    assert "strict-transport-security" not in client.get("/").headers


def test_an_https_address_is_promised_to_browsers(
    quick_site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(monkeypatch, public_url=PUBLIC)
    for path in ("/login", "/static/css/base.css", "/api/v1/me"):
        promise = quick_site.anonymous().get(path).headers["strict-transport-security"]
        assert promise == "max-age=31536000"


def test_links_name_the_public_address(
    quick_site: Site, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_project(ada)
    fill(project, ada, labelled_rows())
    freeze(project, ada)
    plain = quick_site.browser(ada).get(f"/projects/{project.id}/versions/1").text
    assert "http://testserver/api/v1/projects" in plain
    program = quick_site.caller(ada)
    configure(monkeypatch, public_url=PUBLIC)
    headers = {"Authorization": program.headers["Authorization"]}
    page = quick_site.anonymous().get(f"/projects/{project.id}/versions/1", headers=headers).text
    assert f"{PUBLIC}/api/v1/projects" in page
    assert "testserver" not in page
    assert f"{PUBLIC}/api/v1" in quick_site.anonymous().get("/api/docs", headers=headers).text
