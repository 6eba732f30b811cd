"""The application, and people who call it with tokens and with browsers."""

from collections.abc import Callable
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app.db import session_scope
from app.http.identity import COOKIE
from app.main import create_app
from app.models import Job, User
from app.security.secrets import csrf_token
from app.services import accounts
from tests.factories import make_token, make_user, work_off


@pytest.fixture(scope="session")
def application() -> FastAPI:
    return create_app()


class Site:
    """Annotune as its callers see it."""

    def __init__(self, application: FastAPI) -> None:
        self._application = application

    def anonymous(self, **options: Any) -> TestClient:
        """Somebody whom nobody knows."""
        return TestClient(self._application, follow_redirects=False, **options)

    def caller(self, user: User, *scopes: str) -> TestClient:
        """A program with an API token of this person."""
        client = self.anonymous(base_url="http://testserver/api/v1")
        client.headers["Authorization"] = f"Bearer {make_token(user, *scopes)}"
        return client

    def browser(self, user: User) -> TestClient:
        """A browser in which this person is logged in; it sends the page's token with what it changes."""
        with session_scope() as session:
            secret = accounts.start_session(session, user)
        client = self.anonymous()
        client.cookies.set(COOKIE, secret)
        client.headers["X-CSRF-Token"] = csrf_token(secret)
        return client


@pytest.fixture
def site(database: str, application: FastAPI) -> Site:
    """On a fresh database, of each kind in turn."""
    return Site(application)


@pytest.fixture
def quick_site(sqlite: str, application: FastAPI) -> Site:
    """For what no database has a part in: on SQLite alone."""
    return Site(application)


@pytest.fixture
def ada(site: Site) -> User:
    """A site administrator."""
    return make_user("Ada", admin=True)


@pytest.fixture
def api(site: Site, ada: User) -> TestClient:
    """Ada's program."""
    return site.caller(ada)


@pytest.fixture
def finish() -> Callable[[dict[str, Any]], Job]:
    """Carries out the job that an answer speaks of."""
    return lambda answer: work_off(answer["job"]["id"])
