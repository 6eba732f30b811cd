"""Trainings whose surroundings fail: the disk, the database, the broker; and a wish to stop at any moment."""

import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from app.db import session_scope
from app.models import FINAL_STATES, Job, Run, RunPoint
from app.services import dispatch
from app.settings import Settings, get_settings
from tests.conftest import PATIENCE, Services, wait_for, with_long_leases
from tests.factories import work_off
from tests.worker.jobs.conftest import TINY, Workshop, job_of, trainers, wait_for_state
from worker import supervisor

pytestmark = pytest.mark.training
on_sqlite = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
LONG = TINY.model_copy(update={"epochs": 12, "checkpoint_seconds": 60.0})
"""Some seconds on a quiet machine."""

Working = Callable[[Run], Future[Job]]


@pytest.fixture
def working() -> Iterator[Working]:
    """Carries out a run as a worker does, in a thread beside the test: its trainer is a real process."""
    with ThreadPoolExecutor(1) as thread:
        yield lambda run: thread.submit(work_off, run.job_id)


def wait_for_phase(run: Run, *phases: str) -> None:
    """Wait until the trainer itself says that it has come so far."""
    path = get_settings().work_dir / "runs" / run.id / "progress.jsonl"
    signs = [f'"phase": "{phase}"' for phase in phases]

    def has_come() -> bool:
        return path.exists() and any(sign in path.read_text() for sign in signs)

    wait_for(
        lambda: has_come() or job_of(run.job_id).state in FINAL_STATES,
        within=60,
        message=f"it is never {phases}",
    )
    job = job_of(run.job_id)
    # A folder that is gone was that of a run that has ended well, as it may where the clock is slow.
    assert has_come() or job.state == "succeeded", job.error


def points(run: Run) -> list[tuple[str, int, str | None]]:
    with session_scope(read_only=True) as session:
        rows = session.query(RunPoint).filter_by(run_id=run.id)
        return [(row.kind, row.step, row.values.get("split")) for row in rows]


@pytest.fixture
def small_disk(settings: Settings) -> Iterator[Callable[[Path], None]]:
    """Puts a disk of a few MB under a folder."""
    mounted: list[Path] = []

    def mount(folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        words = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)]
        try:
            subprocess.run(words, capture_output=True, check=True)
        except (OSError, subprocess.CalledProcessError):
            pytest.skip("this user may not mount a small disk")
        mounted.append(folder)

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(disk: Path, *, leave: int = 0) -> None:
    """Write until there is no room left, as any other program might."""
    with (disk / "ballast").open("wb", buffering=0) as sink, contextlib.suppress(OSError):
        while shutil.disk_usage(disk).free > leave:
            sink.write(bytes(4096))


@on_sqlite
def test_a_disk_that_fills_up_during_a_training_ends_it_with_what_to_do(
    workshop: Workshop, working: Working, small_disk: Callable[[Path], None]
) -> None:
    small_disk(get_settings().work_dir)
    run = workshop.train(LONG.model_copy(update={"epochs": 1000}))
    ended = working(run)
    wait_for_phase(run, "evaluating")
    fill(get_settings().work_dir)
    job = ended.result(60 * PATIENCE)
    assert (job.state, job.error_category) == ("failed", "disk")
    assert "Free some space" in (job.error or "")
    assert not trainers(run.id)


@on_sqlite
def test_a_disk_without_room_for_the_model_ends_the_run_with_what_to_do(
    workshop: Workshop, working: Working, small_disk: Callable[[Path], None]
) -> None:
    files = Path(get_settings().storage)
    small_disk(files)
    run = workshop.train(TINY)
    fill(files, leave=64 * 1024)
    job = working(run).result(60 * PATIENCE)
    assert (job.state, job.error_category) == ("failed", "disk")
    assert "Make room" in (job.error or "")
    assert not list(files.glob("models/**/*.safetensors")), "half a model takes room"
    folder = get_settings().work_dir / "runs" / run.id
    assert sorted(path.name for path in folder.iterdir()) == ["lock", "log.txt"]


def test_a_database_that_is_away_for_moments_costs_a_training_nothing(
    workshop: Workshop, working: Working, database: str
) -> None:
    run = workshop.train(LONG)
    ended = working(run)
    wait_for_phase(run, "evaluating")
    with contextlib.ExitStack() as stack:
        if database.startswith("sqlite"):
            path = database.removeprefix("sqlite:///")
            locked = sqlite3.connect(path, timeout=30, isolation_level=None)
            stack.callback(locked.close)
            locked.execute("BEGIN IMMEDIATE")
            wait_for_phase(run, "saving")  # the trainer does not wait for anybody
            locked.execute("ROLLBACK")
        else:
            engine = create_engine(database, isolation_level="AUTOCOMMIT")
            stack.callback(engine.dispose)
            others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"  # noqa: E501
            with engine.connect() as connection:
                for _ in range(5):
                    connection.execute(text(others))
                    told = len(points(run))
                    wait_for(
                        lambda told=told: len(points(run)) > told or ended.done(),
                        within=60,
                        message="nothing is told any more",
                    )
    job = ended.result(60 * PATIENCE)
    assert (job.state, job.attempt) == ("succeeded", 1), job.error
    told = points(run)
    assert len(told) == len(set(told)), "points are stored twice"
    assert (
        sum(kind == "evaluation" and split == "validation" for kind, _, split in told)
        == LONG.epochs
    )


@on_sqlite
@pytest.mark.parametrize("phase", ["starting", "saving"])
def test_a_wish_to_stop_is_granted_within_the_grace_at_any_moment(
    workshop: Workshop, working: Working, phase: str
) -> None:
    run = workshop.train(TINY)
    ended = working(run)
    if phase == "starting":  # before torch is loaded
        wait_for(lambda: trainers(run.id), message="no trainer starts")
    else:
        wait_for_phase(run, "saving")
    workshop.cancel(run.job_id)
    job = ended.result((supervisor.CANCEL_GRACE + 5) * PATIENCE)
    # A model that is just being stored is kept: it was too late to stop.
    assert job.state in ("cancelled", "succeeded" if phase == "saving" else "cancelled")
    assert not trainers(run.id)


@on_sqlite
def test_repeated_and_lost_messages_and_a_broker_without_its_data_change_nothing(
    workshop: Workshop, broker: str, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_long_leases(monkeypatch)
    program = services.group.programs[0]
    services.start_worker("gpu,cpu", name="worker")
    run = workshop.train(LONG)
    for _ in range(3):
        dispatch.wake(run.job_id, "gpu")
    wait_for_phase(run, "training")
    waiting = [workshop.freeze() for _ in range(3)]
    assert program.process is not None
    os.kill(program.process.pid, signal.SIGKILL)
    program.process.wait()
    shutil.rmtree(get_settings().data_dir / "broker")
    services.start_broker()
    for job_id in (run.job_id, *waiting):
        job = wait_for_state(job_id, "succeeded", "failed", within=60, services=services)
        assert job.state == "succeeded", job.error
        assert (job.attempt, job.fence) == (1, 1), "it was done more than once"
    assert sorted(points(run)) == sorted(set(points(run)))
    assert job_of(run.job_id).state == "succeeded"
