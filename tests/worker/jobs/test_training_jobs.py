"""Trainings in real processes: they end once, whatever is killed, and nothing of them is left behind."""

import asyncio
import os
import signal

import pytest

from app.db import session_scope
from app.models import Job, Run, RunLog, RunPoint
from app.services import runs
from app.settings import get_settings
from tests.conftest import Services, wait_for, with_long_leases
from tests.factories import work_off
from tests.worker.jobs.conftest import (
    ENDLESS,
    TINY,
    Workshop,
    job_of,
    trainers,
    wait_for_state,
)
from worker import workplace

pytestmark = pytest.mark.training
# Each of these takes some seconds, and what they show has little to do with the kind of database.
on_sqlite = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


def start_endless(workshop: Workshop, services: Services) -> Run:
    """A training that goes on until it is stopped, and has written a checkpoint already."""
    run = workshop.train(ENDLESS)
    wait_for_state(run.job_id, "running", services=services)
    wait_for(
        lambda: any(checkpoints(run)) or job_of(run.job_id).state != "running",
        within=90,
        message="no checkpoint is written",
    )
    assert job_of(run.job_id).state == "running", job_of(run.job_id).error
    return run


def checkpoints(run: Run) -> list[str]:
    folder = get_settings().work_dir / "runs" / run.id / "checkpoints"
    return [path.name for path in folder.glob("step-*")]


def resumed_at(run: Run) -> list[int]:
    """Steps at which the run's progress file says that it went on."""
    import json

    path = get_settings().work_dir / "runs" / run.id / "progress.jsonl"
    if not path.exists():
        return []
    events = [
        json.loads(line)
        for line in path.read_text().splitlines(keepends=True)
        if line.endswith("\n")
    ]
    return [event["step"] for event in events if event["type"] == "resumed"]


def wait_until_resumed(run: Run) -> None:
    wait_for(lambda: resumed_at(run), within=60, message="the training does not go on")
    assert resumed_at(run)[0] > 0


@on_sqlite
def test_a_training_leaves_a_model_its_curve_and_its_log(
    workshop: Workshop, broker: str, services: Services
) -> None:
    services.start_worker("gpu")
    run = workshop.train(TINY)
    job = wait_for_state(run.job_id, "succeeded", "failed", within=120, services=services)
    assert job.state == "succeeded", job.error
    with session_scope(read_only=True) as session:
        stored = session.get_one(Run, run.id)
        assert stored.result
        assert stored.model_size
        assert stored.environment
        assert stored.environment["packages"]
        assert session.query(RunPoint).filter_by(run_id=run.id, kind="evaluation").count() >= 2
        assert session.query(RunLog).filter_by(run_id=run.id).count() >= 1
    folder = get_settings().work_dir / "runs" / run.id
    wait_for(lambda: not folder.exists(), within=10, message="the work folder is left behind")
    services.start_worker("cpu")
    answer = asyncio.run(runs.predict(workshop.actor, run.id, ["a warm evening", "a dull soup"]))
    assert [set(item) for item in answer] == [{"annotation", "scores"}] * 2


@on_sqlite
def test_a_killed_worker_takes_its_training_with_it_and_the_next_one_goes_on(
    workshop: Workshop, broker: str, services: Services
) -> None:
    worker = services.start_worker("gpu", name="first")
    run = start_endless(workshop, services)
    assert worker.process is not None
    os.kill(worker.process.pid, signal.SIGKILL)
    wait_for(lambda: not trainers(run.id), within=5, message="the trainer lives on")
    services.start_worker("gpu", name="second")
    wait_until_resumed(run)
    (trainer,) = trainers(run.id)
    assert trainer.environ()["OMP_WAIT_POLICY"] == "PASSIVE", "it spins beside other work"
    assert job_of(run.job_id).attempt >= 2
    workshop.cancel(run.job_id)
    wait_for_state(run.job_id, "cancelled", services=services)


@on_sqlite
def test_a_stopped_worker_hands_its_training_back_and_the_next_one_goes_on(
    workshop: Workshop, broker: str, services: Services
) -> None:
    services.start_worker("gpu", name="first")
    run = start_endless(workshop, services)
    started_as = job_of(run.job_id).attempt
    services.group.stop(["first"])
    assert not trainers(run.id)
    job = job_of(run.job_id)
    assert job.state == "queued"
    assert job.attempt < started_as, "a stop of the worker counts as an attempt"
    services.start_worker("gpu", name="second")
    wait_until_resumed(run)
    # A running training is cancelled within seconds, and goes on when it is resumed.
    workshop.cancel(run.job_id)
    wait_for_state(run.job_id, "cancelled", within=12, services=services)
    assert not trainers(run.id)
    folder = get_settings().work_dir / "runs" / run.id
    kept = {"checkpoints", "lock", "log.txt", "progress.jsonl", "scratch"}
    assert {path.name for path in folder.iterdir()} == kept
    workplace.clear_leftovers(get_settings())
    assert {path.name for path in folder.iterdir()} == kept
    with session_scope() as session:
        runs.resume(session, workshop.actor, run.id)
    wait_until_resumed(run)
    # It counts its attempts anew; what it told before was of the attempts before.
    wait_for(lambda: job_of(run.job_id).attempt == 1, message="it is not taken up")
    wait_for(lambda: job_of(run.job_id).progress.get("resumed"), message="it is not told")
    workshop.cancel(run.job_id)
    wait_for_state(run.job_id, "cancelled", services=services)
    expired = get_settings().model_copy(update={"checkpoint_keep_hours": 0.0})
    workplace.clear_leftovers(expired)
    assert {path.name for path in folder.iterdir()} == {"lock", "log.txt"}


@on_sqlite
def test_a_killed_trainer_goes_on_and_is_given_up_after_its_attempts(
    workshop: Workshop, broker: str, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANNOTUNE_JOB_ATTEMPTS", "2")
    with_long_leases(monkeypatch)
    services.start_worker("gpu")
    run = start_endless(workshop, services)
    trainers(run.id)[0].kill()
    wait_until_resumed(run)
    trainers(run.id)[0].kill()
    job = wait_for_state(run.job_id, "failed", services=services)
    assert job.error_category == "out_of_memory"
    assert "2 times" in (job.error or "")


@on_sqlite
def test_a_deleted_job_ends_its_training(
    workshop: Workshop, broker: str, services: Services
) -> None:
    services.start_worker("gpu")
    run = start_endless(workshop, services)
    with session_scope() as session:
        for point in session.query(RunPoint).filter_by(run_id=run.id):
            session.delete(point)
        session.query(RunLog).filter_by(run_id=run.id).delete()
        session.query(Run).filter_by(id=run.id).delete()
        session.query(Job).filter_by(id=run.job_id).delete()
    wait_for(lambda: not trainers(run.id), within=10, message="the trainer works on for nobody")


@on_sqlite
def test_a_training_that_cannot_work_says_why(workshop: Workshop) -> None:
    run = workshop.train()
    with session_scope() as session:  # what no door lets in is not believed here, either
        row = session.get_one(Run, run.id)
        row.params = row.params | {"base": "hub", "base_ref": "../../etc/passwd"}
    job = work_off(run.job_id)
    assert job.state == "failed"
    assert "is not the id of a hub model" in (job.error or "")
