"""Exports of large versions are made by a job: the file, and what its format cannot say."""

import time
from dataclasses import dataclass, replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db import session_scope
from app.models import DatasetVersion, Job, Project, VersionExport
from app.services import audit, export_files, export_notes, exporting, jobs
from app.services.access import Actor, project_for, require_write
from app.services.export_files import ExportOptions, Plan
from app.services.export_notes import Notes
from app.services.version_files import verify

_TELL_EVERY = 0.5
"""Seconds."""


@dataclass(frozen=True, slots=True)
class State:
    """How far an export is."""

    options: ExportOptions
    size: int | None
    """Bytes of the file, if it is there."""
    notes: Notes | None
    """None: nobody has gone through the version yet."""
    job: Job | None
    """The last one that made it, or is to."""

    @property
    def is_ready(self) -> bool:
        """Whether the file and the notes are there."""
        return self.size is not None and self.notes is not None


def state(
    session: Session, actor: Actor, project_id: str, number: int, options: ExportOptions
) -> State:
    """How far an export is. Raises InvalidInput for a format that the task has not."""
    return _state(session, exporting.plan_export(session, actor, project_id, number, options))


def make_small(
    session: Session, actor: Actor, project_id: str, number: int, options: ExportOptions
) -> State:
    """The same, after an export of a small version was made at once. Raises Gone or Damaged, too."""
    plan = exporting.plan_export(session, actor, project_id, number, options)
    if exporting.is_small(plan):
        verify(plan.version)
        exporting.make(plan)
    return _state(session, plan)


def prepare(
    session: Session, actor: Actor, project_id: str, number: int, options: ExportOptions
) -> State:
    """Have an export made by a job. One that is there or is being made is not made again."""
    require_write(actor)
    plan = exporting.plan_export(session, actor, project_id, number, options)
    found = _state(session, plan)
    if found.is_ready or (found.job and found.job.state in ("queued", "running")):
        return found
    job = jobs.create(
        session, kind="export", queue="cpu", project_id=project_id, created_by=actor.user_id
    )
    options = plan.options
    row = VersionExport(version_id=plan.version.id, job_id=job.id, options=options.model_dump())
    session.add(row)
    session.flush()
    return replace(found, job=job)


def cancel(
    session: Session, actor: Actor, project_id: str, number: int, options: ExportOptions
) -> State:
    """Stop making an export. Raises Forbidden for anybody but a manager."""
    project_for(session, actor, project_id, "manager", write=True)
    found = state(session, actor, project_id, number, options)
    if found.job is not None:
        jobs.request_cancel(session, found.job)
        audit.record(
            session,
            user_id=actor.user_id,
            action="job.cancel",
            project_id=project_id,
            subject=found.job.kind,
        )
    return found


def run(claim: jobs.Claim) -> None:
    """Make the export that a job is for."""
    with session_scope(read_only=True) as session:
        row = session.scalars(
            select(VersionExport).where(VersionExport.job_id == claim.job_id)
        ).one()
        version = session.get_one(DatasetVersion, row.version_id)
        project = session.get_one(Project, version.project_id)
    plan = export_files.plan(project, version, ExportOptions(**row.options))
    total = 2 * plan.version.counts["examples"]
    told = 0.0

    def tell(done: int) -> None:
        nonlocal told
        if time.monotonic() - told > _TELL_EVERY:
            told = time.monotonic()
            if not jobs.renew(claim, {"phase": "exporting", "done": done, "total": total}):
                raise jobs.Cancelled

    verify(version)
    tell(0)
    if export_notes.find(plan) is None:
        export_notes.gather(plan, lambda records: tell(records.read))
    if exporting.find(plan) is None:
        records = plan.records()
        for _piece in export_files.make(plan, records):
            tell(min(total, total // 2 + records.read))
    with session_scope() as session:
        jobs.succeed(session, claim, {"done": total, "total": total})


def _state(session: Session, plan: Plan) -> State:
    slip = exporting.find(plan, digest=False)
    size = slip.size if slip else None
    return State(plan.options, size, export_notes.find(plan), _last_job(session, plan))


def _last_job(session: Session, plan: Plan) -> Job | None:
    rows = session.execute(
        select(VersionExport.options, Job)
        .join(Job, Job.id == VersionExport.job_id)
        .where(VersionExport.version_id == plan.version.id)
        .order_by(VersionExport.created_at.desc(), VersionExport.id)
    )
    wanted = plan.options.model_dump()
    return next((job for options, job in rows if options == wanted), None)
