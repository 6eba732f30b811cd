"""Who may come in, and how they are known."""

import json
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import unquote

import pytest
from fastapi.testclient import TestClient

from app.db import session_scope
from app.http.identity import COOKIE
from app.models import ApiToken, LoginSession, User
from app.security.secrets import csrf_token
from app.settings import get_settings
from tests.api.conftest import Site
from tests.factories import PASSWORD, make_user


def log_in(client: TestClient, email: str, password: str = PASSWORD) -> int:
    return client.post("/login", data={"email": email, "password": password}).status_code


def test_strangers_are_sent_to_the_login_and_the_api_says_401(site: Site) -> None:
    stranger = site.anonymous()
    page = stranger.get("/runs")
    assert (page.status_code, page.headers["location"]) == (303, "/login?next=/runs")
    fragment = stranger.get("/runs", headers={"HX-Request": "true"})
    assert fragment.headers["HX-Redirect"] == "/login?next=/runs"
    answer = stranger.get("/api/v1/projects")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.headers["content-type"] == "application/problem+json"


def test_logging_in_gives_a_cookie_that_scripts_and_other_sites_cannot_use(
    site: Site, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANNOTUNE_SECURE_COOKIES", "true")
    get_settings.cache_clear()
    answer = site.anonymous().post(
        "/login", data={"email": "ADA@example.org ", "password": PASSWORD}
    )
    assert answer.status_code == 303
    flags = {part.strip().lower() for part in answer.headers["set-cookie"].split(";")[1:]}
    assert {"httponly", "secure", "samesite=lax", "path=/"} <= flags


def test_only_hashes_of_cookies_tokens_and_passwords_are_stored(site: Site, ada: User) -> None:
    client = site.anonymous()
    log_in(client, ada.email)
    secret = client.cookies[COOKIE]
    token = site.caller(ada).headers["Authorization"].removeprefix("Bearer ")
    with session_scope(read_only=True) as session:
        rows = [*session.query(LoginSession), *session.query(ApiToken), *session.query(User)]
        stored = str([{c.key: getattr(r, c.key) for c in r.__table__.columns} for r in rows])
    assert secret not in stored
    assert token not in stored
    assert PASSWORD not in stored
    assert "$argon2id$" in stored


def test_logging_out_ends_the_session_at_once(site: Site, ada: User) -> None:
    browser = site.browser(ada)
    secret = browser.cookies[COOKIE]
    assert browser.get("/").status_code == 200
    browser.post("/logout")
    browser.cookies.set(COOKIE, secret)
    assert browser.get("/").status_code == 303


def test_a_wrong_address_and_a_wrong_password_sound_the_same(site: Site, ada: User) -> None:
    pages = [
        site.anonymous().post("/login", data={"email": email, "password": "wrong"}).text
        for email in (ada.email, "eve@example.org")
    ]
    assert pages[0].replace(ada.email, "") == pages[1].replace("eve@example.org", "")


ELSEWHERE = (
    "//evil.example",
    "https://evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    " //evil.example",
    "/\r\nSet-Cookie: x=y",
    "///evil.example",
    "javascript:alert(1)",
    "/%09/evil.example\x7f",
    "",
)


@pytest.mark.parametrize("target", ELSEWHERE)
def test_the_login_leads_to_no_other_site(site: Site, ada: User, target: str) -> None:
    data = {"email": ada.email, "password": PASSWORD, "next": target}
    assert site.anonymous().post("/login", data=data).headers["location"] == "/"
    there = site.browser(ada).get("/login", params={"next": target})
    assert there.headers["location"] == "/"
    preferences = site.anonymous().post("/preferences", data={"next": target})
    assert preferences.headers["location"] == "/"


@pytest.mark.parametrize("target", ["/runs", "/projects/abc?tab=x#y", "/runs?q=//x", "/项目"])
def test_the_login_leads_on_to_a_page_of_ours(site: Site, ada: User, target: str) -> None:
    data = {"email": ada.email, "password": PASSWORD, "next": target}
    location = site.anonymous().post("/login", data=data).headers["location"]
    assert unquote(location) == target


def test_a_session_that_was_planted_before_is_not_the_one_after_logging_in(
    site: Site, ada: User
) -> None:
    eve = make_user("Eve")
    planted = site.browser(eve).cookies[COOKIE]
    victim = site.anonymous()
    victim.cookies.set(COOKIE, "made-up-by-another-site")
    assert log_in(victim, ada.email) == 303
    assert victim.cookies.get(COOKIE, domain="testserver.local") != "made-up-by-another-site"
    made_up = site.anonymous(cookies={COOKIE: "made-up-by-another-site"})
    assert made_up.get("/").status_code == 303
    # Logging in as another person ends the session that the browser had.
    browser = site.anonymous(cookies={COOKIE: planted})
    browser.headers["X-CSRF-Token"] = csrf_token(planted)
    assert log_in(browser, ada.email) == 303
    assert site.anonymous(cookies={COOKIE: planted}).get("/").status_code == 303


def test_a_token_that_reads_changes_nothing(site: Site, ada: User) -> None:
    reader = site.caller(ada, "read")
    assert reader.get("/projects").status_code == 200
    for answer in (
        reader.post("/projects", json={"task": "ner", "name": "No"}),
        reader.post("/tokens", json={"name": "more", "scopes": ["read", "write"]}),
        reader.post("/users", json={"email": "bo@example.org", "name": "Bo", "password": PASSWORD}),
    ):
        assert answer.status_code == 403
        assert "only read" in answer.json()["detail"]


@pytest.mark.parametrize("scopes", [["write"], [], ["read", "admin"]])
def test_a_token_reads_at_least(api: TestClient, scopes: list[str]) -> None:
    made = api.post("/tokens", json={"name": "CI", "scopes": scopes, "password": PASSWORD})
    assert made.status_code == 422
    assert "scopes" in json.dumps(made.json()["problems"])
    assert [token["name"] for token in api.get("/tokens").json()["items"]] == ["test"]


def test_nobody_revokes_the_token_of_another(site: Site, ada: User, api: TestClient) -> None:
    token = api.get("/tokens").json()["items"][0]["id"]
    assert site.caller(make_user("Bo")).delete(f"/tokens/{token}").status_code == 404


def test_a_closed_account_is_out_at_once(site: Site, ada: User, api: TestClient) -> None:
    bo = make_user("Bo")
    browser, program = site.browser(bo), site.caller(bo)
    assert api.patch(f"/users/{bo.id}", json={"is_active": False}).status_code == 204
    assert browser.get("/").status_code == 303
    assert program.get("/me").status_code == 401
    assert log_in(site.anonymous(), bo.email) == 422


def test_two_administrators_who_add_the_same_person_at_once(site: Site, ada: User) -> None:
    form = {"email": "bo@example.org", "name": "Bo", "password": "a long enough one"}
    browsers = [site.browser(ada) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda b: b.post("/admin/users", data=form).status_code, browsers))
    assert sorted(answers) == [303, 422, 422, 422]


