"""Starting runs: their parameters, their base models, their place in the queue."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.errors import InvalidInput
from app.i18n import gettext as _
from app.models import DatasetVersion, Job, Member, Project, Run, Search, new_id, now
from app.services import jobs
from app.services.access import Actor, project_for
from app.services.runs.reading import RunView, note, views
from app.services.versions import ready
from app.settings import get_settings
from app.tasks import get_task
from app.tasks.base import parse
from app.training import HUB_ID, RUN_KINDS, Base, CrossValidateParams, FineTuneParams, ModelParams

P = TypeVar("P", bound=FineTuneParams)


@dataclass(frozen=True, slots=True)
class Turn:
    """When a run is done, and on what."""

    priority: str = "normal"
    """One of `jobs.PRIORITIES`."""
    device: str | None = None
    """The kind of device it is pinned to: cuda or cpu; None or empty: any."""


def create(
    session: Session,
    actor: Actor,
    project_id: str,
    *,
    version_number: int,
    params: FineTuneParams,
    name: str = "",
    turn: Turn = Turn(),
) -> Run:
    """Queue a fine-tuning over a version. Raises InvalidInput for a base or head that is not to be had."""
    project = project_for(session, actor, project_id, "manager", write=True)
    version = ready(session, actor, project_id, version_number)
    check_fine_tuning(session, actor, project, version, params)
    return queue(
        session,
        actor,
        project,
        kind="finetune",
        params=params,
        version=version,
        name=name or default_name(session, project, params, params.head),
        turn=turn,
    )


def cross_validate(
    session: Session,
    actor: Actor,
    project_id: str,
    *,
    version_number: int,
    params: CrossValidateParams,
    name: str = "",
    turn: Turn = Turn(),
) -> Run:
    """Queue a cross-validation over a version's training and validation splits. Raises InvalidInput."""
    project = project_for(session, actor, project_id, "manager", write=True)
    version = ready(session, actor, project_id, version_number)
    check_fine_tuning(session, actor, project, version, params)
    splits = version.counts["splits"]
    if params.folds > (there := splits["train"] + splits["validation"]):
        raise InvalidInput.at(
            "folds",
            _(
                "%(folds)s folds need at least as many training and validation examples, and there are "
                "%(there)s.",
                folds=params.folds,
                there=there,
            ),
        )
    return queue(
        session,
        actor,
        project,
        kind="crossvalidate",
        params=params,
        version=version,
        name=name or f"{default_name(session, project, params, params.head)} × {params.folds}",
        turn=turn,
    )


def check_fine_tuning(
    session: Session,
    actor: Actor,
    project: Project,
    version: DatasetVersion,
    params: FineTuneParams,
) -> None:
    """Raises InvalidInput where the version cannot be trained on so."""
    task = get_task(project.task)
    if params.head not in task.heads:
        raise InvalidInput.at("head", _("This task has no head “%(head)s”.", head=params.head))
    if not version.counts["splits"]["train"]:
        raise InvalidInput(
            _("The version has no training examples: freeze one with a larger training split.")
        )
    check_base(session, actor, project, params)


def queue(
    session: Session,
    actor: Actor,
    project: Project,
    *,
    kind: str,
    params: ModelParams,
    version: DatasetVersion | None,
    name: str,
    turn: Turn = Turn(),
    run_id: str | None = None,
    secret: str | None = None,
) -> Run:
    """Queue a run of any kind for a worker, and note who did it. The parameters have been checked.

    Raises InvalidInput for a turn that there is not. `run_id` is that of a run whose file is stored already.
    """
    job = jobs.create(
        session,
        kind=kind,
        queue=RUN_KINDS[kind].queue,
        project_id=project.id,
        created_by=actor.user_id,
        priority=check_priority(turn.priority),
        device=check_device(turn.device),
        secret=secret,
    )
    run = Run(
        id=run_id or new_id(),
        project_id=project.id,
        version_id=version.id if version else None,
        job_id=job.id,
        name=name.strip()[:200],
        params=params.model_dump(mode="json"),
        created_by=actor.user_id,
    )
    session.add(run)
    session.flush()
    note(session, actor, run, "create")
    return run


