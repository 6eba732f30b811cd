"""What people do in a project, through the API."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient

from app.models import Project, User
from tests.api.conftest import Site
from tests.factories import fill, join, make_project, make_user, open_rows

Call = Callable[..., TestClient]


@pytest.fixture
def project(ada: User) -> Project:
    """Six sentences to be labelled."""
    made = make_project(ada)
    fill(made, ada, open_rows(6))
    return made


@pytest.fixture
def call(site: Site, project: Project, ada: User) -> Call:
    """`call("Bo")` is a program of Bo's, an annotator; `call("Cy", "reviewer")` of Cy's."""

    def make(name: str, role: str = "annotator") -> TestClient:
        person = make_user(name)
        join(project, ada, **{role: person})
        return site.caller(person)

    return make


def take(api: TestClient, project: Project, **wish: Any) -> dict[str, Any]:
    """The next example, which there must be."""
    answer = api.post(f"/projects/{project.id}/queue/next", json=wish)
    assert answer.status_code == 200, answer.text
    item: dict[str, Any] = answer.json()
    return item


def look(api: TestClient, project: Project, example: int) -> dict[str, Any]:
    """An example as this person gets it."""
    answer = api.get(f"/projects/{project.id}/examples/{example}")
    assert answer.status_code == 200, answer.text
    item: dict[str, Any] = answer.json()
    return item


def say(
    api: TestClient,
    project: Project,
    example: int,
    label: str | None,
    *,
    base: int = 0,
    effect: str = "stand",
    key: str | None = None,
    comment: str = "",
) -> Any:
    """Save a sentiment, or skip the example for None."""
    words: dict[str, Any] = {"client_key": key or uuid4().hex, "base": base, "effect": effect}
    words["comment"] = comment
    words |= {"skipped": True} if label is None else {"payload": {"labels": [label]}}
    return api.post(f"/projects/{project.id}/examples/{example}/annotations", json=words)
