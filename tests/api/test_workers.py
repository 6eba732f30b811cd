"""Which workers there are, and what they do."""

from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import update

from app.db import session_scope
from app.models import User, Worker, now
from app.services import jobs, workers
from app.services.versions import SplitPercent
from tests.api.conftest import Site
from tests.factories import fill, freeze, labelled_rows, make_project, make_user

FACTS: dict[str, Any] = {
    "host": "box",
    "queues": ["gpu"],
    "concurrency": 1,
    "device": "NVIDIA H200",
    "memory_total": 64 << 30,
    "memory_available": 32 << 30,
    "version": "0.1.0",
}


def test_workers_come_work_fall_silent_and_leave(site: Site, api: TestClient, ada: User) -> None:
    project = make_project(ada)
    fill(project, ada, labelled_rows())
    freeze(project, ada, split=SplitPercent(train=100, validation=0, test=0))
    run = api.post(f"/projects/{project.id}/runs", json={"version": 1}).json()
    browser = site.browser(ada)
    assert api.get("/workers").json()["items"] == []
    assert "No worker is running" in browser.get("/admin/workers").text
    assert "annotune worker --queues gpu" in browser.get(f"/runs/{run['id']}").text

    workers.announce("gpu-1@box", **FACTS)
    workers.announce("gpu-1@box", **FACTS | {"memory_available": 1 << 30})
    assert "annotune worker --queues gpu" not in browser.get(f"/runs/{run['id']}").text
    assert jobs.claim(run["job"]["id"], "gpu-1@box:4711")
    (worker,) = api.get("/workers").json()["items"]
    assert (worker["memory_available"], worker["is_silent"]) == (1 << 30, False)
    assert worker["jobs"] == [run["job"]["id"]]
    page = browser.get("/admin/workers").text
    assert "NVIDIA H200" in page
    assert f"/runs/{run['id']}" in page

    with session_scope() as session:
        session.execute(update(Worker).values(seen_at=now() - timedelta(minutes=2)))
    assert api.get("/workers").json()["items"][0]["is_silent"]
    assert "silent" in browser.get("/admin/workers").text
    workers.leave("gpu-1@box")
    assert api.get("/workers").json()["items"] == []


def test_a_worker_that_was_gone_for_a_day_is_forgotten(api: TestClient, ada: User) -> None:
    workers.announce("old@box", **FACTS)
    with session_scope() as session:
        session.execute(update(Worker).values(seen_at=now() - timedelta(days=2)))
    workers.announce("new@box", **FACTS)
    assert [item["name"] for item in api.get("/workers").json()["items"]] == ["new@box"]


@pytest.mark.parametrize("path", ["/api/v1/workers", "/admin/workers"])
def test_only_administrators_see_them(site: Site, path: str) -> None:
    assert site.browser(make_user("Bo")).get(path).status_code == 403
