"""Whose turn it is: priorities, pins to a kind of device, several claimers; on both databases."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from structlog.testing import capture_logs

from app.db import session_scope
from app.models import Job
from app.services import dispatch, jobs, runs
from app.settings import get_settings
from tests.worker.jobs.conftest import Workshop, job_of
from worker import jobs as worker_jobs
from worker import trainer


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """The messages that would go out, each with its broker queue."""
    messages: list[tuple[str, str]] = []

    def wake(job_id: str, queue: str, _share: str | None = None) -> bool:
        messages.append((job_id, queue))
        return True

    monkeypatch.setattr(dispatch, "wake", wake)
    return messages


def queue(workshop: Workshop, **wishes: Any) -> str:
    with session_scope() as session:
        job = jobs.create(
            session,
            kind="finetune",
            queue="gpu",
            project_id=workshop.project_id,
            created_by=None,
            **wishes,
        )
    return job.id


def take(job_id: str, device: jobs.Device = "cpu") -> str | None:
    claim = jobs.claim_best(job_id, "one", device=device)
    return claim.job_id if claim else None


def test_a_message_of_another_installation_is_said(workshop: Workshop) -> None:
    known = queue(workshop)
    with capture_logs() as logs:
        worker_jobs.run("never-heard-of")
    assert [entry["event"] for entry in logs] == ["message_for_a_job_that_this_database_has_not"]
    assert take(known) == known
    with capture_logs() as logs:
        worker_jobs.run(known)
    assert logs == [], "a message that comes twice says nothing of other installations"


def test_a_message_wakes_for_the_best_job_and_the_displaced_one_is_sent_again(
    workshop: Workshop, sent: list[tuple[str, str]]
) -> None:
    child, first, second = queue(workshop, priority=-1), queue(workshop), queue(workshop)
    urgent = queue(workshop, priority=1)
    with session_scope(read_only=True) as session:
        waiting = {id: runs.queued_before(session, job_of(id)) for id in (urgent, first, child)}
    assert waiting == {urgent: 0, first: 1, child: 3}
    order = []
    while sent:  # a worker that is free takes the next message
        message, _queue = sent.pop(0)
        if (taken := take(message)) is not None:
            order.append(taken)
    assert order == [urgent, first, second, child]


def test_a_secret_goes_only_with_the_message_of_its_own_job(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages: list[tuple[Any, ...]] = []
    monkeypatch.setattr(dispatch, "wake", lambda *words: messages.append(words) or True)
    pushed = queue(workshop, secret="hf_a")
    plain = queue(workshop, priority=1)
    (_job, _queue, share), _plain = messages
    first = jobs.claim_best(pushed, "one", device="cpu", share=share)
    assert first is not None
    assert (first.job_id, jobs.take_secret(first)) == (plain, None)
    assert messages[2:] == [(pushed, "gpu", share)], "displaced, with its share"
    other = queue(workshop)
    passing = jobs.claim_best(other, "one", device="cpu")
    assert passing is not None
    assert passing.job_id == other, "a message without the share leaves the older job alone"
    own = jobs.claim_best(pushed, "one", device="cpu", share=share)
    assert own is not None
    assert jobs.take_secret(own) == "hf_a"


def test_a_message_of_a_job_that_is_taken_takes_no_other(
    workshop: Workshop, sent: list[tuple[str, str]]
) -> None:
    taken, other = queue(workshop), queue(workshop)
    assert take(taken) == taken
    assert take(taken) is None
    assert job_of(other).state == "queued"
    assert len(sent) == 2, "nothing was displaced"


def test_two_claimers_do_each_job_once_the_urgent_ones_first(
    workshop: Workshop, sent: list[tuple[str, str]]
) -> None:
    normal = [queue(workshop) for _ in range(4)]
    urgent = [queue(workshop, priority=1) for _ in range(4)]
    order: list[str | None] = []
    with ThreadPoolExecutor(2) as pool:
        while sent:  # those that were displaced are sent again
            batch = [sent.pop(0)[0] for _ in range(min(4, len(sent)))]
            order += pool.map(take, batch)
    assert set(order[:4]) == set(urgent)
    assert sorted(filter(None, order)) == sorted(normal + urgent)
    assert {job_of(job_id).attempt for job_id in normal + urgent} == {1}


def test_a_pinned_job_is_left_to_workers_with_such_a_device(
    workshop: Workshop, sent: list[tuple[str, str]]
) -> None:
    pinned, free = queue(workshop, device="cuda", priority=1), queue(workshop)
    assert sent == [(pinned, "gpu.cuda"), (free, "gpu")]
    assert take(pinned, "cpu") == free, "a message that went astray costs the job nothing"
    assert sent[2:] == [(pinned, "gpu.cuda")]
    assert take(pinned, "cpu") is None
    assert take(pinned, "cuda") == pinned


def test_only_rivals_for_the_same_device_are_ahead(
    workshop: Workshop, sent: list[tuple[str, str]]
) -> None:
    queue(workshop, device="cpu")
    queue(workshop)
    pinned = queue(workshop, device="cuda")
    with session_scope(read_only=True) as session:
        assert runs.queued_before(session, job_of(pinned)) == 1


def test_a_claimed_job_is_starting_until_something_is_heard_of_it(
    workshop: Workshop, sent: list[tuple[str, str]]
) -> None:
    job_id = queue(workshop)
    claim = jobs.claim_best(job_id, "one", device="cpu")
    assert claim is not None
    assert job_of(job_id).shown_state == "starting"
    jobs.renew(claim, {"phase": "loading"})
    assert job_of(job_id).shown_state == "running"
    jobs.release(claim)
    assert job_of(job_id).shown_state == "queued"
    assert take(job_id) == job_id
    assert job_of(job_id).shown_state == "starting", "an earlier attempt's progress is forgotten"
    with session_scope(read_only=True) as session:
        assert session.get_one(Job, job_id).progress == {}


def test_a_run_pinned_to_the_processor_sees_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    settings = get_settings()
    pinned = trainer.environment(settings, online=False, device="cpu")
    assert pinned["CUDA_VISIBLE_DEVICES"] == ""
    assert trainer.environment(settings, online=False, device="cuda")["CUDA_VISIBLE_DEVICES"] == "0"
