"""A version holds a whole state: whatever becomes visible, is taken back or is relabelled while it is written."""

import threading
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

import orjson
import pytest

from app.db import session_scope
from app.formats.example import id_of, read_line
from app.models import Annotation, DatasetVersion, Example, Import, Job, Project, new_id
from app.services import (
    annotating,
    direct_import,
    import_job,
    import_undo,
    jobs,
    splits,
    versions,
)
from app.services.import_rows import ImportOptions
from app.services.version_files import data_key, lines
from app.storage import get_storage
from tests.conftest import wait_for
from tests.factories import count, work_off
from tests.worker.jobs.conftest import Workshop, job_of

LABELLED = 60
ROWS = 500


def start_import(workshop: Workshop, rows: int = ROWS, label: str = "good") -> tuple[str, str]:
    """Queue an import of labelled rows; its id, and its job's."""
    sentences = [{"text": f"Sentence {n}.", "annotation": {"labels": [label]}} for n in range(rows)]
    row, job = direct_import.bring_in_rows(
        workshop.actor, workshop.project_id, sentences, ImportOptions()
    )
    assert job is not None
    return row.id, job.id


def lines_of(job_id: str) -> list[dict[str, Any]]:
    """What a written version holds."""
    with session_scope(read_only=True) as session:
        version = session.query(DatasetVersion).filter_by(job_id=job_id).one()
    with get_storage().reading(data_key(version.id)) as stream:
        return [orjson.loads(line) for line in stream]


