"""Who is acting, and what they may do."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import Forbidden, NotFound
from app.i18n import gettext as _
from app.i18n import mark
from app.models import Member, Project

ROLES = {
    "annotator": mark("Annotator"),
    "reviewer": mark("Reviewer"),
    "manager": mark("Manager"),
}
"""Roles in a project, each of which may do what those before it may."""
_RANK = {role: rank for rank, role in enumerate(ROLES)}


@dataclass(frozen=True, slots=True)
class Actor:
    """A person as far as the services need to know them."""

    user_id: str
    is_admin: bool = False
    may_write: bool = True
    """False for an API token that only reads."""


def require_admin(actor: Actor) -> None:
    """Raises Forbidden unless this is a site administrator."""
    if not actor.is_admin:
        raise Forbidden(_("Only an administrator may do this."))


def require_write(actor: Actor) -> None:
    """Raises Forbidden for a token that only reads."""
    if not actor.may_write:
        raise Forbidden(_("This token may only read. Make one with the scope “write”."))


def role_in(session: Session, actor: Actor, project_id: str) -> str | None:
    """The actor's role in a project; administrators are managers everywhere."""
    if actor.is_admin:
        return "manager"
    return session.scalar(
        select(Member.role).where(Member.project_id == project_id, Member.user_id == actor.user_id)
    )


def project_for(
    session: Session, actor: Actor, project_id: str, role: str = "annotator", *, write: bool = False
) -> Project:
    """The project, if the actor has at least this role in it.

    Raises NotFound (also where the project is not visible to them, so that ids tell nothing) or Forbidden.
    """
    project = session.get(Project, project_id)
    if project is not None and project.deleted_at is not None:
        project = None
    have = role_in(session, actor, project_id) if project is not None else None
    if project is None or have is None:
        raise NotFound(_("There is no such project, or you are not a member of it."))
    if _RANK[have] < _RANK[role]:
        raise Forbidden(
            _(
                "This needs the role “%(role)s” in the project. Ask one of its managers.",
                role=_(ROLES[role]),
            )
        )
    if write:
        require_write(actor)
    return project
