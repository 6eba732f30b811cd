"""Labelling: the next example for a person, and saving what they said of it."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session, aliased

from app.errors import Conflict, Forbidden, NotFound
from app.i18n import gettext as _
from app.models import Annotation, Example, Project, now
from app.services import label_sets
from app.services.access import Actor, project_for, role_in
from app.settings import get_settings
from app.tasks import get_task
from app.tasks.base import TextInputs

MAX_COMMENT = 5000


@dataclass(frozen=True, slots=True)
class WorkItem:
    """An example as its annotator gets it."""

    id: int
    external_id: str | None
    inputs: dict[str, Any]
    """With `tokens` always filled."""
    meta: dict[str, Any]
    status: str
    annotation: dict[str, Any] | None
    """Mine, else the gold one (an import's, say), to start from."""
    revision: int
    """My newest revision; 0 where I have said nothing yet."""
    comment: str
    skipped: bool
    lease_until: datetime | None
    progress: dict[str, int] = field(default_factory=dict)


def next_example(
    session: Session, actor: Actor, project_id: str, *, after: int | None = None
) -> WorkItem | None:
    """The next open example, reserved for this person for a while; None when nothing is left.

    What they have reserved already comes first, so that reopening the page loses nothing. `after` is the
    example they pass over: its reservation ends and the search goes on behind it, and from the start
    again once the end is reached. Two people never get the same example.
    """
    project = project_for(session, actor, project_id, write=True)
    if after is not None:
        _release(session, actor, project_id, after)
    example_id = _mine(session, actor, project_id, after)
    if example_id is None:
        example_id = _claim(session, actor, project_id, behind=after)
    if example_id is None and after is not None:
        example_id = _claim(session, actor, project_id, behind=None)
    return None if example_id is None else _item(session, actor, project, example_id)


def open_example(session: Session, actor: Actor, project_id: str, example_id: int) -> WorkItem:
    """One example by its id, as it stands. Raises NotFound."""
    project = project_for(session, actor, project_id)
    return _item(session, actor, project, example_id)


def release(session: Session, actor: Actor, project_id: str, example_id: int) -> None:
    """Give a reserved example back to the queue."""
    project_for(session, actor, project_id, write=True)
    _release(session, actor, project_id, example_id)


def save(
    session: Session,
    actor: Actor,
    project_id: str,
    example_id: int,
    *,
    payload: dict[str, Any] | None,
    base_revision: int,
    client_key: str,
    comment: str = "",
    seconds: float | None = None,
) -> Annotation:
    """Store a new revision; payload None means skipped.

    The same `client_key` again gives the same annotation. Raises Conflict, with the current state, where
    `base_revision` is not my newest one (another tab was quicker); InvalidInput for a payload that does
    not fit; Forbidden where somebody else holds or has labelled the example.
    """
    project = project_for(session, actor, project_id, write=True)
    example = session.scalar(
        select(Example)
        .where(
            Example.id == example_id, Example.project_id == project_id, Example.status != "staged"
        )
        .with_for_update()
    )
    if example is None:
        raise NotFound(_("There is no such example in this project."))
    said_before = session.scalar(
        select(Annotation).where(
            Annotation.user_id == actor.user_id, Annotation.client_key == client_key
        )
    )
    if said_before is not None:
        return said_before
    _check_free(session, actor, project, example)
    mine = _newest(session, actor, example_id)
    if (mine.revision if mine else 0) != base_revision:
        raise Conflict(
            _("You have saved this example in another tab meanwhile."),
            current=_said(mine) if mine else None,
        )
    if payload is not None:
        task = get_task(project.task)
        payload = task.validate(
            payload,
            TextInputs.model_construct(**example.inputs),
            task.parse_schema(project.label_schema),
        )
        label_sets.note_used(session, project, task.label_names(task.parse_payload(payload)))
    annotation = Annotation(
        project_id=project_id,
        example_id=example_id,
        user_id=actor.user_id,
        source="person",
        revision=base_revision + 1,
        payload=payload,
        comment=comment[:MAX_COMMENT],
        seconds=None if seconds is None else max(0.0, min(seconds, 86_400.0)),
        client_key=client_key,
    )
    session.add(annotation)
    session.flush()
    _settle(session, example, annotation)
    return annotation


def history(
    session: Session, actor: Actor, project_id: str, *, limit: int = 50
) -> list[dict[str, Any]]:
    """What this person labelled or skipped last, newest first, each example once."""
    project = project_for(session, actor, project_id)
    task = get_task(project.task)
    newer = aliased(Annotation)
    rows = session.execute(
        select(Annotation, Example.inputs)
        .join(Example, Example.id == Annotation.example_id)
        .where(
            Annotation.project_id == project_id,
            Annotation.user_id == actor.user_id,
            ~select(newer.id)
            .where(
                newer.example_id == Annotation.example_id,
                newer.user_id == Annotation.user_id,
                newer.revision > Annotation.revision,
            )
            .exists(),
        )
        .order_by(Annotation.id.desc())
        .limit(limit)
    )
    return [
        {
            "id": annotation.example_id,
            "text": inputs["text"][:200],
            "summary": brief(task, annotation.payload, inputs),
            "skipped": annotation.payload is None,
            "updated_at": annotation.created_at,
        }
        for annotation, inputs in rows
    ]


def brief(task: Any, payload: dict[str, Any] | None, inputs: dict[str, Any]) -> str:
    """A payload in a few words; empty for none."""
    if payload is None:
        return ""
    words: str = task.brief(task.parse_payload(payload), TextInputs.model_construct(**inputs))
    return words if len(words) <= 200 else words[:199] + "…"


def _claim(session: Session, actor: Actor, project_id: str, *, behind: int | None) -> int | None:
    """Reserve the first open example that nobody holds, in one statement."""
    free = (
        select(Example.id)
        .where(
            Example.project_id == project_id,
            Example.status == "open",
            or_(Example.lease_until.is_(None), Example.lease_until < now()),
        )
        .order_by(Example.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    if behind is not None:
        free = free.where(Example.id > behind)
    return session.scalar(
        update(Example)
        .where(Example.id == free.scalar_subquery())
        .values(lease_user_id=actor.user_id, lease_until=now() + _lease())
        .returning(Example.id)
    )


def _mine(session: Session, actor: Actor, project_id: str, after: int | None) -> int | None:
    held = (
        select(Example.id)
        .where(
            Example.project_id == project_id,
            Example.lease_user_id == actor.user_id,
            Example.status == "open",
            Example.lease_until > now(),
        )
        .order_by(Example.id)
        .limit(1)
    )
    if after is not None:
        held = held.where(Example.id != after)
    example_id = session.scalar(held)
    if example_id is not None:
        session.execute(
            update(Example).where(Example.id == example_id).values(lease_until=now() + _lease())
        )
    return example_id


def _release(session: Session, actor: Actor, project_id: str, example_id: int) -> None:
    session.execute(
        update(Example)
        .where(
            Example.id == example_id,
            Example.project_id == project_id,
            Example.lease_user_id == actor.user_id,
        )
        .values(lease_user_id=None, lease_until=None)
    )


def _item(session: Session, actor: Actor, project: Project, example_id: int) -> WorkItem:
    row = session.execute(
        select(Example, Annotation.payload)
        .outerjoin(Annotation, Annotation.id == Example.gold_id)
        .where(
            Example.id == example_id, Example.project_id == project.id, Example.status != "staged"
        )
    ).first()
    if row is None:
        raise NotFound(_("There is no such example in this project."))
    example: Example = row.Example
    mine = _newest(session, actor, example_id)
    inputs = TextInputs.model_construct(**example.inputs)
    done = session.scalar(
        select(func.count()).where(
            Annotation.project_id == project.id,
            Annotation.user_id == actor.user_id,
            Annotation.revision == 1,
        )
    )
    return WorkItem(
        id=example.id,
        external_id=example.external_id,
        inputs={**example.inputs, "tokens": inputs.token_spans()},
        meta=example.meta,
        status=example.status,
        annotation=mine.payload if mine else row.payload,
        revision=mine.revision if mine else 0,
        comment=mine.comment if mine else "",
        skipped=mine is not None and mine.payload is None,
        lease_until=example.lease_until if example.lease_user_id == actor.user_id else None,
        progress={
            "done": project.labelled_count,
            "total": project.example_count,
            "mine": done or 0,
        },
    )


def _newest(session: Session, actor: Actor, example_id: int) -> Annotation | None:
    return session.scalar(
        select(Annotation)
        .where(Annotation.example_id == example_id, Annotation.user_id == actor.user_id)
        .order_by(Annotation.revision.desc())
        .limit(1)
    )


def _said(annotation: Annotation) -> dict[str, Any]:
    return {
        "revision": annotation.revision,
        "payload": annotation.payload,
        "comment": annotation.comment,
        "created_at": annotation.created_at,
    }


def _check_free(session: Session, actor: Actor, project: Project, example: Example) -> None:
    if (
        example.lease_user_id not in (None, actor.user_id)
        and example.lease_until is not None
        and example.lease_until > now()
        and example.status == "open"
    ):
        raise Forbidden(_("Somebody else is labelling this example at the moment."))
    if example.gold_id is None or role_in(session, actor, project.id) != "annotator":
        return
    author = session.scalar(select(Annotation.user_id).where(Annotation.id == example.gold_id))
    if author not in (None, actor.user_id):
        raise Forbidden(_("Somebody else has labelled this example; a reviewer can change it."))


def _settle(session: Session, example: Example, annotation: Annotation) -> None:
    """The newest annotation stands: the example's status, gold and the project's count follow."""
    before = example.status
    example.status = "skipped" if annotation.payload is None else "labelled"
    example.gold_id = None if annotation.payload is None else annotation.id
    example.lease_user_id = example.lease_until = None
    change = (example.status == "labelled") - (before == "labelled")
    if change:
        session.execute(
            update(Project)
            .where(Project.id == example.project_id)
            .values(labelled_count=Project.labelled_count + change)
        )


def _lease() -> timedelta:
    return timedelta(minutes=get_settings().lease_minutes)
