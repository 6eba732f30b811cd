"""Pushing a run's model to a hub: a run of its own, so that it has a log, an end and a cancel button."""

from typing import Any

from sqlalchemy.orm import Session

from app.errors import InvalidInput
from app.i18n import gettext as _
from app.models import Run
from app.services import hub
from app.services.access import Actor, project_for
from app.services.runs.evaluating import evaluable
from app.services.runs.starting import queue
from app.settings import get_settings
from app.tasks.base import parse
from app.training import PushParams


def push(
    session: Session,
    actor: Actor,
    run_id: str,
    *,
    repo_id: str,
    private: bool = True,
    token: str | None = None,
) -> Run:
    """Queue the push of a run's model. Raises InvalidInput for a repository id that no hub takes.

    The token is for this push alone: it is stored nowhere. Without one the installation's is taken, if it may
    be used for this repository; else InvalidInput is raised.
    """
    view = evaluable(session, actor, run_id)
    project = project_for(session, actor, view.project.id, "manager", write=True)
    secret = (token or "").strip()[:400]
    wishes: dict[str, Any] = {
        "base_ref": run_id,
        "repo_id": repo_id.strip(),
        "private": private,
        "own_token": bool(secret),
    }
    params = parse(PushParams, wishes, _("The model cannot be pushed there."))
    if not secret and not hub.may_push(get_settings(), params.repo_id):
        raise InvalidInput.at(
            "token",
            _(
                "Give a token of your own for this push: the installation's may not be used for "
                "“%(repo)s” (ANNOTUNE_HUB_PUSH does not name it).",
                repo=params.repo_id,
            ),
        )
    return queue(
        session,
        actor,
        project,
        kind="push",
        params=params,
        version=None,
        name=f"{view.run.name} → {repo_id.strip()}",
        secret=secret or None,
    )
