"""Starting runs: their parameters, their base models, their place in the queue."""

from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.errors import InvalidInput
from app.i18n import gettext as _
from app.models import DatasetVersion, Member, Project, Run
from app.services import audit, jobs
from app.services.access import Actor, project_for
from app.services.versions import ready
from app.settings import get_settings
from app.tasks import get_task
from app.tasks.base import parse
from app.training import Base, FineTuneParams, TrainingParams


def create(
    session: Session,
    actor: Actor,
    project_id: str,
    *,
    version_number: int,
    params: FineTuneParams,
    name: str = "",
    priority: str = "normal",
    device: str | None = None,
) -> Run:
    """Queue a fine-tuning over a version. Raises InvalidInput for a base or head that is not to be had.

    The priority is one of `jobs.PRIORITIES`; the device, the kind that the run is pinned to.
    """
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
        name=name or default_name(session, project, params),
        priority=check_priority(priority),
        device=check_device(device),
    )


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
    params: TrainingParams,
    version: DatasetVersion | None,
    name: str,
    priority: int = 0,
    device: jobs.Device | None = None,
    search_id: str | None = None,
) -> Run:
    """Queue a run of any kind for a worker, and note who did it. The parameters have been checked."""
    job = jobs.create(
        session,
        kind=kind,
        queue="gpu",
        project_id=project.id,
        created_by=actor.user_id,
        priority=priority,
        device=device,
    )
    run = Run(
        project_id=project.id,
        version_id=version.id if version else None,
        job_id=job.id,
        search_id=search_id,
        name=name.strip()[:200],
        params=params.model_dump(mode="json"),
        created_by=actor.user_id,
    )
    session.add(run)
    session.flush()
    if search_id is None:  # what a search starts is noted once
        _note(session, actor, run)
    return run


def _note(session: Session, actor: Actor, run: Run) -> None:
    audit.record(
        session,
        user_id=actor.user_id,
        action="run.create",
        project_id=run.project_id,
        subject=run.id,
        name=run.name,
    )


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


def check_base(session: Session, actor: Actor, project: Project, params: TrainingParams) -> None:
    """Raises InvalidInput for a base model that is not there, or that this person may not use."""
    reference = params.base_ref or ""
    if params.base == "folder" and reference not in base_folders():
        raise InvalidInput.at(
            "base_ref", _("There is no base model folder “%(name)s”.", name=reference)
        )
    if params.base == "run" and reference not in {r.id for r in base_runs(session, actor, project)}:
        raise InvalidInput.at(
            "base_ref", _("There is no such earlier run with a model for this task.")
        )


def default_name(session: Session, project: Project, params: FineTuneParams) -> str:
    """What a run is called that nobody gave a name."""
    number = session.scalar(select(func.count()).where(Run.project_id == project.id)) or 0
    base = {"packaged": "MiniLM", "scratch": "scratch"}.get(params.base) or str(params.base_ref)
    return f"{base} {params.head} #{number + 1}"
