"""Looking through a project's examples."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.models import Annotation, Example, User
from app.services.access import Actor, project_for
from app.services.annotating import brief
from app.tasks import get_task

STATUSES = ("open", "labelled", "skipped")


@dataclass(frozen=True, slots=True)
class Row:
    """An example in a list."""

    id: int
    external_id: str | None
    inputs: dict[str, Any]
    meta: dict[str, Any]
    status: str
    annotation: dict[str, Any] | None
    author: str | None
    """Whose annotation stands; None for an import's."""
    summary: str


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows, and the cursor of the next ones."""

    rows: list[Row]
    next_after: int | None


def browse(
    session: Session,
    actor: Actor,
    project_id: str,
    *,
    status: str | None = None,
    search: str = "",
    after: int = 0,
    limit: int = 50,
) -> Page:
    """Examples in the order they came, a page at a time; `after` is the last id of the page before."""
    project = project_for(session, actor, project_id)
    task = get_task(project.task)
    query = (
        select(Example, Annotation.payload, User.name)
        .outerjoin(Annotation, Annotation.id == Example.gold_id)
        .outerjoin(User, User.id == Annotation.user_id)
        .where(Example.project_id == project_id, Example.id > after)
        .order_by(Example.id)
        .limit(limit + 1)
    )
    query = (
        query.where(Example.status == status)
        if status in STATUSES
        else query.where(Example.status != "staged")
    )
    if search.strip():
        query = query.where(
            Example.inputs["text"].as_string().icontains(search.strip(), autoescape=True)
        )
    found = session.execute(query).all()
    rows = [
        Row(
            id=example.id,
            external_id=example.external_id,
            inputs=example.inputs,
            meta=example.meta,
            status=example.status,
            annotation=payload,
            author=author,
            summary=brief(task, payload, example.inputs),
        )
        for example, payload, author in found[:limit]
    ]
    return Page(rows, rows[-1].id if len(found) > limit else None)
