"""The first account: for whoever has the one-time link, once."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from app.db import session_scope
from app.models import User
from app.services import accounts
from app.settings import get_settings
from tests.api.conftest import Site
from tests.factories import PASSWORD, count


@pytest.fixture
def token(site: Site) -> str:
    with session_scope() as session:
        found = accounts.setup_token(session)
    assert found is not None
    return found


def set_up(site: Site, token: str, name: str = "Ada", password: str = PASSWORD) -> int:
    form = {"token": token, "email": f"{name}@example.org", "name": name, "password": password}
    return site.anonymous().post("/setup", data=form).status_code


def test_only_the_one_time_token_makes_the_first_account(site: Site, token: str) -> None:
    assert set_up(site, "wrong") == 403
    assert set_up(site, "") == 403
    assert count(User) == 0
    assert set_up(site, token) == 303
    assert set_up(site, token, "Bo") == 409
    assert count(User, User.is_admin) == 1
    assert site.anonymous().get("/setup").headers["location"] == "/login"


def test_the_token_lies_in_a_file_that_only_this_user_reads(site: Site, token: str) -> None:
    path = get_settings().data_dir / "setup-token"
    assert path.stat().st_mode & 0o077 == 0
    set_up(site, token)
    with session_scope() as session:
        assert accounts.setup_token(session) is None
    assert not path.exists()


def test_a_weak_password_is_refused_and_the_token_still_works(site: Site, token: str) -> None:
    assert set_up(site, token, password="short") == 422
    assert set_up(site, token, password="aaaaaaaaaaaa") == 422
    assert set_up(site, token) == 303


def test_of_two_first_visits_at_once_one_wins(site: Site, token: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda name: set_up(site, token, name), ["Ada", "Bo", "Cy", "Di"]))
    assert sorted(answers) == [303, 409, 409, 409]
    assert count(User) == 1
