"""The queue: who labels which example next, for how long it stays theirs, and what was set aside.

Every statement finds its rows by one of the partial indexes of `examples`, so none of them grows with the
project. Conditions that those indexes name are written out, not bound: see `app.models.example`.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Select,
    func,
    literal_column,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.orm import Session

from app.db import session_scope
from app.i18n import gettext as _
from app.models import Example, now
from app.models.example import IS_FREE, IS_LEASED, IS_SKIPPED, QUEUE_ORDER
from app.services import contributions, work_items
from app.services.access import Actor, project_for
from app.services.contributions import Change
from app.services.work_items import Progress, WorkItem
from app.settings import get_settings

Whose = Literal["mine", "all"]
_RESTORE_BATCH = 500
_ORDER: ColumnElement[int] = literal_column(QUEUE_ORDER, BigInteger)


@dataclass(frozen=True, slots=True)
class QueueState:
    """What is left to do in a project."""

    open: int
    held_by_others: int
    """Open examples that others have reserved at present."""
    progress: Progress


def next_example(
    session: Session, actor: Actor, project_id: str, *, after: int | None = None
) -> WorkItem | None:
    """The next open example, reserved for this person for a while; None when nothing is left.

    What they have reserved already comes first, so that reopening the page loses nothing; then what others
    have left lying; then what nobody has seen yet. `after` is the example they pass over: their reservation
    of it ends, and the search goes on behind it, and from the start again once the end is reached. Nothing
    is said of an example by passing over it. Two people never get the same example.
    """
    project = project_for(session, actor, project_id, write=True)
    if after is not None:
        _release(session, actor, project_id, after)
    example_id = _renew_held(session, actor, project_id, besides=after)
    if example_id is None:
        example_id = _claim(session, actor, _left_lying(project_id))
    if example_id is None and after is not None:
        example_id = _claim(session, actor, _free(project_id).where(after < _ORDER))
    if example_id is None:
        example_id = _claim(session, actor, _free(project_id))
    return None if example_id is None else work_items.read(session, actor, project, example_id)


def renew(session: Session, actor: Actor, project_id: str, example_id: int) -> datetime | None:
    """Reserve an example for this person anew; until when, None if it needs no reservation any more.

    Raises Conflict, with the current state, if somebody else holds or has labelled it meanwhile.
    """
    project = project_for(session, actor, project_id, write=True)
    until = now() + _lease()
    mine_or_ended = or_(
        Example.lease_user_id.is_(None),
        Example.lease_user_id == actor.user_id,
        Example.lease_until < now(),
    )
    renewed = session.scalar(
        update(Example)
        .where(
            Example.id == example_id,
            Example.project_id == project_id,
            Example.status == "open",
            mine_or_ended,
        )
        .values(lease_user_id=actor.user_id, lease_until=until)
        .returning(Example.id)
        .execution_options(synchronize_session=False)
    )
    if renewed is not None:
        return until
    item = work_items.read(session, actor, project, example_id)
    if item.status == "open":
        raise work_items.conflict(_("Somebody else is labelling this example at the moment."), item)
    by = item.standing.by if item.standing else None
    if item.standing and (by is None or by.id != actor.user_id):
        raise work_items.conflict(_("Somebody else has labelled this example meanwhile."), item)
    return None


def release(session: Session, actor: Actor, project_id: str, example_id: int) -> None:
    """Give a reserved example back to the queue."""
    project_for(session, actor, project_id, write=True)
    _release(session, actor, project_id, example_id)


def state(session: Session, actor: Actor, project_id: str) -> QueueState:
    """What is left to do, from counters; only the few reserved examples are counted."""
    project = project_for(session, actor, project_id)
    progress = work_items.progress(session, actor, project)
    held = session.scalar(
        select(func.count()).where(
            Example.project_id == project_id,
            text(IS_LEASED),
            Example.lease_until > now(),
            Example.lease_user_id != actor.user_id,
        )
    )
    left = progress.total - progress.done - progress.skipped
    return QueueState(open=left, held_by_others=held or 0, progress=progress)


def restore_skipped(actor: Actor, project_id: str, *, whose: Whose) -> int:
    """Put what was set aside back into the queue: one's own, or, for managers, all. How many.

    Opens its own sessions, some hundreds of examples at a time.
    """
    with session_scope(read_only=True) as session:
        role = "manager" if whose == "all" else "annotator"
        project_for(session, actor, project_id, role, write=True)
    restored = 0
    while found := _restore_some(actor, project_id, whose):
        restored += found
    return restored


def _restore_some(actor: Actor, project_id: str, whose: Whose) -> int:
    aside = select(Example.id).where(Example.project_id == project_id, text(IS_SKIPPED))
    if whose == "mine":
        aside = aside.where(Example.skipped_by == actor.user_id).order_by(Example.id)
    with session_scope() as session:
        # Locked in one order, as every writer of several examples does.
        rows = session.execute(
            select(Example.id, Example.skipped_by)
            .where(Example.id.in_(aside.limit(_RESTORE_BATCH).scalar_subquery()), text(IS_SKIPPED))
            .order_by(Example.id)
            .with_for_update()
        ).all()
        session.execute(
            update(Example)
            .where(Example.id.in_([row.id for row in rows]))
            .values(status="open", skipped_by=None)
            .execution_options(synchronize_session=False)
        )
        people: dict[str, Change] = {}
        for row in rows:
            if row.skipped_by is not None:
                people.setdefault(row.skipped_by, Change()).skipped -= 1
        contributions.add(session, project_id, people, skipped=-len(rows))
    return len(rows)


def _free(project_id: str) -> Select[Any]:
    """Open examples that nobody holds, in the order they came."""
    return (
        select(Example.id).where(Example.project_id == project_id, text(IS_FREE)).order_by(_ORDER)
    )


def _left_lying(project_id: str) -> Select[Any]:
    """Examples whose reservation has ended, the longest ago first."""
    return (
        select(Example.id)
        .where(Example.project_id == project_id, text(IS_LEASED), Example.lease_until < now())
        .order_by(Example.lease_until, Example.id)
    )


def _claim(session: Session, actor: Actor, candidates: Select[Any]) -> int | None:
    """Reserve the first of them, in one statement."""
    first = candidates.limit(1).with_for_update(skip_locked=True)
    return session.scalar(
        update(Example)
        .where(Example.id == first.scalar_subquery())
        .values(lease_user_id=actor.user_id, lease_until=now() + _lease())
        .returning(Example.id)
        .execution_options(synchronize_session=False)
    )


def _renew_held(
    session: Session, actor: Actor, project_id: str, *, besides: int | None
) -> int | None:
    """The first of what this person holds already, reserved for a while longer."""
    held = session.scalars(
        select(Example.id).where(
            Example.project_id == project_id,
            text(IS_LEASED),
            Example.lease_user_id == actor.user_id,
            Example.lease_until > now(),
        )
    ).all()
    first = min((example_id for example_id in held if example_id != besides), default=None)
    if first is None:
        return None
    return session.scalar(
        update(Example)
        .where(Example.id == first, Example.lease_user_id == actor.user_id)
        .values(lease_until=now() + _lease())
        .returning(Example.id)
        .execution_options(synchronize_session=False)
    )


def _release(session: Session, actor: Actor, project_id: str, example_id: int) -> None:
    session.execute(
        update(Example)
        .where(
            Example.id == example_id,
            Example.project_id == project_id,
            Example.lease_user_id == actor.user_id,
        )
        .values(lease_user_id=None, lease_until=None)
        .execution_options(synchronize_session=False)
    )


def _lease() -> timedelta:
    return timedelta(minutes=get_settings().lease_minutes)
