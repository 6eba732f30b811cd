"""Predictions that wait for a worker keep nothing else waiting."""

import asyncio
import itertools
import time
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app.models import Project, User
from app.services import rpc, workers
from tests.api.conftest import Site
from tests.api.finished_runs import finished, project_with_version
from tests.brokers import SilentBroker
from tests.conftest import forget_everything, serving
from tests.factories import make_token


@pytest.fixture
def project(ada: User) -> Project:
    return project_with_version(ada)


@pytest.fixture
def model(api: TestClient, project: Project, tmp_path: Path) -> str:
    """The id of a run that has left a model."""
    return finished(api, project, tmp_path, "model", set())


def announce_a_worker() -> None:
    """As one does that is stopped just afterwards."""
    workers.announce(
        "gone",
        host="here",
        queues=["cpu"],
        concurrency=1,
        device_kind="cpu",
        device="none",
        memory_total=1,
        memory_available=1,
        version="1",
    )


def test_without_a_worker_it_is_said_at_once(api: TestClient, model: str) -> None:
    started = time.monotonic()
    refused = api.post(f"/runs/{model}/predict", json={"texts": ["A text."]})
    assert refused.status_code == 503
    assert "annotune worker" in refused.json()["detail"]
    assert int(refused.headers["retry-after"]) > 0
    assert time.monotonic() - started < 5


def test_a_page_says_it_too(site: Site, ada: User, model: str) -> None:
    browser = site.browser(ada)
    for headers in ({}, {"HX-Request": "true"}):
        answer = browser.post(f"/runs/{model}/try", data={"text": "A text."}, headers=headers)
        assert answer.status_code == 503
        assert "annotune worker" in answer.text


async def _predict_and_look(
    address: str, token: str, model: str, count: int
) -> tuple[list[int], list[float]]:
    """The statuses of so many predictions at once, and the seconds that the log-in page took meanwhile."""
    async with httpx.AsyncClient(
        base_url=address,
        timeout=60,
        limits=httpx.Limits(max_connections=None),
    ) as client:
        path, bearer = f"/api/v1/runs/{model}/predict", {"Authorization": f"Bearer {token}"}
        waiting = [
            asyncio.create_task(client.post(path, json={"texts": [f"Text {n}."]}, headers=bearer))
            for n in range(count)
        ]
        refused = itertools.islice(asyncio.as_completed(waiting), count - rpc.MAX_CALLS)
        for answer in refused:  # and now the others wait
            assert (await answer).status_code == 503
        took = []
        for _ in range(5):
            assert not all(task.done() for task in waiting), "none waits any more"
            started = time.monotonic()
            assert (await client.get("/login")).status_code == 200
            took.append(time.monotonic() - started)
        return [answer.status_code for answer in await asyncio.gather(*waiting)], took


@pytest.mark.parametrize("broker_is", ["there", "silent"])
def test_sixty_predictions_that_wait_leave_every_page_as_quick_as_before(
    request: pytest.FixtureRequest,
    application: FastAPI,
    ada: User,
    model: str,
    monkeypatch: pytest.MonkeyPatch,
    broker_is: str,
) -> None:
    monkeypatch.setattr("app.services.runs.predicting._PREDICT_TIMEOUT", 25.0)
    announce_a_worker()
    with SilentBroker() as silent:
        if broker_is == "there":
            request.getfixturevalue("broker")
        else:
            monkeypatch.setenv("ANNOTUNE_REDIS_URL", silent.url)
        forget_everything()  # that there was no broker a moment ago
        with serving(application) as address:
            look = _predict_and_look(address, make_token(ada), model, 60)
            statuses, took = asyncio.run(look)
    assert set(statuses) == {503}
    assert sorted(took)[len(took) // 2] < 0.3, f"the log-in page took {took}"
