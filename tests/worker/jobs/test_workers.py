"""Jobs in real workers: what is sent twice, lost, or left by a worker that died."""

import os
import signal

import psutil
import pytest
import redis

from app.db import session_scope
from app.group.programs import Program
from app.models import DatasetVersion, Worker
from app.services import dispatch, jobs
from app.settings import get_settings
from tests.conftest import PATIENCE, Services, wait_for, with_long_leases
from tests.worker.jobs.conftest import Workshop, job_of, wait_for_state

# Workers take seconds to start: what has little to do with the kind of database runs on one.
on_sqlite = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


def forget_messages() -> None:
    """Lose everything the broker keeps."""
    with redis.Redis.from_url(get_settings().broker.replace("redis+socket:", "unix:")) as client:
        client.flushall()


def test_a_freeze_is_done_by_a_worker(workshop: Workshop, broker: str, services: Services) -> None:
    services.start_worker("cpu")
    job_id = workshop.freeze()
    job = wait_for_state(job_id, "succeeded", "failed", services=services)
    assert job.state == "succeeded", job.error
    with session_scope(read_only=True) as session:
        versions = session.query(DatasetVersion).all()
    assert [version.counts["examples"] for version in versions] == [60]


def test_a_message_that_comes_twice_is_worked_on_once(
    workshop: Workshop, broker: str, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_long_leases(monkeypatch)
    services.start_worker("cpu")
    job_id = workshop.freeze()
    for _ in range(5):
        dispatch.wake(job_id, "cpu")
    wait_for_state(job_id, "succeeded", services=services)
    later = workshop.freeze()  # behind the repeated messages in the queue
    wait_for_state(later, "succeeded", services=services)
    assert job_of(job_id).attempt == 1
    assert job_of(job_id).fence == 1


def seen() -> list[Worker]:
    with session_scope(read_only=True) as session:
        return list(session.query(Worker))


@on_sqlite
def test_a_worker_says_that_it_is_there_until_it_ends(
    workshop: Workshop, broker: str, services: Services
) -> None:
    program = services.start_worker("cpu")
    wait_for(seen, within=30, message="it does not say that it is there")
    (worker,) = seen()
    assert (worker.queues, worker.concurrency) == (["cpu"], 1)
    assert worker.memory_total >= worker.memory_available > 0
    assert "cores" in worker.device or "NVIDIA" in worker.device
    assert program.process
    program.process.terminate()
    program.process.wait(20 * PATIENCE)
    assert seen() == []


@on_sqlite
def test_a_lost_message_is_sent_again(workshop: Workshop, broker: str, services: Services) -> None:
    job_id = workshop.freeze()
    forget_messages()
    services.start_worker("cpu")
    wait_for_state(job_id, "succeeded", services=services)


@on_sqlite
def test_messages_do_not_heap_up_while_there_is_no_worker(
    workshop: Workshop, broker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(get_settings(), "job_republish_seconds", 1e-6)
    waiting = sorted(workshop.freeze() for _ in range(3))
    assert [jobs.reconcile() for _ in range(5)] == [[]] * 5
    assert dispatch.waiting("cpu") == 3
    forget_messages()
    assert sorted(jobs.reconcile()) == waiting
    assert (jobs.reconcile(), dispatch.waiting("cpu")) == ([], 3)


def test_a_job_of_a_vanished_worker_is_taken_up_again(
    workshop: Workshop, broker: str, services: Services
) -> None:
    job_id = workshop.freeze()
    assert jobs.claim(job_id, "a worker that is gone") is not None
    services.start_worker("cpu")
    job = wait_for_state(job_id, "succeeded", services=services)
    assert job.attempt >= 2


@on_sqlite
def test_jobs_go_on_after_the_broker_has_been_restarted(
    workshop: Workshop, broker: str, services: Services
) -> None:
    program = services.group.programs[0]
    services.start_worker("cpu")
    wait_for_state(workshop.freeze(), "succeeded", services=services)
    services.group.stop(["broker"])
    queued_meanwhile = workshop.freeze()
    services.group.start(program)
    wait_for_state(queued_meanwhile, "succeeded", services=services)


@on_sqlite
def test_a_killed_worker_leaves_no_process_behind(
    workshop: Workshop, broker: str, services: Services
) -> None:
    worker = services.start_worker("cpu", concurrency=2)
    assert pool_of(worker) == [], "processes start before there is work"
    wait_for_state(workshop.freeze(), "succeeded", services=services)
    children = pool_of(worker)
    assert len(children) == 1
    assert worker.process is not None
    os.kill(worker.process.pid, signal.SIGKILL)
    worker.process.wait()
    wait_for(
        lambda: not any(is_running(child) for child in children),
        within=5,
        message="pool processes live on without their worker",
    )


@on_sqlite
def test_a_killed_pool_process_is_replaced(
    workshop: Workshop, broker: str, services: Services
) -> None:
    worker = services.start_worker("cpu")
    wait_for_state(workshop.freeze(), "succeeded", services=services)
    (child,) = pool_of(worker)
    child.kill()
    wait_for(lambda: not is_running(child))
    wait_for_state(workshop.freeze(), "succeeded", services=services)


@on_sqlite
def test_a_pool_process_that_has_nothing_to_do_ends(
    workshop: Workshop, broker: str, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTOSCALE_KEEPALIVE", "0.5")
    worker = services.start_worker("cpu")
    for _ in range(2):
        wait_for_state(workshop.freeze(), "succeeded", services=services)
        wait_for(lambda: not pool_of(worker), message="it stays")


@on_sqlite
def test_a_warm_shutdown_ends_within_seconds(workshop: Workshop, real_worker: Services) -> None:
    wait_for_state(workshop.freeze(), "succeeded", services=real_worker)
    real_worker.group.stop(["worker-cpu", "worker-gpu"])
    assert "is killed" not in "".join(map(real_worker.log, real_worker.group.programs))


def pool_of(worker: Program) -> list[psutil.Process]:
    """A worker's pool processes."""
    assert worker.process is not None
    return psutil.Process(worker.process.pid).children()


def is_running(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
