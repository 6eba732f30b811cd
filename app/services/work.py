"""Any job, as a member of its project sees it: how it goes, and stopping it the way its kind wants."""

from collections.abc import Callable, Mapping

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import NotFound
from app.i18n import gettext as _
from app.models import DatasetVersion, Import, Job, Run
from app.services import (
    audit,
    deletion,
    export_job,
    frames,
    freezing,
    import_job,
    import_undo,
    importing,
    jobs,
    near_duplicates,
    runs,
)
from app.services.access import Actor, project_for
from app.training import RUN_KINDS

JOB_FUNCTIONS: Mapping[str, Callable[[jobs.Claim], None]] = {
    "import": import_job.run,
    "undo": import_undo.run,
    "freeze": freezing.run,
    "export": export_job.run,
    "frames": frames.run,
    "near_duplicates": near_duplicates.run,
    "delete": deletion.run,
}
"""How each kind of job is done that needs no torch."""


def get(session: Session, actor: Actor, job_id: str) -> Job:
    """A job of a project that this person is a member of. Raises NotFound."""
    job = jobs.get(session, job_id)
    try:
        project_for(session, actor, job.project_id)
    except NotFound:  # a job's id tells nothing either
        raise NotFound(_("There is no such job.")) from None
    return job


def cancel(session: Session, actor: Actor, job_id: str) -> Job:
    """Stop a job. Raises Forbidden for anybody but a manager, Conflict where it is too late."""
    job = get(session, actor, job_id)
    project_for(session, actor, job.project_id, "manager", write=True)
    if job.kind == "import":
        import_id = session.scalars(select(Import.id).where(Import.job_id == job_id)).one()
        importing.cancel(session, actor, job.project_id, import_id)
    elif job.kind in RUN_KINDS:
        run_id = session.scalars(select(Run.id).where(Run.job_id == job_id)).one()
        runs.cancel(session, actor, run_id)
    else:
        jobs.request_cancel(session, job)
        _note_cancel(session, actor, job)
    session.flush()
    return job


def _note_cancel(session: Session, actor: Actor, job: Job) -> None:
    number = session.scalar(select(DatasetVersion.number).where(DatasetVersion.job_id == job.id))
    audit.record(
        session,
        user_id=actor.user_id,
        action="job.cancel" if number is None else "version.cancel",
        project_id=job.project_id,
        subject=job.kind if number is None else str(number),
    )