class Halfway:
    """Stops a piece of long work at one of its reports of progress, until it may go on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, when: Callable[[dict[str, Any]], bool]):
        self.reached, self.go_on = threading.Event(), threading.Event()
        renew = jobs.renew

        def stopping(claim: jobs.Claim, progress: dict[str, Any] | None = None) -> bool:
            if progress is not None and when(progress) and not self.reached.is_set():
                self.reached.set()
                assert self.go_on.wait(60)
            return renew(claim, progress)

        monkeypatch.setattr(jobs, "renew", stopping)

    @contextmanager
    def work(self, job_id: str) -> Any:
        """Do the job in a thread, which stands still inside the block."""
        thread = threading.Thread(target=work_off, args=(job_id,))
        thread.start()
        try:
            wait_for(self.reached.is_set, message="the work never came so far")
            yield
        finally:
            self.go_on.set()
            thread.join(60)
        assert job_of(job_id).state == "succeeded", job_of(job_id).error


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.services.batches.MAX_ROWS", 50)
    monkeypatch.setattr("app.services.import_job._BATCH", 50)
    monkeypatch.setattr("app.services.freezing._CHUNK", 50)


def test_a_version_asked_for_while_an_import_becomes_visible_has_all_of_it(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    _id, importing_job = start_import(workshop)
    halfway = Halfway(monkeypatch, lambda progress: progress.get("phase") == "publishing")
    with halfway.work(importing_job):
        shown = count(Example, Example.status != "staged")
        assert LABELLED < shown < LABELLED + ROWS, "the test means a moment in between"
        freezing = workshop.freeze()
        assert work_off(freezing).state == "succeeded"
        assert len(lines_of(freezing)) == LABELLED + ROWS
    later = workshop.freeze()
    assert work_off(later).state == "succeeded"
    assert lines_of(later) == lines_of(freezing)


def test_a_version_asked_for_before_an_import_becomes_visible_has_nothing_of_it(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    _id, importing_job = start_import(workshop, label="lovely")
    halfway = Halfway(monkeypatch, lambda progress: progress.get("phase") == "reading")
    with halfway.work(importing_job):
        assert count(Annotation) > LABELLED, "the test means a moment when rows are staged"
        freezing = workshop.freeze()
    assert count(Example, Example.status != "staged") == LABELLED + ROWS
    assert work_off(freezing).state == "succeeded"
    assert len(lines_of(freezing)) == LABELLED
    with session_scope(read_only=True) as session:
        version = session.query(DatasetVersion).filter_by(job_id=freezing).one()
    assert "lovely" not in str(version.label_schema)


def test_a_version_that_is_being_written_keeps_what_is_taken_back_meanwhile(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_id, importing_job = start_import(workshop)
    assert work_off(importing_job).state == "succeeded"
    freezing = workshop.freeze()
    halfway = Halfway(monkeypatch, lambda progress: 0 < progress.get("done", 0) < LABELLED + ROWS)
    with halfway.work(freezing):
        undoing = undo(workshop, import_id)
        work_off(undoing)
        assert job_of(undoing).state == "queued", "it waits until the version is written"
        assert count(Example) == LABELLED + ROWS
    assert len(lines_of(freezing)) == LABELLED + ROWS
    assert work_off(undoing).state == "succeeded"
    assert count(Example) == LABELLED


def test_a_version_asked_for_while_an_import_is_taken_back_has_nothing_of_it(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_id, importing_job = start_import(workshop)
    assert work_off(importing_job).state == "succeeded"
    with session_scope(read_only=True) as session:
        found = session.query(Example.id).filter_by(import_id=import_id).order_by(Example.id).all()
    kept = found[-1].id
    say(workshop, kept, "bad")  # what somebody has worked on stays
    undoing = undo(workshop, import_id)
    halfway = Halfway(
        monkeypatch, lambda told: told.get("phase") == "removing" and told["done"] > 0
    )
    with halfway.work(undoing):
        assert LABELLED < count(Example) < LABELLED + ROWS, "the test means a moment in between"
        freezing = workshop.freeze()
        assert work_off(freezing).state == "succeeded"
        lines = lines_of(freezing)
    assert len(lines) == LABELLED + 1
    assert lines[-1]["id"] == kept
    assert job_of(undoing).progress["removed"] == ROWS - 1
    assert job_of(undoing).progress["kept"] == 1


def test_what_is_said_while_a_version_is_written_is_in_the_next(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.services.freezing._CHUNK", 20)
    freezing = workshop.freeze()
    halfway = Halfway(monkeypatch, lambda progress: 0 < progress.get("done", 0) < LABELLED)
    with halfway.work(freezing):
        with session_scope(read_only=True) as session:
            last = session.query(Example.id).order_by(Example.id.desc()).first()
        assert last is not None
        say(workshop, last.id, "good")
    assert lines_of(freezing)[-1]["annotation"] == {"labels": ["bad"]}
    later = workshop.freeze()
    work_off(later)
    assert lines_of(later)[-1]["annotation"] == {"labels": ["good"]}


def test_an_import_that_failed_leaves_nothing_in_a_version(workshop: Workshop) -> None:
    import_id, importing_job = start_import(workshop)
    claim = jobs.claim(importing_job, "a worker that is gone")
    assert claim is not None
    with session_scope(read_only=True) as session:
        row, project = session.get_one(Import, import_id), workshop.project_id
        assert row.project_id == project
    import_job._stage(claim, row, _project(project))
    with session_scope() as session:  # its worker died before it was published, once too often
        session.get_one(Job, importing_job).state = "failed"
    freezing = workshop.freeze()
    assert work_off(freezing).state == "succeeded"
    assert len(lines_of(freezing)) == LABELLED


def test_a_version_that_failed_is_written_under_the_same_number(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    freezing = workshop.freeze()
    with monkeypatch.context() as patch:
        patch.setattr(splits, "split_of", lambda *_a: 1 / 0)
        failed = work_off(freezing)
    assert failed.state == "failed"
    assert failed.error
    with session_scope() as session:
        versions.retry(session, workshop.actor, workshop.project_id, 1)
    assert work_off(freezing).state == "succeeded"
    assert len(lines_of(freezing)) == LABELLED


def test_a_version_that_never_came_to_be_gives_its_number_to_the_next(workshop: Workshop) -> None:
    first = workshop.freeze()
    workshop.cancel(first)
    second = workshop.freeze()
    work_off(second)
    with session_scope(read_only=True) as session:
        found = session.query(DatasetVersion).one()
    assert (found.number, found.job_id) == (1, second)


def say(workshop: Workshop, example_id: int, label: str) -> None:
    """Label an example anew."""
    with session_scope() as session:
        newest = session.query(Annotation).filter_by(example_id=example_id)
        draft = annotating.Draft(
            payload={"labels": [label]},
            base=newest.order_by(Annotation.id.desc()).first().id,
            client_key=new_id(),
            effect="replace",
        )
        annotating.save(session, workshop.actor, workshop.project_id, example_id, draft)


def undo(workshop: Workshop, import_id: str) -> str:
    """Ask for an import to be taken back; the job that does it."""
    with session_scope() as session:
        row = import_undo.start(session, workshop.actor, workshop.project_id, import_id)
    assert row.undo_job_id is not None
    return row.undo_job_id


def _project(project_id: str) -> Project:
    with session_scope(read_only=True) as session:
        return session.get_one(Project, project_id)


def test_a_version_keeps_all_inputs_of_an_example(workshop: Workshop) -> None:
    inputs = {"text": "Is it?", "second": "It is.", "about": {"long name": 1, "b": [2, 3]}}
    meta = {"nested": {"long name": 1, "b": {"cc": 1, "a": 2}}, "a": "ü"}
    with session_scope() as session:
        example = session.query(Example).first()
        assert example is not None
        example.inputs, example.meta = inputs, meta
    freezing = workshop.freeze()
    assert work_off(freezing).state == "succeeded"
    with session_scope(read_only=True) as session:
        version = session.query(DatasetVersion).filter_by(job_id=freezing).one()
    (line,) = [line for line in lines(version) if id_of(line) == example.id]
    # The same bytes on both databases, though one of them has an order of its own for names.
    assert b'"about":{"b":[2,3],"long name":1},"second":"It is."},' in line
    assert line.endswith('"meta":{"a":"ü","nested":{"b":{"a":2,"cc":1},"long name":1}}}\n'.encode())
    assert read_line(line).inputs == {**inputs, "tokens": None}
