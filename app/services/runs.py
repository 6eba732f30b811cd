"""Training runs: starting them, what they report, and the models they leave."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import Session

from app.db import after_commit, session_scope
from app.errors import Conflict, InvalidInput, NotFound
from app.i18n import gettext as _
from app.models import (
    ACTIVE_STATES,
    FINAL_STATES,
    DatasetVersion,
    Job,
    Member,
    Project,
    Run,
    RunLog,
    RunPoint,
)
from app.services import audit, dispatch, jobs
from app.services.access import Actor, project_for
from app.services.versions import data_key, ready
from app.settings import get_settings
from app.storage import get_storage
from app.tasks import get_task
from app.tasks.base import parse
from app.tasks.training import Base, FineTuneParams

MAX_CURVE_POINTS = 1000
MAX_PREDICT_TEXTS = 64
MAX_PREDICT_CHARACTERS = 20_000
_LOG_TAIL = 64_000
_PREDICT_TIMEOUT = 60.0


@dataclass(frozen=True, slots=True)
class RunView:
    """A run with what a page says of it."""

    run: Run
    job: Job
    project: Project
    version_number: int


@dataclass(frozen=True, slots=True)
class RunSpec:
    """What the worker needs to know to carry out a run."""

    run_id: str
    task: str
    language: str
    schema: dict[str, Any]
    params: FineTuneParams
    version_key: str


def model_key(run_id: str) -> str:
    """Where a run's model lies in the storage."""
    return f"models/{run_id}"


def predictions_key(run_id: str) -> str:
    """Where a run's predictions of its validation and test splits lie in the storage."""
    return f"predictions/{run_id}.jsonl"


def create(
    session: Session,
    actor: Actor,
    project_id: str,
    *,
    version_number: int,
    params: FineTuneParams,
    name: str = "",
) -> Run:
    """Queue a fine-tuning over a version. Raises InvalidInput for a base or head that is not to be had."""
    project = project_for(session, actor, project_id, "manager", write=True)
    version = ready(session, actor, project_id, version_number)
    task = get_task(project.task)
    if params.head not in task.heads:
        raise InvalidInput.at("head", _("This task has no head “%(head)s”.", head=params.head))
    if not version.counts["splits"]["train"]:
        raise InvalidInput(
            _("The version has no training examples: freeze one with a larger training split.")
        )
    _check_base(session, actor, project, params)
    job = jobs.create(
        session, kind="finetune", queue="gpu", project_id=project_id, created_by=actor.user_id
    )
    run = Run(
        project_id=project_id,
        version_id=version.id,
        job_id=job.id,
        name=name.strip()[:200] or _default_name(session, project, params),
        params=params.model_dump(mode="json"),
        created_by=actor.user_id,
    )
    session.add(run)
    session.flush()
    audit.record(
        session,
        user_id=actor.user_id,
        action="run.create",
        project_id=project_id,
        subject=run.id,
        name=run.name,
    )
    return run


def suggested_params(task: str, version: DatasetVersion, base: Base = "packaged") -> FineTuneParams:
    """What a run starts from where nobody says otherwise: the task's defaults, fitted to base and version."""
    params = get_task(task).training_defaults.for_base(base)
    return params.fitted_to(version.counts["splits"]["train"])


def params_from(
    session: Session, actor: Actor, project_id: str, version_number: int, wishes: dict[str, Any]
) -> FineTuneParams:
    """The suggested parameters for a version with what somebody wishes otherwise. Raises InvalidInput."""
    project = project_for(session, actor, project_id)
    version = ready(session, actor, project_id, version_number)
    suggested = suggested_params(project.task, version, wishes.get("base", "packaged"))
    values = {**suggested.model_dump(), **wishes}
    return parse(FineTuneParams, values, _("The run cannot be started as it is."))