def queue_search(
    session: Session,
    actor: Actor,
    search: Search,
    *,
    sets: Sequence[FineTuneParams],
    turn: Turn,
) -> None:
    """Queue the fine-tunings of a search, in few statements however many there are."""
    priority, device = check_priority(turn.priority), check_device(turn.device)
    started = [
        jobs.create(
            session,
            kind="finetune",
            queue=RUN_KINDS["finetune"].queue,
            project_id=search.project_id,
            created_by=actor.user_id,
            priority=priority,
            device=device,
            flush=False,
        )
        for _params in sets
    ]
    began = now()
    for n, job in enumerate(started):  # in this order: a clock says the same time twice
        job.created_at = began + timedelta(microseconds=n)
    session.flush()
    session.add_all(
        Run(
            id=new_id(),
            project_id=search.project_id,
            version_id=search.version_id,
            job_id=job.id,
            search_id=search.id,
            name=f"{search.name} #{n}",
            params=params.model_dump(mode="json"),
            created_by=actor.user_id,
        )
        for n, (job, params) in enumerate(zip(started, sets, strict=True), 1)
    )
    session.flush()


def check_priority(word: str) -> int:
    """The priority of this name. Raises InvalidInput."""
    if word not in jobs.PRIORITIES:
        known = ", ".join(jobs.PRIORITIES)
        raise InvalidInput.at(
            "priority", _("“%(word)s”: choose one of %(known)s.", word=word, known=known)
        )
    return jobs.PRIORITIES[word]


def check_device(word: str | None) -> jobs.Device | None:
    """The kind of device of this name; an empty one is any. Raises InvalidInput."""
    match word:
        case None | "":
            return None
        case "cuda" | "cpu":
            return word
    raise InvalidInput.at(
        "device", _("“%(word)s”: choose one of %(known)s.", word=word, known="cuda, cpu")
    )


def suggested_params(task: str, version: DatasetVersion, base: Base = "packaged") -> FineTuneParams:
    """What a run starts from where nobody says otherwise: the task's defaults, fitted to base and version."""
    params = get_task(task).training_defaults.for_base(base)
    return params.fitted_to(version.counts["splits"]["train"])


def params_from(
    session: Session,
    actor: Actor,
    project_id: str,
    version_number: int,
    wishes: dict[str, Any],
    params_type: type[P] = FineTuneParams,  # type: ignore[assignment]
) -> P:
    """The suggested parameters for a version with what somebody wishes otherwise. Raises InvalidInput."""
    project = project_for(session, actor, project_id)
    version = ready(session, actor, project_id, version_number)
    suggested = suggested_params(project.task, version, wishes.get("base", "packaged"))
    values = {**suggested.model_dump(), **wishes}
    return parse(params_type, values, _("The run cannot be started as it is."))


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


def base_runs(session: Session, actor: Actor, project: Project) -> list[RunView]:
    """The newest 100 earlier runs whose models may be trained further: pre-trained ones of any project that
    this person sees, and others of the project's task."""
    query = _base_runs(actor, project).order_by(Run.created_at.desc()).limit(100)
    return [RunView(*row) for row in session.execute(query)]


def _base_runs(actor: Actor, project: Project) -> Any:
    of_any_task = [kind.name for kind in RUN_KINDS.values() if not kind.model_labels]
    query = views().where(
        Run.model_size.is_not(None),
        (Project.task == project.task) | Job.kind.in_(of_any_task),
    )
    if not actor.is_admin:
        query = query.join(Member, Member.project_id == Run.project_id).where(
            Member.user_id == actor.user_id
        )
    return query


def check_base(session: Session, actor: Actor, project: Project, params: ModelParams) -> None:
    """Raises InvalidInput for a base model that is not there, or that this person may not use."""
    reference = (params.base_ref or "").strip()
    if params.base == "hub" and not HUB_ID.fullmatch(reference):
        raise InvalidInput.at(
            "base_ref",
            _(
                "“%(name)s” is not the id of a hub model, such as google-bert/bert-base-chinese. A folder "
                "on the worker's disk can be chosen once ANNOTUNE_MODEL_DIRS names the one it lies in.",
                name=reference,
            ),
        )
    if params.base == "folder" and reference not in base_folders():
        raise InvalidInput.at(
            "base_ref", _("There is no base model folder “%(name)s”.", name=reference)
        )
    if params.base == "run":
        found = session.execute(_base_runs(actor, project).where(Run.id == reference)).first()
        if found is None:
            raise InvalidInput.at(
                "base_ref", _("There is no such earlier run with a model for this task.")
            )


def default_name(session: Session, project: Project, params: ModelParams, what: str) -> str:
    """What a run is called where nobody says otherwise: after its base model and what it does."""
    number = session.scalar(select(func.count()).where(Run.project_id == project.id)) or 0
    base = {"packaged": "MiniLM", "scratch": "scratch"}.get(params.base) or str(params.base_ref)
    return f"{base} {what} #{number + 1}"
