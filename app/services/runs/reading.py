"""Runs as people see them: listed, looked at, cancelled, deleted."""

from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.db import after_commit
from app.errors import Conflict, NotFound
from app.i18n import gettext as _
from app.models import FINAL_STATES, DatasetVersion, Job, Member, Project, Run
from app.services import audit, jobs
from app.services.access import Actor, project_for
from app.services.runs.keys import model_key, predictions_key
from app.storage import get_storage


@dataclass(frozen=True, slots=True)
class RunView:
    """A run with what a page says of it."""

    run: Run
    job: Job
    project: Project
    version_number: int | None
    """None where the run is not over a version."""

    @property
    def kind(self) -> str:
        """What the run does: one of `RUN_KINDS`."""
        return self.job.kind


def list_runs(
    session: Session, actor: Actor, project_id: str | None = None, *, limit: int = 100
) -> list[RunView]:
    """Runs that this person sees, newest first; of one project, or of all."""
    query = _views().order_by(Run.created_at.desc(), Run.id).limit(limit)
    if project_id is not None:
        project_for(session, actor, project_id)
        query = query.where(Run.project_id == project_id)
    elif not actor.is_admin:
        query = query.join(Member, Member.project_id == Run.project_id).where(
            Member.user_id == actor.user_id
        )
    return [RunView(*row) for row in session.execute(query)]


def get(session: Session, actor: Actor, run_id: str) -> RunView:
    """One run. Raises NotFound."""
    row = session.execute(_views().where(Run.id == run_id)).first()
    if row is None:
        raise NotFound(_("There is no such run."))
    view = RunView(*row)
    try:
        project_for(session, actor, view.project.id)
    except NotFound:  # a run's id tells nothing either
        raise NotFound(_("There is no such run.")) from None
    return view


def _views() -> Any:
    return (
        select(Run, Job, Project, DatasetVersion.number)
        .join(Job, Job.id == Run.job_id)
        .join(Project, Project.id == Run.project_id)
        .outerjoin(DatasetVersion, DatasetVersion.id == Run.version_id)
    )


def cancel(session: Session, actor: Actor, run_id: str) -> None:
    """Stop a run: at once when it is queued, after its current step when it is running."""
    view = get(session, actor, run_id)
    project_for(session, actor, view.project.id, "manager", write=True)
    jobs.request_cancel(session, view.job)
    audit.record(
        session,
        user_id=actor.user_id,
        action="run.cancel",
        project_id=view.project.id,
        subject=run_id,
        name=view.run.name,
    )


def remove(session: Session, actor: Actor, run_id: str) -> str:
    """Delete an ended run with its model; the id of its project. Raises Conflict while it is going on."""
    view = get(session, actor, run_id)
    project_for(session, actor, view.project.id, "manager", write=True)
    if view.job.state not in FINAL_STATES:
        raise Conflict(_("Cancel the run first, then delete it."))
    audit.record(
        session,
        user_id=actor.user_id,
        action="run.delete",
        project_id=view.project.id,
        subject=run_id,
        name=view.run.name,
    )
    session.delete(view.run)
    session.flush()
    session.delete(view.job)
    for key in (model_key(run_id), predictions_key(run_id)):
        after_commit(session, partial(get_storage().remove, key))
    return view.project.id


def queued_before(session: Session, job: Job) -> int:
    """How many jobs of its queue are ahead of a queued one: those being done, and those whose turn is earlier."""
    if job.state != "queued":
        return 0
    return session.scalar(select(func.count()).select_from(Job).where(jobs.goes_before(job))) or 0


def label_schema(session: Session, view: RunView) -> dict[str, Any]:
    """The labels that a run's model knows: its version's, else its project's."""
    if view.run.version_id is None:
        return view.project.label_schema
    return session.get_one(DatasetVersion, view.run.version_id).label_schema


def require_model(session: Session, actor: Actor, run_id: str) -> RunView:
    """A run that left a model. Raises Conflict where it has none."""
    view = get(session, actor, run_id)
    if view.run.model_size is None:
        raise Conflict(_("This run has no model: it has not succeeded (yet)."))
    return view
