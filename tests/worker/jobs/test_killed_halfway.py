"""Imports, versions and deletions whose worker is killed halfway: all of it is done in the end, once."""

import hashlib
import os
import signal
from datetime import timedelta
from io import BytesIO

import pytest
from sqlalchemy import func, insert, select, update

from app.db import session_scope
from app.group.programs import Program
from app.models import (
    Annotation,
    DatasetVersion,
    Example,
    Import,
    Job,
    Project,
    Roleset,
    new_id,
    now,
)
from app.services import (
    batches,
    deletion,
    direct_import,
    frames,
    housekeeping,
    import_job,
    import_undo,
    jobs,
)
from app.services.import_rows import ImportOptions
from app.services.version_files import data_key
from app.settings import get_settings
from app.storage import get_storage
from app.tasks.content import content_hash
from tests.conftest import Services, wait_for
from tests.factories import count
from tests.worker.jobs.conftest import Workshop, job_of, wait_for_state

ROWS = 12_000
on_sqlite = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


def bring_in(workshop: Workshop, rows: int) -> str:
    """Queue an import; the id of its job."""
    sentences = [
        {"text": f"Sentence {n}.", "annotation": {"labels": ["good"]}} for n in range(rows)
    ]
    _row, job = direct_import.bring_in_rows(
        workshop.actor, workshop.project_id, sentences, ImportOptions()
    )
    assert job is not None
    return job.id


def examples_shown() -> int:
    with session_scope(read_only=True) as session:
        return session.query(Project).one().example_count


def kill(program: Program) -> None:
    assert program.process is not None
    os.kill(program.process.pid, signal.SIGKILL)
    program.process.wait()


@on_sqlite
def test_an_import_and_a_version_outlive_their_workers(
    workshop: Workshop, broker: str, services: Services
) -> None:
    first = services.start_worker("cpu", name="first")
    importing_job = bring_in(workshop, ROWS)
    wait_for(lambda: count(Example) > 60, message="nothing is read")
    kill(first)
    shown = examples_shown()
    assert shown == 60 or job_of(importing_job).state == "succeeded", "a part can be seen"
    second = services.start_worker("cpu", name="second")
    wait_for_state(importing_job, "succeeded", services=services)
    assert examples_shown() == count(Example) == 60 + ROWS
    assert count(Example, Example.status != "labelled") == 0

    freezing = workshop.freeze()
    versions = get_settings().data_dir / "files" / "versions"
    wait_for(lambda: any(versions.glob("*/data.jsonl*")), message="nothing is written")
    kill(second)
    services.start_worker("cpu", name="third")
    wait_for_state(freezing, "succeeded", services=services)
    with session_scope(read_only=True) as session:
        version = session.query(DatasetVersion).one()
    with get_storage().reading(data_key(version.id)) as stream:
        content = stream.read()
    assert hashlib.sha256(content).hexdigest() == version.sha256
    assert content.count(b"\n") == version.counts["examples"] == 60 + ROWS


class Killed(BaseException):
    """The process ends here."""


def let_the_lease_run_out(job_id: str) -> None:
    with session_scope() as session:
        past = now() - timedelta(seconds=1)
        session.execute(update(Job).where(Job.id == job_id).values(lease_until=past))
    jobs.reconcile()


def test_what_is_half_visible_is_never_given_up(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "MIN_ROWS", 10)
    monkeypatch.setattr(batches, "MAX_ROWS", 10)
    job_id = bring_in(workshop, 95)
    renew = jobs.renew

    def killed_while_publishing(claim: jobs.Claim, progress: dict[str, object]) -> bool:
        if progress["phase"] == "publishing":
            raise Killed
        return renew(claim, progress)

    for times in range(1, get_settings().job_attempts + 3):
        claim = jobs.claim(job_id, "the test")
        assert claim is not None, f"given up with {examples_shown()} examples to be seen"
        with monkeypatch.context() as patch:
            patch.setattr(jobs, "renew", killed_while_publishing)
            with pytest.raises(Killed):
                import_job.run(claim)
        assert examples_shown() == 60 + times * 10
        let_the_lease_run_out(job_id)
    claim = jobs.claim(job_id, "the test")
    assert claim is not None
    import_job.run(claim)
    assert job_of(job_id).state == "succeeded"
    assert examples_shown() == count(Example) == 60 + 95


@on_sqlite
def test_what_an_import_left_when_it_was_given_up_is_no_duplicate(workshop: Workshop) -> None:
    lost = bring_in(workshop, 5)
    for _ in range(get_settings().job_attempts):
        assert jobs.claim(lost, "a worker that is gone") is not None
        let_the_lease_run_out(lost)
    assert job_of(lost).state == "failed"
    with session_scope() as session:  # as far as the last of them came
        row = session.query(Import).one()
        example = Example(
            project_id=workshop.project_id,
            import_id=row.id,
            inputs={"text": "Sentence 1."},
            content_hash=content_hash("Sentence 1."),
            status="staged",
        )
        session.add(example)
    sentences = [{"text": f"Sentence {n}."} for n in range(5)]
    _row, job = direct_import.bring_in_rows(
        workshop.actor, workshop.project_id, sentences, ImportOptions(on_duplicate="skip")
    )
    assert job is not None
    claim = jobs.claim(job.id, "the test")
    assert claim is not None
    import_job.run(claim)
    assert examples_shown() == 65


