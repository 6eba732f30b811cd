"""Runs as people see them: listed, looked at, cancelled, taken up again, deleted."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from app.db import after_commit
from app.errors import Conflict, InvalidInput, NotFound
from app.i18n import gettext as _
from app.models import FINAL_STATES, DatasetVersion, Job, Member, Project, Run, RunTag
from app.services import audit, jobs
from app.services.access import Actor, project_for
from app.services.runs.keys import keys
from app.storage import get_storage
from app.training import RUN_KINDS


@dataclass(frozen=True, slots=True)
class RunView:
    """A run with what a page says of it."""

    run: Run
    job: Job
    project: Project
    version_number: int | None
    """None where the run is not over a version."""
    tags: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """What the run does: one of `RUN_KINDS`."""
        return self.job.kind

    @property
    def labels(self) -> bool:
        """Whether the run has a model that says labels of texts."""
        return self.run.model_size is not None and RUN_KINDS[self.kind].model_labels

    @property
    def is_scored(self) -> bool:
        """Whether it has predicted examples with gold, and kept what it said."""
        return is_scored(self.run.result)


def is_scored(result: Mapping[str, Any] | None) -> bool:
    """Whether a run with this result has scores."""
    return bool((result or {}).get("metrics"))


def leaves_predictions(kind: str, result: Mapping[str, Any] | None) -> bool:
    """Whether a run of this kind with this result has left a file of predictions."""
    return kind in RUN_KINDS and RUN_KINDS[kind].model_labels and is_scored(result)


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Which runs are wanted."""

    version: int | None = None
    """Only those over this version of the project."""
    tag: str | None = None
    archived: bool = False
    """With those that were put away."""

    def of(self, query: Any) -> Any:
        """A query over runs, left-joined with their versions, narrowed to the wanted ones."""
        if self.version is not None:
            query = query.where(DatasetVersion.number == self.version)
        if self.tag is not None:
            tagged = select(RunTag.run_id).where(RunTag.name == self.tag)
            query = query.where(Run.id.in_(tagged))
        return query if self.archived else query.where(Run.archived_at.is_(None))


@dataclass(frozen=True, slots=True)
class RunPage:
    """Some runs of a long list."""

    runs: list[RunView]
    next_after: str | None
    """Ask again with it for the next ones; None at the end."""


def list_runs(
    session: Session,
    actor: Actor,
    project_id: str | None = None,
    *,
    limit: int = 100,
    after: str | None = None,
    wanted: RunFilter = RunFilter(),
) -> list[RunView]:
    """Runs that this person sees, newest first; of one project, or of all. `after` is the last run seen."""
    query = wanted.of(seen(session, actor, views(), project_id))
    if after is not None:
        last = select(Run.created_at).where(Run.id == after).scalar_subquery()
        query = query.where(
            or_(Run.created_at < last, and_(Run.created_at == last, Run.id < after))
        )
    query = query.order_by(Run.created_at.desc(), Run.id.desc()).limit(limit)
    return with_tags(session, (RunView(*row) for row in session.execute(query)))


def page_of_runs(
    session: Session,
    actor: Actor,
    project_id: str | None = None,
    *,
    limit: int = 100,
    after: str | None = None,
    wanted: RunFilter = RunFilter(),
) -> RunPage:
    """Like `list_runs`, and how it goes on."""
    found = list_runs(session, actor, project_id, limit=limit + 1, after=after, wanted=wanted)
    return RunPage(found[:limit], found[limit - 1].run.id if len(found) > limit else None)


def seen(session: Session, actor: Actor, query: Any, project_id: str | None) -> Any:
    """The query narrowed to runs that this person sees, of one project or of all. Raises NotFound."""
    if project_id is not None:
        project_for(session, actor, project_id)
        return query.where(Run.project_id == project_id)
    if actor.is_admin:
        return query
    mine = select(Member.project_id).where(Member.user_id == actor.user_id)
    return query.where(Run.project_id.in_(mine))


def with_tags(session: Session, found: Iterable[RunView]) -> list[RunView]:
    """The views with their runs' tags in the order of the alphabet."""
    found = list(found)
    tags: dict[str, list[str]] = {view.run.id: [] for view in found}
    rows = select(RunTag.run_id, RunTag.name).where(RunTag.run_id.in_(tags)).order_by(RunTag.name)
    for run_id, name in session.execute(rows) if tags else ():
        tags[run_id].append(name)
    return [replace(view, tags=tuple(tags[view.run.id])) for view in found]


def get(session: Session, actor: Actor, run_id: str) -> RunView:
    """One run. Raises NotFound."""
    row = session.execute(views().where(Run.id == run_id)).first()
    if row is None:
        raise NotFound(_("There is no such run."))
    [view] = with_tags(session, [RunView(*row)])
    try:
        project_for(session, actor, view.project.id)
    except NotFound:  # a run's id tells nothing either
        raise NotFound(_("There is no such run.")) from None
    return view


