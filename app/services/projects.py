"""Projects: their task, labels, guidelines and members."""

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.db import session_scope
from app.errors import InvalidInput, NotFound
from app.i18n import gettext as _
from app.models import (
    Contribution,
    Member,
    Project,
    User,
)
from app.services import accounts, audit, label_sets
from app.services.access import ROLES, Actor, project_for, require_write
from app.tasks import get_task
from app.tasks.base import parse


class ProjectFields(BaseModel):
    """What a manager may say of a project; None leaves a thing as it is."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    name: str | None = Field(None, min_length=1, max_length=200)
    description: str | None = Field(None, max_length=5000)
    language: str | None = Field(None, pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})?$")
    guidelines: str | None = Field(None, max_length=200_000)
    label_schema: dict[str, Any] | None = None
    instruction: str | None = Field(None, max_length=20_000)
    """The SFT instruction; an empty one returns to the task's own."""


@dataclass(frozen=True, slots=True)
class Membership:
    """A member of a project, with their role and how much they have labelled."""

    user: User
    role: str
    labelled: int


def create(session: Session, actor: Actor, *, task: str, fields: ProjectFields) -> Project:
    """A new project; its maker becomes its manager."""
    require_write(actor)
    kind = get_task(task)
    if not fields.name:
        raise InvalidInput.at("name", _("Give the project a name."))
    language = fields.language or "en"
    schema = (
        kind.parse_schema(fields.label_schema)
        if fields.label_schema is not None
        else kind.default_schema(language)
    )
    label_sets.check_new(kind, kind.labels(schema))
    project = Project(
        name=fields.name,
        description=fields.description or "",
        task=kind.name,
        language=language,
        guidelines=fields.guidelines or "",
        label_schema=schema.model_dump(mode="json"),
        settings={"instruction": fields.instruction} if fields.instruction else {},
        created_by=actor.user_id,
    )
    session.add(project)
    session.flush()
    session.add(Member(project_id=project.id, user_id=actor.user_id, role="manager"))
    audit.record(
        session,
        user_id=actor.user_id,
        action="project.create",
        project_id=project.id,
        subject=project.name,
    )
    return project


def list_projects(session: Session, actor: Actor) -> list[Project]:
    """The projects this person sees, newest first."""
    query = (
        select(Project)
        .where(Project.deleted_at.is_(None))
        .order_by(Project.created_at.desc(), Project.id)
    )
    if not actor.is_admin:
        query = query.join(Member, Member.project_id == Project.id).where(
            Member.user_id == actor.user_id
        )
    return list(session.scalars(query))


def update(actor: Actor, project_id: str, fields: ProjectFields) -> Project:
    """Change a project. Labels that annotations use cannot be taken away, nor can the mode become one that breaks what
    stands. Opens its own sessions: what reads the annotations holds no lock."""
    with session_scope(read_only=True) as session:
        project = project_for(session, actor, project_id, "manager", write=True)
    schema = fields.label_schema
    vetted = label_sets.vet(project, schema) if schema is not None else None
    with session_scope() as session:
        return _update(session, actor, project_id, fields, vetted)


def _update(
    session: Session,
    actor: Actor,
    project_id: str,
    fields: ProjectFields,
    vetted: label_sets.Vetted | None,
) -> Project:
    project = project_for(session, actor, project_id, "manager", write=True)
    changes = fields.model_dump(exclude_none=True)
    if vetted is not None:
        schema = changes.pop("label_schema")
        project.label_schema = label_sets.checked(session, project, schema, vetted)
    if "instruction" in changes:
        instruction = changes.pop("instruction")
        settings = {k: v for k, v in project.settings.items() if k != "instruction"}
        project.settings = settings | ({"instruction": instruction} if instruction else {})
    for name, value in changes.items():
        setattr(project, name, value)
    audit.record(
        session,
        user_id=actor.user_id,
        action="project.update",
        project_id=project.id,
        subject=project.name,
        fields=sorted(fields.model_dump(exclude_none=True)),
    )
    return project


def instruction(project: Project) -> str:
    """The SFT instruction: the project's own, else the task's in its language."""
    task = get_task(project.task)
    schema = task.parse_schema(label_sets.frozen(project))
    own = project.settings.get("instruction")
    if own:
        return str(own).replace("{labels}", ", ".join(label.name for label in task.labels(schema)))
    return task.instruction(schema, project.language)


def members(session: Session, actor: Actor, project_id: str) -> list[Membership]:
    """Who works here, and how much each has labelled."""
    project_for(session, actor, project_id)
    rows = session.execute(
        select(User, Member.role, func.coalesce(Contribution.annotated, 0))
        .join(Member, Member.user_id == User.id)
        .outerjoin(
            Contribution,
            (Contribution.user_id == User.id) & (Contribution.project_id == project_id),
        )
        .where(Member.project_id == project_id)
        .order_by(Member.created_at)
    )
    return [Membership(user, role, n) for user, role, n in rows]


def set_member(session: Session, actor: Actor, project_id: str, *, email: str, role: str) -> Member:
    """Add somebody, or change their role."""
    project_for(session, actor, project_id, "manager", write=True)
    if role not in ROLES:
        raise InvalidInput.at("role", _("Choose a role: %(roles)s.", roles=", ".join(ROLES)))
    user = accounts.find_by_email(session, email)
    if user is None:
        raise InvalidInput.at(
            "email", _("Nobody has an account with this address. An administrator can make one.")
        )
    member = session.get(Member, (project_id, user.id))
    before = member.role if member else None
    if member is None:
        member = Member(project_id=project_id, user_id=user.id, role=role)
        session.add(member)
    else:
        _keep_a_manager(session, member, role)
        member.role = role
    audit.record(
        session,
        user_id=actor.user_id,
        action="member.set",
        project_id=project_id,
        subject=user.email,
        role=role,
        before=before,
    )
    return member


def remove_member(session: Session, actor: Actor, project_id: str, user_id: str) -> None:
    """Take somebody out of the project; what they labelled stays."""
    project_for(session, actor, project_id, "manager", write=True)
    member = session.get(Member, (project_id, user_id))
    if member is None:
        raise NotFound(_("This person is not a member of the project."))
    _keep_a_manager(session, member, None)
    session.delete(member)
    audit.record(
        session,
        user_id=actor.user_id,
        action="member.remove",
        project_id=project_id,
        subject=session.get_one(User, user_id).email,
        before=member.role,
    )


def _keep_a_manager(session: Session, member: Member, new_role: str | None) -> None:
    if member.role != "manager" or new_role == "manager":
        return
    others = session.scalar(
        select(func.count()).where(
            Member.project_id == member.project_id,
            Member.role == "manager",
            Member.user_id != member.user_id,
        )
    )
    if not others:
        raise InvalidInput.at("role", _("A project needs at least one manager."))


def status_counts(project: Project) -> dict[str, int]:
    """Examples by status: open, labelled, skipped."""
    done = project.labelled_count + project.skipped_count
    return {
        "open": project.example_count - done,
        "labelled": project.labelled_count,
        "skipped": project.skipped_count,
    }


def fields_from(data: object) -> ProjectFields:
    """Checked fields. Raises InvalidInput."""
    return parse(ProjectFields, data, _("The project cannot be saved as it is."))
