"""Pushing a run's model to a hub: a run of its own, so that it has a log, an end and a cancel button."""

from typing import Any

from sqlalchemy.orm import Session

from app.i18n import gettext as _
from app.models import Run
from app.services.access import Actor, project_for
from app.services.runs.evaluating import evaluable
from app.services.runs.starting import queue
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

    The token is for this push alone: it is stored nowhere. Without one the worker takes its own.
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
    return queue(
        session,
        actor,
        project,
        kind="push",
        params=parse(PushParams, wishes, _("The model cannot be pushed there.")),
        version=None,
        name=f"{view.run.name} → {repo_id.strip()}",
        secret=secret or None,
    )