def get_many(
    session: Session, actor: Actor, project_id: str, run_ids: Sequence[str]
) -> list[RunView]:
    """Runs of a project in the order that is asked for, each once, in one query. Raises InvalidInput."""
    project_for(session, actor, project_id)
    query = views().where(Run.id.in_(run_ids), Run.project_id == project_id)
    found = {
        view.run.id: view
        for view in with_tags(session, (RunView(*row) for row in session.execute(query)))
    }
    if missing := [run_id for run_id in run_ids if run_id not in found]:
        raise InvalidInput.at(
            "runs", _("This project has no run “%(id)s”: it may be deleted.", id=missing[0])
        )
    return [found[run_id] for run_id in dict.fromkeys(run_ids)]


def views() -> Any:
    """A query of what a RunView is made of."""
    return (
        select(Run, Job, Project, DatasetVersion.number)
        .join(Job, Job.id == Run.job_id)
        .join(Project, Project.id == Run.project_id)
        .outerjoin(DatasetVersion, DatasetVersion.id == Run.version_id)
        .where(Project.deleted_at.is_(None))
    )


def managed(session: Session, actor: Actor, run_id: str) -> RunView:
    """A run that this person may change. Raises NotFound, Forbidden."""
    view = get(session, actor, run_id)
    project_for(session, actor, view.project.id, "manager", write=True)
    return view


def note(session: Session, actor: Actor, run: Run, action: str) -> None:
    """Write into the audit trail what this person has done with a run."""
    audit.record(
        session,
        user_id=actor.user_id,
        action=f"run.{action}",
        project_id=run.project_id,
        subject=run.id,
        name=run.name,
    )


def note_download(actor: Actor, view: RunView, what: str) -> None:
    """Write into the audit trail that somebody takes away a run's "model" or "predictions"."""
    audit.record_download(
        actor,
        f"{what}.download",
        project_id=view.project.id,
        subject=view.run.id,
        name=view.run.name,
    )


def cancel(session: Session, actor: Actor, run_id: str) -> None:
    """Stop a run: at once when it is queued, after its current step when it is running."""
    view = managed(session, actor, run_id)
    jobs.request_cancel(session, view.job)
    note(session, actor, view.run, "cancel")


def resume(session: Session, actor: Actor, run_id: str) -> None:
    """Queue a failed or cancelled run again: it goes on from its last checkpoint, where its worker still
    has it, else from the beginning. Raises Conflict for a run in any other state."""
    view = managed(session, actor, run_id)
    jobs.restart(session, view.job)
    note(session, actor, view.run, "resume")


def remove(session: Session, actor: Actor, run_id: str) -> str:
    """Delete an ended run with its model; the id of its project. Raises Conflict while it is going on."""
    view = managed(session, actor, run_id)
    if view.job.state not in FINAL_STATES:
        raise Conflict(_("Cancel the run first, then delete it."))
    note(session, actor, view.run, "delete")
    session.delete(view.run)
    session.flush()
    session.delete(view.job)
    for key in keys(run_id):
        after_commit(session, partial(get_storage().remove, key))
    return view.project.id


def queued_before(session: Session, job: Job) -> int:
    """How many jobs of its queue are ahead of a queued one: those being done, and those whose turn is earlier."""
    if job.state != "queued":
        return 0
    return session.scalar(select(func.count()).select_from(Job).where(jobs.goes_before(job))) or 0


def version_of(session: Session, view: RunView) -> DatasetVersion | None:
    """What the run is over; None where it is not over a version."""
    return session.get(DatasetVersion, view.run.version_id) if view.run.version_id else None


def label_schema(session: Session, view: RunView) -> dict[str, Any]:
    """The labels that a run's model knows: its version's, else its project's."""
    version = version_of(session, view)
    return version.label_schema if version else view.project.label_schema


def require_scored(session: Session, actor: Actor, run_id: str) -> RunView:
    """A run that has predicted examples with gold. Raises Conflict where it has not."""
    view = get(session, actor, run_id)
    if not RUN_KINDS[view.kind].model_labels:
        raise _no_labels(view)
    if not view.is_scored:
        raise Conflict(
            _(
                "The run “%(name)s” has no predictions: it was not evaluated on any examples (yet).",
                name=view.run.name,
            )
        )
    return view


def require_model(session: Session, actor: Actor, run_id: str) -> RunView:
    """A run that left a model. Raises Conflict where it has none."""
    view = get(session, actor, run_id)
    if view.run.model_size is None:
        raise Conflict(_("This run has no model: it has not succeeded (yet)."))
    return view


def require_labels(session: Session, actor: Actor, run_id: str) -> RunView:
    """A run whose model says labels of texts. Raises Conflict where it has none that does."""
    view = require_model(session, actor, run_id)
    if not view.labels:
        raise _no_labels(view)
    return view


def _no_labels(view: RunView) -> Conflict:
    return Conflict(
        _(
            "The run “%(name)s” pre-trained a model, which knows no labels yet: fine-tune it first.",
            name=view.run.name,
        )
    )