def base_folders() -> list[str]:
    """Names of the base models that the operator put into the model folders."""
    return sorted(
        {
            folder.name
            for root in get_settings().model_dirs
            if root.is_dir()
            for folder in root.iterdir()
            if (folder / "config.json").is_file()
        }
    )


def base_runs(session: Session, actor: Actor, project: Project) -> list[Run]:
    """Earlier runs of the project's task whose models may be trained further."""
    query = (
        select(Run)
        .join(Project, Project.id == Run.project_id)
        .where(Project.task == project.task, Run.model_size.is_not(None))
        .order_by(Run.created_at.desc())
        .limit(100)
    )
    if not actor.is_admin:
        query = query.join(Member, Member.project_id == Run.project_id).where(
            Member.user_id == actor.user_id
        )
    return list(session.scalars(query))


def _check_base(session: Session, actor: Actor, project: Project, params: FineTuneParams) -> None:
    reference = params.base_ref or ""
    if params.base == "folder" and reference not in base_folders():
        raise InvalidInput.at(
            "base_ref", _("There is no base model folder “%(name)s”.", name=reference)
        )
    if params.base == "run" and reference not in {r.id for r in base_runs(session, actor, project)}:
        raise InvalidInput.at(
            "base_ref", _("There is no such earlier run with a model for this task.")
        )


def _default_name(session: Session, project: Project, params: FineTuneParams) -> str:
    number = session.scalar(select(func.count()).where(Run.project_id == project.id)) or 0
    base = {"packaged": "MiniLM", "scratch": "scratch"}.get(params.base) or str(params.base_ref)
    return f"{base} {params.head} #{number + 1}"


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
        .join(DatasetVersion, DatasetVersion.id == Run.version_id)
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
    """How many jobs of its queue are ahead of a queued one."""
    if job.state != "queued":
        return 0
    return (
        session.scalar(
            select(func.count()).where(
                Job.queue == job.queue,
                Job.state.in_(ACTIVE_STATES),
                Job.created_at < job.created_at,
            )
        )
        or 0
    )


