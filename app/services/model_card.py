"""What there is to say of a run's model: its card, where it comes from, what was made of it.

The card is written when it is asked for, and not when the model is saved: the run's name, its project's
name and the version's are the database's to tell, and a card that is corrected corrects older models, too.
"""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db import session_scope
from app.errors import NotFound
from app.formats.model_card import Data, ModelFacts, model_card
from app.models import Job, Member, Run
from app.services import runs
from app.services.access import Actor
from app.services.runs import RunView
from app.services.runs.reading import views
from app.tasks import get_task
from app.training import RUN_KINDS

PACKAGED = "sentence-transformers/all-MiniLM-L6-v2"
_MOST_ANCESTORS = 20
_MOST_DESCENDANTS = 50


@dataclass(frozen=True, slots=True)
class Lineage:
    """Where a model comes from, and what came of it."""

    base: str
    """The first of all, in words."""
    ancestors: list[RunView]
    """Earlier runs that it goes on from, the oldest first."""
    descendants: list[tuple[Run, str, str]]
    """Runs that used it, with kind and state."""


def facts(session: Session, view: RunView) -> ModelFacts:
    """What the card of a run's model says."""
    run, task = view.run, get_task(view.project.task)
    schema = task.parse_schema(runs.label_schema(session, view))
    version = runs.version_of(session, view)
    data = None
    if version is not None and version.sha256 is not None:
        used = (run.result or {}).get("counts", {})  # fewer where the run was told so
        splits = {name: used.get(name, n) for name, n in version.counts["splits"].items()}
        data = Data(view.project.name, version.number, version.sha256, splits)
    params = RUN_KINDS[view.kind].params.model_validate(run.params).model_dump(mode="json")
    return ModelFacts(
        name=run.name,
        task=task.name,
        pipeline=task.pipeline,
        language=view.project.language,
        labels=[label.name for label in task.labels(schema)],
        head=params.get("head", "softmax"),
        base=_base_words(params),
        base_id=_base_id(params),
        data=data,
        params=params,
        environment=run.environment or {},
        result=run.result or {},
    )


def lineage(session: Session, actor: Actor, view: RunView) -> Lineage:
    """Ancestors and descendants that this person may see; the base is the first ancestor's."""
    ancestors: list[RunView] = []
    at = view
    while at.run.params.get("base") == "run" and len(ancestors) < _MOST_ANCESTORS:
        try:
            at = runs.get(session, actor, at.run.params["base_ref"])
        except NotFound:  # deleted since, or of a project that they are no member of
            break
        ancestors.insert(0, at)
    query = (
        select(Run, Job.kind, Job.state)
        .join(Job, Job.id == Run.job_id)
        .where(
            Run.params["base"].as_string() == "run",
            Run.params["base_ref"].as_string() == view.run.id,
        )
        .order_by(Run.created_at, Run.id)
        .limit(_MOST_DESCENDANTS)
    )
    if not actor.is_admin:
        query = query.join(Member, Member.project_id == Run.project_id).where(
            Member.user_id == actor.user_id
        )
    found = [(run, kind, state) for run, kind, state in session.execute(query)]
    return Lineage(_base_words(at.run.params), ancestors, found)


def card_of(run_id: str) -> str:
    """The README.md of a run's model. Opens its own session; raises NotFound."""
    with session_scope(read_only=True) as session:
        row = session.execute(views().where(Run.id == run_id)).first()
        if row is None:
            raise NotFound("The run whose model this is is gone.")
        return model_card(facts(session, RunView(*row)))


def _base_words(params: dict[str, object]) -> str:
    match params.get("base"):
        case "packaged":
            return PACKAGED
        case "scratch":
            return "random weights and a vocabulary of its own"
        case "run":
            return f"the model of the run {params.get('base_ref')}"
        case "folder":
            return f"the folder {params.get('base_ref')}"
    return str(params.get("base_ref"))


def _base_id(params: dict[str, object]) -> str | None:
    if params.get("base") == "packaged":
        return PACKAGED
    return str(params["base_ref"]) if params.get("base") == "hub" else None
