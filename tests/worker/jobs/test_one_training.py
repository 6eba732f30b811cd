"""A worker of both queues: one training at a time, and other jobs beside it."""

import pytest

from app.services import dispatch
from tests.conftest import Services, wait_for, with_long_leases
from tests.worker.jobs.conftest import ENDLESS, TINY, Workshop, job_of, trainers, wait_for_state

pytestmark = [
    pytest.mark.training,
    # Each of these takes some seconds, and what they show has little to do with the kind of database.
    pytest.mark.parametrize("database", ["sqlite"], indirect=True),
]


def test_a_training_keeps_no_other_job_waiting_and_the_next_training_waits(
    workshop: Workshop, broker: str, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_long_leases(monkeypatch)
    services.start_worker("cpu,gpu", name="both")
    first, second = workshop.train(ENDLESS), workshop.train(TINY)
    wait_for(lambda: trainers(first.id), within=60, message="the training does not start")
    for _ in range(2):
        wait_for_state(workshop.freeze(), "succeeded", services=services)
    wait_for(lambda: dispatch.waiting("gpu") == 1, message="its message is not left to others")
    assert job_of(first.job_id).state == "running"
    assert job_of(second.job_id).state == "queued"
    workshop.cancel(first.job_id)
    wait_for_state(second.job_id, "succeeded", within=120, services=services)
    assert job_of(first.job_id).state == "cancelled"
    assert job_of(second.job_id).attempt == 1


def test_another_worker_takes_the_training_that_waits(
    workshop: Workshop, broker: str, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_long_leases(monkeypatch)
    services.start_worker("cpu,gpu", name="both")
    first, second = workshop.train(ENDLESS), workshop.train(TINY)
    wait_for_state(first.job_id, "running", services=services)
    services.start_worker("gpu", name="another")
    wait_for_state(second.job_id, "succeeded", within=120, services=services)
    assert job_of(first.job_id).state == "running"
    workshop.cancel(first.job_id)
    wait_for_state(first.job_id, "cancelled", services=services)


def test_it_is_still_one_after_the_broker_was_away(
    workshop: Workshop, broker: str, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_long_leases(monkeypatch)
    program = services.group.programs[0]
    services.start_worker("cpu,gpu", name="both")
    first = workshop.train(ENDLESS)
    wait_for(lambda: trainers(first.id), within=60, message="the training does not start")
    services.group.stop(["broker"])
    services.group.start(program)
    second = workshop.train(TINY)
    wait_for_state(workshop.freeze(), "succeeded", services=services)
    assert job_of(first.job_id).state == "running"
    assert job_of(second.job_id).state == "queued"
    workshop.cancel(first.job_id)
    wait_for_state(second.job_id, "succeeded", within=120, services=services)


def test_a_training_whose_watcher_is_killed_is_taken_up_again(
    workshop: Workshop, broker: str, services: Services
) -> None:
    services.start_worker("cpu,gpu", name="both")
    run = workshop.train(ENDLESS)
    wait_for(lambda: trainers(run.id), within=60, message="the training does not start")
    (trainer,) = trainers(run.id)
    watcher = trainer.parent()
    assert watcher is not None
    watcher.kill()
    wait_for(
        lambda: (found := trainers(run.id)) and found[0].pid != trainer.pid,
        within=60,
        message="the training is not taken up again",
    )
    workshop.cancel(run.job_id)
    wait_for_state(run.job_id, "cancelled", services=services)
