"""What people do in a project, through the API."""

from typing import Any
from uuid import uuid4

from fastapi.testclient import TestClient

from app.models import Project


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
