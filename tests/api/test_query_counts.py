"""The pages that people wait for ask the database a fixed number of questions, however much there is."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event

from app.db import get_engine, session_scope
from app.models import User
from app.services import runs
from app.training import FineTuneParams
from tests.api.conftest import Site
from tests.factories import (
    actor,
    fill,
    freeze,
    join,
    labelled_rows,
    make_project,
    make_user,
    open_rows,
)

MOST = 14
"""Statements that any of these may send."""


@contextmanager
def statements() -> Iterator[list[str]]:
    sent: list[str] = []

    def note(_c: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        sent.append(statement)

    event.listen(get_engine(), "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(get_engine(), "before_cursor_execute", note)


class Growing:
    """A site that can be made larger."""

    def __init__(self, site: Site, ada: User) -> None:
        self.ada = ada
        self.browser, self.api = site.browser(ada), site.caller(ada)
        self.project = make_project(ada)
        self.rounds = 0
        self.grow(2)

    def grow(self, factor: int) -> None:
        """More projects, members, examples, annotations, versions and runs."""
        self.rounds += 1
        base = f"/api/v1/projects/{self.project.id}"
        for n in range(factor):
            person = make_user(f"P{self.rounds}x{n}")
            join(self.project, self.ada, annotator=person)
            other = make_project(self.ada, name=f"Project {self.rounds} {n}")
            fill(other, self.ada, labelled_rows())
        fill(
            self.project,
            self.ada,
            labelled_rows([(f"{self.rounds} {n}", "neutral") for n in range(9)]),
        )
        fill(self.project, self.ada, open_rows(10 * factor, start=1000 * self.rounds))
        for n in range(factor):
            item = self.browser.post(f"{base}/queue/next").json()
            self.browser.post(
                f"{base}/examples/{item['id']}/annotations",
                json={"payload": {"labels": ["neutral"]}, "client_key": f"{self.rounds}-{n}"},
            )
            version = freeze(self.project, self.ada)
            with session_scope() as session:
                runs.create(
                    session,
                    actor(self.ada),
                    self.project.id,
                    version_number=version.number,
                    params=FineTuneParams(),
                )

    def cost(self, method: str, path: str) -> int:
        path = path.format(project=f"/projects/{self.project.id}")
        with statements() as sent:
            answer = self.browser.request(method, path)
        assert answer.status_code == 200, path
        return len(sent)


HOT = (
    ("GET", "/"),
    ("GET", "/runs"),
    ("GET", "{project}"),
    ("GET", "{project}/label"),
    ("GET", "{project}/examples"),
    ("GET", "{project}/versions"),
    ("GET", "{project}/runs"),
    ("GET", "{project}/settings"),
    ("GET", "/api/v1/projects"),
    ("GET", "/api/v1{project}/examples?limit=500"),
    ("GET", "/api/v1{project}/mine"),
    ("GET", "/api/v1{project}/members"),
    ("GET", "/api/v1/runs"),
    ("POST", "/api/v1{project}/queue/next"),
)


@pytest.fixture
def growing(site: Site, ada: User) -> Growing:
    return Growing(site, ada)


def test_hot_pages_cost_the_same_whatever_the_size(growing: Growing) -> None:
    before = {hot: growing.cost(*hot) for hot in HOT}
    growing.grow(4)
    after = {hot: growing.cost(*hot) for hot in HOT}
    assert after == before
    assert max(after.values()) <= MOST, after
