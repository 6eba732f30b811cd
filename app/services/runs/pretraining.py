"""Starting pre-trainings: runs over all texts of a project, without labels."""

from typing import Any

from sqlalchemy.orm import Session

from app.errors import InvalidInput
from app.i18n import gettext as _
from app.models import Project, Run
from app.services.access import Actor, project_for
from app.services.runs.starting import Turn, check_base, default_name, queue
from app.tasks.base import parse
from app.training import LEAST_TEXTS, Base, PretrainParams


def suggested_pretraining(project: Project, base: Base = "packaged") -> PretrainParams:
    """What a pre-training starts from where nobody says otherwise, fitted to the base and the texts."""
    return PretrainParams().for_base(base).fitted_to(project.example_count)


def pretraining_params(
    session: Session, actor: Actor, project_id: str, wishes: dict[str, Any]
) -> PretrainParams:
    """The suggested parameters for a project with what somebody wishes otherwise. Raises InvalidInput."""
    project = project_for(session, actor, project_id)
    suggested = suggested_pretraining(project, wishes.get("base", "packaged"))
    values = {**suggested.model_dump(), **wishes}
    return parse(PretrainParams, values, _("The run cannot be started as it is."))


def create_pretraining(
    session: Session,
    actor: Actor,
    project_id: str,
    *,
    params: PretrainParams,
    name: str = "",
    turn: Turn = Turn(),
) -> Run:
    """Queue a pre-training on the project's texts of this moment. Raises InvalidInput for too few texts or a
    base model that is not to be had."""
    project = project_for(session, actor, project_id, "manager", write=True)
    if project.example_count < LEAST_TEXTS:
        raise InvalidInput(
            _(
                "Pre-training needs at least %(least)s texts, and the project has %(n)s. Import more; they "
                "need no labels.",
                least=LEAST_TEXTS,
                n=project.example_count,
            )
        )
    check_base(session, actor, project, params)
    return queue(
        session,
        actor,
        project,
        kind="pretrain",
        params=params,
        version=None,
        name=name or default_name(session, project, params, "MLM"),
        turn=turn,
    )
