"""Deleting projects: gone for everybody at once; their rows and files go afterwards, bit by bit."""

from typing import Any

from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.orm import Session

from app.db import session_scope
from app.models import (
    ACTIVE_STATES,
    Annotation,
    DatasetVersion,
    DecidedSplit,
    Example,
    FrameImport,
    Import,
    ImportUpdate,
    Job,
    LabelIssue,
    Project,
    Roleset,
    Run,
    RunLog,
    RunPoint,
    Search,
    now,
)
from app.services import audit, jobs
from app.services.access import Actor, project_for
from app.services.batches import Batches
from app.services.frames import frames_key
from app.services.runs.keys import keys as run_keys
from app.storage import get_storage


def start(session: Session, actor: Actor, project_id: str) -> None:
    """Delete a project with everything in it: nobody sees it from now on, its jobs stop, and a job clears what there
    is of it. There is no way back; the audit trail stays."""
    project = project_for(session, actor, project_id, "manager", write=True)
    project.deleted_at = now()
    audit.record(
        session,
        user_id=actor.user_id,
        action="project.delete",
        project_id=project.id,
        subject=project.name,
    )
    jobs.cancel_all(session, Job.project_id == project.id)
    _queue(session, project.id, actor.user_id)


def resume_lost() -> None:
    """Queue the clearing of projects anew whose job was given up, as when the disk was full."""
    clearing = (
        select(Job.id)
        .where(Job.project_id == Project.id, Job.kind == "delete", Job.state.in_(ACTIVE_STATES))
        .exists()
    )
    lost = select(Project.id).where(Project.deleted_at.is_not(None), ~clearing)
    with session_scope(read_only=True) as session:
        if session.scalar(lost.limit(1)) is None:
            return
    with session_scope() as session:
        for project_id in session.scalars(lost.with_for_update(skip_locked=True)).all():
            _queue(session, project_id, None)


def _queue(session: Session, project_id: str, user_id: str | None) -> None:
    jobs.create(session, kind="delete", queue="cpu", project_id=project_id, created_by=user_id)


def run(claim: jobs.Claim) -> None:
    """Clear a deleted project: rows first, in short transactions, then the files that they spoke of; at last the
    project itself, with this job. A later attempt goes on where this one ends."""
    clearing = _Clearing(claim)
    clearing.examples()
    clearing.decided_splits()
    for run_id in clearing.ids(Run):
        for table in (RunPoint, RunLog, LabelIssue):
            clearing.rows(table, table.run_id == run_id)
        clearing.remove(Run, run_id, files=run_keys(run_id))
    for search_id in clearing.ids(Search):
        clearing.remove(Search, search_id)
    for version_id in clearing.ids(DatasetVersion):
        clearing.remove(DatasetVersion, version_id, files=[f"versions/{version_id}"])
    for import_id in clearing.ids(Import):
        clearing.rows(ImportUpdate, ImportUpdate.import_id == import_id)
        clearing.remove(Import, import_id, files=[f"uploads/{import_id}"])
    for load_id in clearing.ids(FrameImport):
        clearing.remove(FrameImport, load_id, files=[frames_key(load_id)])
    clearing.rows(Roleset, Roleset.project_id == claim.project_id)
    clearing.rows(Job, (Job.project_id == claim.project_id) & (Job.id != claim.job_id))
    with session_scope() as session:
        jobs.hold(session, claim)
        session.execute(delete(Project).where(Project.id == claim.project_id))


class _Clearing:
    """Deleting a project's rows, some at a time, while the claim on the job is good."""

    def __init__(self, claim: jobs.Claim) -> None:
        self._claim = claim
        self._batches = Batches()
        with session_scope(read_only=True) as session:
            self._total = session.get_one(Project, claim.project_id).example_count
        self._done = 0

    def ids(self, table: Any) -> list[str]:
        """The ids of the project's rows in a table."""
        with session_scope(read_only=True) as session:
            own = select(table.id).where(table.project_id == self._claim.project_id)
            return list(session.scalars(own))

    def examples(self) -> None:
        """All examples with what was said of them, in the order of their ids."""
        last = 0
        while True:
            with self._batches.transaction() as session:
                jobs.hold(session, self._claim).attempt = 1  # what is done stays done
                found = session.scalars(
                    select(Example.id)
                    .where(Example.project_id == self._claim.project_id, Example.id > last)
                    .order_by(Example.id)
                    .limit(self._batches.rows)
                ).all()
                if not found:
                    return
                last = found[-1]
                session.execute(delete(Annotation).where(Annotation.example_id.in_(found)))
                session.execute(delete(LabelIssue).where(LabelIssue.example_id.in_(found)))
                session.execute(delete(Example).where(Example.id.in_(found)))
            self._done += len(found)
            self._tell()

    def decided_splits(self) -> None:
        """The splits of all texts, in the order of their hashes."""
        last = ""
        while True:
            with self._batches.transaction() as session:
                jobs.hold(session, self._claim).attempt = 1
                own = DecidedSplit.project_id == self._claim.project_id
                found = session.scalars(
                    select(DecidedSplit.content_hash)
                    .where(own, DecidedSplit.content_hash > last)
                    .order_by(DecidedSplit.content_hash)
                    .limit(self._batches.rows)
                ).all()
                if not found:
                    return
                through = (DecidedSplit.content_hash > last) & (
                    DecidedSplit.content_hash <= found[-1]
                )
                session.execute(delete(DecidedSplit).where(own, through))
                last = found[-1]
            self._tell()

    def rows(self, table: Any, which: ColumnElement[bool]) -> None:
        """Whatever matches."""
        found = True
        while found:
            with self._batches.transaction() as session:
                jobs.hold(session, self._claim).attempt = 1
                ids = session.scalars(select(table.id).where(which).limit(self._batches.rows)).all()
                session.execute(delete(table).where(table.id.in_(ids)))
                found = bool(ids)
            self._tell()

    def remove(self, table: Any, row_id: str, files: list[str] | tuple[str, ...] = ()) -> None:
        """One row, then its files: should this end in between, they belong to nothing and are tidied up."""
        with self._batches.transaction() as session:
            jobs.hold(session, self._claim).attempt = 1
            session.execute(delete(table).where(table.id == row_id))
        for key in files:
            get_storage().remove(key)

    def _tell(self) -> None:
        jobs.renew(self._claim, {"phase": "removing", "done": self._done, "total": self._total})