def points(
    session: Session, run_id: str, kind: str, *, after_step: int = -1
) -> list[dict[str, Any]]:
    """A run's steps or evaluations in order, thinned evenly to at most 1,000; the last one always stays."""
    rows = session.execute(
        select(RunPoint.step, RunPoint.values)
        .where(RunPoint.run_id == run_id, RunPoint.kind == kind, RunPoint.step > after_step)
        .order_by(RunPoint.step, RunPoint.id)
    ).all()
    stride = -(-len(rows) // MAX_CURVE_POINTS) or 1
    kept = rows[::-1][::stride][::-1]
    return [{"step": step, **values} for step, values in kept]


def log_tail(session: Session, run_id: str) -> str:
    """The end of a run's log, up to about 64,000 characters."""
    pieces: list[str] = []
    size = 0
    for text in session.scalars(
        select(RunLog.text).where(RunLog.run_id == run_id).order_by(RunLog.id.desc()).limit(500)
    ):
        pieces.append(text)
        size += len(text)
        if size > _LOG_TAIL:
            break
    return "".join(reversed(pieces))[-_LOG_TAIL:]


def log_chunks(run_id: str) -> Iterator[bytes]:
    """A run's whole log, piece by piece; opens its own session."""
    with session_scope(read_only=True) as session:
        ids = session.scalars(
            select(RunLog.id).where(RunLog.run_id == run_id).order_by(RunLog.id)
        ).all()
    for log_id in ids:
        with session_scope(read_only=True) as session:
            piece = session.get(RunLog, log_id)
        if piece is not None:
            yield piece.text.encode()


def require_model(session: Session, actor: Actor, run_id: str) -> RunView:
    """A run that left a model. Raises Conflict where it has none."""
    view = get(session, actor, run_id)
    if view.run.model_size is None:
        raise Conflict(_("This run has no model: it has not succeeded (yet)."))
    return view


def predict(actor: Actor, run_id: str, texts: list[str]) -> list[dict[str, Any]]:
    """What the run's model says of some texts, computed by a worker. Opens its own session.

    Raises InvalidInput for too many or too long texts, Unavailable when no worker answers.
    """
    if not texts or not all(text.strip() for text in texts):
        raise InvalidInput.at("texts", _("Give a text to try."))
    if len(texts) > MAX_PREDICT_TEXTS or sum(map(len, texts)) > MAX_PREDICT_CHARACTERS:
        raise InvalidInput.at(
            "texts",
            _(
                "At most %(n)s texts with together %(m)s characters at a time.",
                n=MAX_PREDICT_TEXTS,
                m=MAX_PREDICT_CHARACTERS,
            ),
        )
    with session_scope(read_only=True) as session:
        require_model(session, actor, run_id)
    answer = dispatch.ask(dispatch.PREDICT, [run_id, texts], queue="cpu", timeout=_PREDICT_TIMEOUT)
    if "error" in answer:
        raise InvalidInput(answer["error"])
    predictions: list[dict[str, Any]] = answer["predictions"]
    return predictions


# -- the worker's side --------------------------------------------------------------------------


def prepare(claim: jobs.Claim) -> RunSpec:
    """What the claimed job is to do."""
    with session_scope(read_only=True) as session:
        run, project, version = session.execute(
            select(Run, Project, DatasetVersion)
            .join(Project, Project.id == Run.project_id)
            .join(DatasetVersion, DatasetVersion.id == Run.version_id)
            .where(Run.job_id == claim.job_id)
        ).one()
        return RunSpec(
            run_id=run.id,
            task=project.task,
            language=project.language,
            schema=version.label_schema,
            params=FineTuneParams(**run.params),
            version_key=data_key(version.id),
        )


def record(
    claim: jobs.Claim,
    *,
    points: list[dict[str, Any]],
    log: str = "",
    environment: dict[str, Any] | None = None,
    progress: dict[str, Any] | None = None,
    resumed_at: int | None = None,
) -> bool:
    """Store what a run reported since last time, and renew its lease; all of it, or nothing.

    Points are the engine's "step" and "evaluation" lines. `resumed_at` voids points of later steps, which
    an earlier attempt left. False: the person wants the run cancelled. Raises LostLease.
    """
    going_on = jobs.renew(claim, progress)
    if not (points or log or environment or resumed_at is not None):
        return going_on
    with session_scope() as session:
        jobs.hold(session, claim)
        run = session.scalars(select(Run).where(Run.job_id == claim.job_id)).one()
        if resumed_at is not None:
            session.execute(
                delete(RunPoint).where(RunPoint.run_id == run.id, RunPoint.step > resumed_at)
            )
        if environment is not None:
            run.environment = environment
        if points:
            session.execute(insert(RunPoint), [_point_row(run.id, point) for point in points])
        if log:
            session.add(RunLog(run_id=run.id, text=log.replace("\x00", "")))
    return going_on


def _point_row(run_id: str, point: dict[str, Any]) -> dict[str, Any]:
    values = {key: value for key, value in point.items() if key not in ("type", "step")}
    return {"run_id": run_id, "kind": point["type"], "step": point["step"], "values": values}


def complete(
    claim: jobs.Claim, result: dict[str, Any], model_folder: Path, predictions: Path
) -> None:
    """Store the model and the predictions, and end the run well. Raises LostLease, and then nothing was ended."""
    with session_scope() as session:
        jobs.hold(session, claim)
        run_id = session.scalars(select(Run.id).where(Run.job_id == claim.job_id)).one()
    storage = get_storage()
    with predictions.open("rb") as source, storage.writing(predictions_key(run_id)) as sink:
        shutil.copyfileobj(source, sink)
    size = storage.put_folder(model_folder, model_key(run_id))
    with session_scope() as session:
        jobs.succeed(session, claim)
        run = session.get_one(Run, run_id)
        run.result, run.model_size = result, size
