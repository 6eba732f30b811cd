"""Without its broker Annotune goes on: what was started stands in the database, and a worker hears of it later."""

import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import redis
from fastapi.testclient import TestClient

from app.db import session_scope
from app.models import Job, User
from app.services import dispatch, jobs
from app.services.versions import SplitPercent
from app.settings import get_settings
from tests.api.conftest import Site
from tests.brokers import SilentBroker, url_of_nobody
from tests.conftest import Services, forget_everything, wait_for
from tests.factories import fill, freeze, labelled_rows, make_project

NO_LONGER = dispatch.CONNECT_SECONDS + dispatch.ANSWER_SECONDS + 3
"""Seconds that a request may take, on a machine that has other things to do."""


@pytest.fixture(params=["nobody listens", "it never answers"])
def no_broker(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The settings name a broker that is of no use."""
    with ExitStack() as stack:
        silent = request.param == "it never answers"
        url = stack.enter_context(SilentBroker()).url if silent else url_of_nobody()
        monkeypatch.setenv("ANNOTUNE_REDIS_URL", url)
        forget_everything()
        yield


def state_of(job_id: str) -> tuple[str, bool]:
    """A job's state, and whether its message counts as sent."""
    with session_scope(read_only=True) as session:
        job = session.get_one(Job, job_id)
        return job.state, job.published_at is not None


def test_what_is_started_is_answered_soon_and_waits_for_the_reconciler(
    site: Site,
    ada: User,
    services: Services,
    no_broker: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    project = make_project(ada)
    fill(project, ada, labelled_rows())
    freeze(project, ada, split=SplitPercent(train=100, validation=0, test=0))
    api, path = site.caller(ada), f"/projects/{project.id}"
    started, took = [], []
    for address, body in (
        (f"{path}/examples", {"items": [{"text": "One more."}]}),
        (f"{path}/versions", {}),
        (f"{path}/runs", {"version": 1}),
        (f"{path}/pretrain", {"params": {}}),
    ):
        before = time.monotonic()
        answer = api.post(address, json=body)
        took.append(time.monotonic() - before)
        if address.endswith("pretrain"):
            assert answer.status_code == 422  # too few texts: checked before anything is sent
            continue
        assert answer.status_code == 202, answer.text
        started.append(answer.json()["job"]["id"])
    assert max(took) < NO_LONGER, took
    assert sum(took) < 2 * NO_LONGER, f"each of them waits for the broker: {took}"
    assert [state_of(job) for job in started] == [("queued", False)] * 3
    assert jobs.reconcile() == []

    monkeypatch.delenv("ANNOTUNE_REDIS_URL")
    forget_everything()
    services.start_broker()
    assert sorted(jobs.reconcile()) == sorted(started)
    assert [state_of(job) for job in started] == [("queued", True)] * 3
    assert (dispatch.waiting("cpu"), dispatch.waiting("gpu")) == (2, 1)
    assert jobs.reconcile() == []


def test_what_a_broker_has_no_memory_for_is_sent_later(
    site: Site, ada: User, services: Services
) -> None:
    services.start_broker()
    broker = redis.Redis.from_url(get_settings().broker.replace("redis+socket", "unix"))
    broker.config_set("maxmemory", "1")
    project = make_project(ada)
    api = site.caller(ada)
    answer = api.post(f"/projects/{project.id}/examples", json={"items": [{"text": "One."}]})
    assert answer.status_code == 202, answer.text
    job = answer.json()["job"]["id"]
    assert state_of(job) == ("queued", False)
    broker.config_set("maxmemory", "0")
    sent: list[str] = []
    # For a moment after it has said no, it is not asked.
    wait_for(lambda: sent.extend(jobs.reconcile()) or sent, message="it is not sent")
    assert sent == [job]


def test_a_broker_that_hangs_is_tried_by_one_request_at_a_time(no_broker: None) -> None:
    assert not dispatch.wake("a", "cpu")
    before = time.monotonic()
    assert not any(dispatch.wake(str(n), "cpu") for n in range(50))
    assert time.monotonic() - before < 1


def test_pages_are_answered_while_the_broker_hangs(api: TestClient, no_broker: None) -> None:
    dispatch.wake("a", "cpu")
    before = time.monotonic()
    for address in ("/projects", "/runs", "/workers"):
        assert api.get(address).status_code == 200
    assert time.monotonic() - before < NO_LONGER
