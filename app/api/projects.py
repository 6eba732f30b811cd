"""Projects, their members and label schemas."""

from datetime import datetime
from typing import Any

from fastapi import Body
from pydantic import Field
from sqlalchemy.orm import Session

from app.api.schemas import Answer, ProjectId, Question, Role, UserId
from app.db import session_scope
from app.http.identity import Person
from app.http.routing import Db, Router
from app.models import Project
from app.services import deletion, projects
from app.services.access import Actor, project_for, role_in
from app.services.projects import ProjectFields

router = Router(prefix="/projects", tags=["Projects"])

_SCHEMA_EXAMPLE = {
    "mode": "flat",
    "labels": [
        {"name": "PER", "title": "Person", "color": "#2563eb", "hotkey": "1", "description": ""}
    ],
}
_SENTIMENT_EXAMPLE = {
    "mode": "single",
    "labels": [
        {"name": name, "title": name.title(), "color": color, "hotkey": key, "description": ""}
        for name, color, key in (("positive", "#15803d", "1"), ("negative", "#b91c1c", "2"))
    ],
}


class ProjectSummary(Answer):
    """A project in a list."""

    id: str
    name: str
    description: str
    task: str = Field(examples=["ner"])
    language: str = Field(examples=["en"])
    example_count: int
    labelled_count: int
    created_at: datetime


class ProjectOut(ProjectSummary):
    """A project."""

    guidelines: str = Field(description="Markdown.")
    label_schema: dict[str, Any] = Field(examples=[_SCHEMA_EXAMPLE])
    instruction: str = Field(description="The SFT instruction, labels filled in.")
    role: Role = Field(description="The asking person's role in it.")


class ProjectList(Answer):
    """Projects."""

    items: list[ProjectSummary]


class NewProject(Question):
    """A project to be made; what is left out comes from the task's defaults."""

    task: str = Field(description="One of `GET /tasks`.", examples=["ner"])
    name: str = Field(examples=["Town news"])
    description: str = ""
    language: str = Field("en", examples=["en", "zh"])
    guidelines: str = Field("", description="Markdown for the annotators.")
    label_schema: dict[str, Any] | None = Field(None, examples=[_SCHEMA_EXAMPLE])
    instruction: str | None = Field(
        None, description="An SFT instruction of its own; `{labels}` is filled."
    )


class MemberOut(Answer):
    """Somebody who works in the project."""

    id: str = Field(description="Their user id.")
    email: str
    name: str
    role: Role
    labelled: int = Field(description="Examples they have labelled or skipped.")


class MemberList(Answer):
    """The project's members."""

    items: list[MemberOut]


class MemberWish(Question):
    """Somebody to be a member."""

    email: str = Field(description="The address of their account.", examples=["mei@example.org"])
    role: Role


@router.get("")
def list_projects(session: Db, person: Person) -> ProjectList:
    """The projects one is a member of (administrators: all), newest first."""
    found = projects.list_projects(session, person.actor)
    return ProjectList(items=[ProjectSummary.model_validate(project) for project in found])


@router.post("", status_code=201)
def create_project(session: Db, person: Person, new: NewProject) -> ProjectOut:
    """Make a project; one becomes its manager."""
    fields = projects.fields_from(new.model_dump(exclude={"task"}))
    project = projects.create(session, person.actor, task=new.task, fields=fields)
    return _shown(session, person.actor, project)


@router.get("/{project_id}")
def get_project(session: Db, person: Person, project_id: ProjectId) -> ProjectOut:
    """A project with its labels and guidelines."""
    return _shown(session, person.actor, project_for(session, person.actor, project_id))


@router.patch("/{project_id}")
def update_project(person: Person, project_id: ProjectId, fields: ProjectFields) -> ProjectOut:
    """Change a project; what is left out stays. Labels that annotations use cannot be taken away: `change_labels`
    renames, merges, splits and retires them. A mode that breaks what stands is refused; `breaks` of `list_examples`
    gives those examples."""
    project = projects.update(person.actor, project_id, fields)
    with session_scope(read_only=True) as session:
        return _shown(session, person.actor, project)


@router.delete("/{project_id}", status_code=204)
def delete_project(session: Db, person: Person, project_id: ProjectId) -> None:
    """Delete a project with its examples, versions, runs and models. There is no way back.

    Nobody sees it from now on; a worker clears what there is of it.
    """
    deletion.start(session, person.actor, project_id)


@router.get("/{project_id}/schema")
def get_schema(session: Db, person: Person, project_id: ProjectId) -> dict[str, Any]:
    """The label schema, in the form that `GET /tasks` describes for the project's task."""
    return project_for(session, person.actor, project_id).label_schema


@router.put("/{project_id}/schema")
def replace_schema(
    person: Person,
    project_id: ProjectId,
    schema: dict[str, Any] = Body(examples=[_SENTIMENT_EXAMPLE]),
) -> dict[str, Any]:
    """Replace the label schema, as `update_project` does. Labels keep their former names, whatever is said of them
    here."""
    fields = ProjectFields(label_schema=schema)
    return projects.update(person.actor, project_id, fields).label_schema


@router.get("/{project_id}/members")
def list_members(session: Db, person: Person, project_id: ProjectId) -> MemberList:
    """Who works in the project, and how much each has labelled."""
    found = projects.members(session, person.actor, project_id)
    return MemberList(
        items=[
            MemberOut(
                id=m.user.id, email=m.user.email, name=m.user.name, role=m.role, labelled=m.labelled
            )
            for m in found
        ]
    )


@router.put("/{project_id}/members", status_code=204)
def set_member(session: Db, person: Person, project_id: ProjectId, wish: MemberWish) -> None:
    """Add somebody, or change their role."""
    projects.set_member(session, person.actor, project_id, email=wish.email, role=wish.role)


@router.delete("/{project_id}/members/{user_id}", status_code=204)
def remove_member(session: Db, person: Person, project_id: ProjectId, user_id: UserId) -> None:
    """Take somebody out of the project; what they labelled stays."""
    projects.remove_member(session, person.actor, project_id, user_id)


def _shown(session: Session, actor: Actor, project: Project) -> ProjectOut:
    session.flush()
    summary = ProjectSummary.model_validate(project)
    return ProjectOut(
        **summary.model_dump(),
        guidelines=project.guidelines,
        label_schema=project.label_schema,
        instruction=projects.instruction(project),
        role=role_in(session, actor, project.id),
    )
