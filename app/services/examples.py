"""Looking through a project's examples."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from app.models import Annotation, Example, Project, Remark, User
from app.services import label_uses, remarks
from app.services.access import Actor, project_for
from app.services.annotating import brief
from app.services.label_names import Today
from app.services.remarks import Found, Which
from app.services.work_items import Author, Comment
from app.tasks import get_task

LOOK_SECONDS = 1.0
"""How long a page looks for examples that no index gives."""
STATUSES = ("open", "labelled", "skipped")
MAX_COMMENT = 200
"""Characters of a comment that a list shows."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """What somebody would have in place of what stands."""

    by: Author
    summary: str


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
    skipped_by: Author | None
    """Who set it aside."""
    proposals: list[Proposal]
    """Those that wait for a reviewer, as far as the person sees them."""
    comment: Comment | None
    """The beginning of the newest one that the person may read."""


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
    having: Which | None = None,
    label: str | None = None,
    breaks: str | None = None,
    search: str = "",
    after: int = 0,
    limit: int = 50,
) -> Page:
    """Examples in the order they came, a page at a time; `after` is the last id of the page before.

    `having` gives those with proposals that wait for a reviewer, or with comments: of anyone to reviewers and
    managers, their own to annotators. `label` gives those whose gold has the label; `breaks`, those whose gold a mode
    of the label schema would not allow. With these two a page may be short, or empty, and yet not be the last: each
    looks for a second or so. Raises InvalidInput for a mode that there is not.
    """
    project = project_for(session, actor, project_id)
    task, today = get_task(project.task), Today(project)
    conditions = [Example.status == status if status in STATUSES else Example.status != "staged"]
    if search.strip():
        conditions.append(
            Example.inputs["text"].as_string().icontains(search.strip(), autoescape=True)
        )
    skipper = aliased(User)
    query = (
        select(Example, Annotation.payload, User.name, skipper.name)
        .outerjoin(Annotation, Annotation.id == Example.gold_id)
        .outerjoin(User, User.id == Annotation.user_id)
        .outerjoin(skipper, skipper.id == Example.skipped_by)
        .order_by(Example.id)
    )
    looked_up_to: int | None = None
    if label is not None or breaks is not None:
        work = worklist(project, label=label, breaks=breaks, after=after, limit=limit)
        looked_up_to = work.looked_up_to
        query = query.where(Example.id.in_(work.ids), *conditions)
    elif having is None:
        query = query.where(Example.project_id == project_id, Example.id > after, *conditions)
        query = query.limit(limit + 1)
    else:
        # Their ids first: no planner walks all examples in search of those few.
        ids = remarks.example_ids(session, actor, project_id, having, after=after)
        if status in STATUSES or search.strip():
            ids = ids.join(Example, Example.id == Remark.example_id).where(*conditions)
        query = query.where(Example.id.in_(session.scalars(ids.limit(limit + 1)).all()))
    found = session.execute(query).all()
    shown = [example.id for example, *_names in found[:limit]]
    left: dict[int, list[Found]] = {example_id: [] for example_id in shown}
    for one in remarks.on_examples(session, actor, project, shown):
        left[one.example_id].append(one)
    rows = [
        Row(
            id=example.id,
            external_id=example.external_id,
            inputs=example.inputs,
            meta=example.meta,
            status=example.status,
            annotation=today(payload),
            author=author,
            summary=brief(task, today(payload), example.inputs),
            skipped_by=Author(example.skipped_by, skipper_name) if skipper_name else None,
            proposals=[
                Proposal(Author(one.user_id, one.name), brief(task, one.payload, example.inputs))
                for one in left[example.id]
                if one.payload is not None
            ],
            comment=next((_beginning(one) for one in left[example.id] if one.comment), None),
        )
        for example, payload, author, skipper_name in found[:limit]
    ]
    return Page(rows, rows[-1].id if len(found) > limit else looked_up_to)


def worklist(
    project: Project,
    *,
    label: str | None = None,
    breaks: str | None = None,
    after: int = 0,
    limit: int,
    seconds: float = LOOK_SECONDS,
) -> label_uses.Found:
    """Examples to be gone through: those whose gold has a label, or breaks a mode. Raises InvalidInput for a mode that
    there is not."""
    if breaks is None:
        return label_uses.labelled_with(
            project, label or "", after=after, limit=limit, seconds=seconds
        )
    schema = {**project.label_schema, "mode": breaks}
    return label_uses.breaking(project, schema, after=after, limit=limit, seconds=seconds)


def _beginning(found: Found) -> Comment:
    text = found.comment
    if len(text) > MAX_COMMENT:
        text = text[: MAX_COMMENT - 1] + "…"
    return Comment(text, Author(found.user_id, found.name), found.created_at)