def test_a_new_password_logs_other_browsers_out(site: Site, ada: User) -> None:
    here, elsewhere = site.browser(ada), site.browser(ada)
    words = {"current": PASSWORD, "password": "another fine password"}
    assert here.post("/account/password", data=words).status_code == 303
    assert here.get("/").status_code == 200
    assert elsewhere.get("/").status_code == 303


# -- forgery -------------------------------------------------------------------------------------


def test_a_session_changes_nothing_without_the_pages_own_token(site: Site, ada: User) -> None:
    browser = site.browser(ada)
    token = browser.headers.pop("X-CSRF-Token")
    wish = {"task": "ner", "name": "Forged"}
    assert browser.post("/api/v1/projects", json=wish).status_code == 403
    assert browser.post("/demo").status_code == 403
    assert browser.post("/demo", data={"csrf_token": "wrong"}).status_code == 403
    assert browser.post("/demo", headers={"X-CSRF-Token": "nöt".encode()}).status_code == 403
    assert browser.get("/api/v1/projects").json()["items"] == []
    assert browser.post("/logout", data={"csrf_token": token}).status_code == 303


def test_another_site_can_neither_log_in_nor_set_up(quick_site: Site) -> None:
    make_user("Ada")
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        answer = quick_site.anonymous().post(
            "/login", data={"email": "ada@example.org", "password": PASSWORD}, headers=headers
        )
        assert answer.status_code == 403
        assert "set-cookie" not in answer.headers
