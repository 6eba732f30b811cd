"""API tokens: made with the password, for a time, and what ends them."""

from datetime import datetime, timedelta

import pytest
from fastapi.testclient import TestClient

from app.db import session_scope
from app.models import ApiToken, User, now
from app.services import accounts
from tests.api.conftest import Site
from tests.factories import PASSWORD, actor, count, make_token, make_user


def user_of(site: Site, secret: str, address: str = "203.0.113.7") -> int:
    client = site.anonymous(headers={"Authorization": f"Bearer {secret}"}, client=(address, 40000))
    return client.get("/api/v1/me").status_code


def test_a_token_works_until_it_is_revoked(site: Site, ada: User, api: TestClient) -> None:
    made = api.post("/tokens", json={"name": "nightly", "password": PASSWORD}).json()
    assert made["secret"].startswith("ann_")
    assert made["scopes"] == ["read"]
    assert user_of(site, made["secret"]) == 200
    listed = api.get("/tokens").json()["items"]
    assert "secret" not in str(listed)
    assert listed[0]["used_from"] == "203.0.113.7"
    assert listed[0]["used_at"]
    assert api.delete(f"/tokens/{made['id']}").status_code == 204
    assert user_of(site, made["secret"]) == 401


@pytest.mark.parametrize(("wish", "days"), [({}, 90), ({"days": 7}, 7), ({"days": 366}, 366)])
def test_a_token_expires(site: Site, api: TestClient, wish: dict[str, int], days: int) -> None:
    made = api.post("/tokens", json={"name": "x", "password": PASSWORD, **wish}).json()
    until = datetime.fromisoformat(made["expires_at"])
    assert timedelta(days=days, minutes=-5) < until - now() <= timedelta(days=days)
    assert user_of(site, made["secret"]) == 200
    with session_scope() as session:
        session.get_one(ApiToken, made["id"]).expires_at = now()
    assert user_of(site, made["secret"]) == 401
    assert made["id"] not in str(api.get("/tokens").json())


@pytest.mark.parametrize("days", [0, -1, 367, 10**12])
def test_a_token_that_never_expires_is_not_made(api: TestClient, days: int) -> None:
    wish = {"name": "x", "password": PASSWORD, "days": days}
    assert api.post("/tokens", json=wish).status_code == 422


def test_making_a_token_asks_for_the_password(site: Site, ada: User, api: TestClient) -> None:
    before = count(ApiToken)
    assert api.post("/tokens", json={"name": "x"}).status_code == 422
    wrong = api.post("/tokens", json={"name": "x", "password": "guess"})
    assert wrong.status_code == 422
    assert wrong.json()["problems"][0]["where"] == "password"
    page = site.browser(ada).post("/account/tokens", data={"name": "x", "token_password": "guess"})
    assert page.status_code == 422
    assert "ann_" not in page.text
    assert count(ApiToken) == before
    form = {"name": "of the page", "token_password": PASSWORD, "days": "7", "scope": "write"}
    page = site.browser(ada).post("/account/tokens", data=form)
    assert page.status_code == 200
    secret = page.text.partition('id="new-token">')[2].partition("<")[0]
    assert user_of(site, secret) == 200
    assert f"{now() + timedelta(days=7):%Y-%m-%d}" in page.text
    assert secret not in site.browser(ada).get("/account").text


@pytest.mark.parametrize("how", ["reset", "close", "everywhere"])
def test_tokens_and_sessions_end_together(site: Site, ada: User, api: TestClient, how: str) -> None:
    bo = make_user("Bo")
    secrets, browsers = [make_token(bo), make_token(bo, "read")], [site.browser(bo) for _ in "ab"]
    if how == "reset":
        accounts.reset_password(actor(ada), bo.id, password="a brand new secret")
    elif how == "close":
        api.patch(f"/users/{bo.id}", json={"is_active": False})
        api.patch(f"/users/{bo.id}", json={"is_active": True})
    else:
        assert browsers[0].post("/account/logout-everywhere").status_code == 303
    assert [user_of(site, secret) for secret in secrets] == [401, 401]
    assert [browser.get("/").status_code for browser in browsers] == [303, 303]


def test_ones_own_new_password_leaves_programs_alone(site: Site, ada: User) -> None:
    secret = make_token(ada)
    words = {"current": PASSWORD, "password": "another fine password"}
    assert site.browser(ada).post("/account/password", data=words).status_code == 303
    assert user_of(site, secret) == 200


def test_the_list_tells_at_once_that_a_token_is_used_elsewhere(
    site: Site, ada: User, api: TestClient
) -> None:
    secret = make_token(ada)
    user_of(site, secret, "203.0.113.7")
    with session_scope() as session:
        for token in session.query(ApiToken):
            token.used_at = now() - timedelta(minutes=2)
    user_of(site, secret, "198.51.100.20")
    assert "198.51.100.20" in str(api.get("/tokens").json())


def test_a_token_on_pages_may_do_what_its_scopes_say(site: Site, ada: User) -> None:
    def page(*scopes: str) -> TestClient:
        return site.anonymous(headers={"Authorization": f"Bearer {make_token(ada, *scopes)}"})

    def locale() -> str | None:
        with session_scope(read_only=True) as session:
            return session.get_one(User, ada.id).locale

    form = {"locale": "zh"}
    assert page("read").get("/").status_code == 200
    assert page("read").post("/preferences", data=form).status_code == 403
    assert page("read").post("/demo").status_code == 403
    assert locale() is None
    assert page("read", "write").post("/preferences", data=form).status_code == 303
    assert locale() == "zh"
