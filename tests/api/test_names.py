"""Addresses in one form and names without what nobody sees, however they come in."""

import pytest
from fastapi.testclient import TestClient

from app.db import session_scope
from app.models import User
from tests.api.conftest import Site
from tests.factories import PASSWORD, make_project


def add(api: TestClient, email: str, name: str = "Somebody") -> int:
    wish = {"email": email, "name": name, "password": PASSWORD}
    return api.post("/users", json=wish).status_code


def log_in(site: Site, email: str) -> int:
    form = {"email": email, "password": PASSWORD}
    return site.anonymous().post("/login", data=form).status_code


@pytest.mark.parametrize(
    ("email", "same"),
    [
        ("Mei@Example.ORG", "mei@example.org"),
        (" mei@example.org ", "mei@example.org"),
        ("re\u0301ne\u0301@example.org", "r\u00e9n\u00e9@example.org"),
        ("mei@xn--bcher-kva.example", "mei@b\u00fccher.example"),
        ("mei@B\u00dcCHER.example", "mei@b\u00fccher.example"),
        ("mei@例子\u3002公司", "mei@例子.公司"),
        ("mei@corp.local", "MEI@corp.local"),
        ("mei@localhost", "mei@LOCALHOST"),
    ],
)
def test_two_ways_to_write_an_address_are_one_account(
    site: Site, ada: User, api: TestClient, email: str, same: str
) -> None:
    assert add(api, email) == 201
    assert add(api, same) == 422, "there is one already"
    assert log_in(site, email) == 303
    assert log_in(site, same) == 303
    project = make_project(ada)
    member = {"email": same, "role": "annotator"}
    assert api.put(f"/projects/{project.id}/members", json=member).status_code == 204


@pytest.mark.parametrize(
    "email",
    [
        "a\u200bda@example.org",
        "ada@exam\u200bple.org",
        "\u202eada@example.org",
        "a\u00adda@example.org",
        "ada",
        "@example.org",
        "ada@",
        "a b@example.org",
        "a@b@example.org",
        "ada@" + "x" * 250 + ".org",
    ],
)
def test_what_is_no_address_or_hides_something_is_refused(api: TestClient, email: str) -> None:
    assert add(api, email) == 422


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("Mei Lin", 201),
        ("李美", 201),
        ("نازنین‌زهرا", 201),  # a joiner shapes the letters
        ("Mei\u202eniL", 422),
        ("Mei\u200b", 422),
        ("Mei\x07", 422),
        ("\u200c", 422),
        ("   ", 422),
        ("x" * 101, 422),
    ],
)
def test_a_name_holds_nothing_that_nobody_sees(api: TestClient, name: str, status: int) -> None:
    assert add(api, "mei@example.org", name) == status


def test_an_account_from_before_logs_in_as_it_always_did(site: Site, ada: User) -> None:
    with session_scope() as session:
        hashed = session.get_one(User, ada.id).password_hash
        for email in ("bo@example.org", "b\u200bo@example.org"):
            session.add(User(email=email, name=email[:1], password_hash=hashed))
    assert log_in(site, "bo@example.org") == 303
    assert log_in(site, "b\u200bo@example.org") == 303