def imported(workshop: Workshop, rows: int) -> str:
    """So many labelled examples that an import has brought in, put there at once; the import's id."""
    import_id = new_id()
    with session_scope() as session:
        job = Job(
            kind="import", queue="cpu", project_id=workshop.project_id, state="succeeded", attempt=1
        )
        session.add(job)
        session.flush()
        session.add(
            Import(
                id=import_id,
                project_id=workshop.project_id,
                job_id=job.id,
                filename="rows.csv",
                size=1,
                sha256="0" * 64,
                format="csv",
                published_at=now(),
            )
        )
        project = session.get_one(Project, workshop.project_id)
        project.example_count += rows
        project.labelled_count += rows
        ids = range(1000, 1000 + rows)
        session.execute(
            insert(Example),
            [
                {
                    "id": n,
                    "project_id": project.id,
                    "import_id": import_id,
                    "inputs": {"text": f"Sentence {n}."},
                    "content_hash": f"{n:064x}",
                    "status": "labelled",
                    "gold_id": n,
                }
                for n in ids
            ],
        )
        session.execute(
            insert(Annotation),
            [
                {
                    "id": n,
                    "project_id": project.id,
                    "example_id": n,
                    "source": "import",
                    "revision": 1,
                    "payload": {"labels": ["good"]},
                }
                for n in ids
            ],
        )
    return import_id


def example_count() -> int:
    with session_scope(read_only=True) as session:
        return session.scalar(select(func.count()).select_from(Example)) or 0


@on_sqlite
def test_taking_back_and_deleting_outlive_their_workers(
    workshop: Workshop, broker: str, services: Services
) -> None:
    import_id = imported(workshop, ROWS)
    first = services.start_worker("cpu", name="first")
    with session_scope() as session:
        row = import_undo.start(session, workshop.actor, workshop.project_id, import_id)
    assert row.undo_job_id
    wait_for(lambda: example_count() < 60 + ROWS, message="nothing is removed")
    kill(first)
    assert job_of(row.undo_job_id).state == "running", "it was quicker than the test"
    second = services.start_worker("cpu", name="second")
    done = wait_for_state(row.undo_job_id, "succeeded", services=services)
    assert (done.progress["removed"], done.progress["kept"]) == (ROWS, 0)
    assert examples_shown() == example_count() == 60

    imported(workshop, ROWS)
    with session_scope() as session:
        deletion.start(session, workshop.actor, workshop.project_id)
    wait_for(lambda: example_count() < ROWS, message="nothing is deleted")
    kill(second)
    assert example_count() > 0, "it was quicker than the test"
    services.start_worker("cpu", name="third")
    wait_for(lambda: count(Project) == 0, within=60, message="the project is still there")
    assert (count(Example), count(Annotation), count(Job), count(Import)) == (0, 0, 0, 0)


@on_sqlite
def test_a_deletion_that_was_given_up_goes_on(workshop: Workshop) -> None:
    with session_scope() as session:
        deletion.start(session, workshop.actor, workshop.project_id)
        job = session.query(Job).filter_by(kind="delete").one()
        job.state = "failed"
    housekeeping.tidy()
    housekeeping.tidy()
    with session_scope(read_only=True) as session:
        (waiting,) = session.query(Job).filter_by(kind="delete", state="queued").all()
    claim = jobs.claim(waiting.id, "the test")
    assert claim is not None
    deletion.run(claim)
    assert (count(Project), count(Example), count(Job)) == (0, 0, 0)


def test_frames_that_are_half_read_are_read_again(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frames, "_TELL_EVERY", 1)
    rolesets = "".join(f'<roleset id="give.{n:02}" name="do"/>' for n in range(1, 40))
    file = f'<frameset><predicate lemma="give">{rolesets}</predicate></frameset>'
    row = frames.load(
        workshop.actor, workshop.project_id, filename="give.xml", stream=BytesIO(file.encode())
    )
    renew = jobs.renew
    for phase in ("reading", "storing"):

        def killed(claim: jobs.Claim, progress: dict[str, object], phase: str = phase) -> bool:
            if progress["phase"] == phase and progress["done"]:
                raise jobs.LostLease("its worker is gone")
            return renew(claim, progress)

        claim = jobs.claim(row.job_id, "the test")
        assert claim is not None
        with monkeypatch.context() as patch:
            patch.setattr(jobs, "renew", killed)
            with pytest.raises(jobs.LostLease):
                frames.run(claim)
        let_the_lease_run_out(row.job_id)
    claim = jobs.claim(row.job_id, "the test")
    assert claim is not None
    frames.run(claim)
    assert job_of(row.job_id).state == "succeeded"
    assert count(Roleset) == 39
