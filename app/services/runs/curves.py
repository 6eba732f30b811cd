"""What a run has measured and written so far."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, cast, func, literal, select, union
from sqlalchemy.orm import Session, aliased

from app.db import session_scope
from app.models import Run, RunLog, RunPoint

MAX_CURVE_POINTS = 1000
_LOG_TAIL = 64_000
_UNSEEN = 0.002
"""A curve that has grown by no more than this share of its length looks the same: a pixel of a chart's 500."""


@dataclass(frozen=True, slots=True)
class Reach:
    """How far a run's curves go: its last step, and the step of its last evaluation; -1 where there is none."""

    step: int = -1
    evaluation: int = -1

    def looks_like(self, newer: "Reach") -> bool:
        """Whether curves that go so far show what newer ones would."""
        grown = newer.step - self.step  # less than 0 where a run was taken up from a checkpoint
        return newer.evaluation == self.evaluation and 0 <= grown <= self.step * _UNSEEN


def reach(session: Session, run_id: str) -> Reach:
    """How far a run's curves go by now."""
    last = (
        select(func.max(RunPoint.step))
        .where(RunPoint.run_id == run_id, RunPoint.kind == kind)
        .scalar_subquery()
        for kind in ("step", "evaluation")
    )
    return Reach(*(-1 if step is None else step for step in session.execute(select(*last)).one()))


def points(
    session: Session, run_id: str, kind: str, *, after_step: int = -1
) -> list[dict[str, Any]]:
    """A run's steps or evaluations in order, thinned evenly to at most 1,000; the last one always stays."""
    return curves(session, [run_id], kind, after_step=after_step)[run_id]


def curves(
    session: Session,
    run_ids: Sequence[str],
    kind: str,
    *,
    most: int = MAX_CURVE_POINTS,
    after_step: int = -1,
) -> dict[str, list[dict[str, Any]]]:
    """The steps or evaluations of several runs in order, in one query; the runs without any have none.

    A run with more than `most` points is thinned to at most so many, evenly over its steps; its first and
    its last one always stay. The points to keep are looked up in the index one by one: numbering all rows
    by a window function reads them all, and took twelve times as long for 200 runs of 5,000 points.
    Who may see the runs has been checked.
    """
    found: dict[str, list[dict[str, Any]]] = {run_id: [] for run_id in run_ids}
    if not found:
        return found
    point = aliased(RunPoint)
    of_run = (point.run_id == Run.id, point.kind == kind, point.step > after_step)
    bounds = (
        select(
            Run.id.label("run_id"),
            select(func.min(point.step)).where(*of_run).scalar_subquery().label("first"),
            select(func.max(point.step)).where(*of_run).scalar_subquery().label("last"),
            # None where it has no more points than may be kept.
            select(point.id)
            .where(*of_run)
            .order_by(point.step)
            .offset(most)
            .limit(1)
            .scalar_subquery()
            .label("beyond"),
        )
        .where(Run.id.in_(list(found)))
        .cte("bounds")
    )
    number = select(literal(0).label("n")).cte("numbers", recursive=True)
    number = number.union_all(select(number.c.n + 1).where(number.c.n + 1 < most))
    span = cast(bounds.c.last - bounds.c.first, BigInteger)
    target = bounds.c.first + span * number.c.n // max(1, most - 1)
    last_until = (
        select(point.id)
        .where(point.run_id == bounds.c.run_id, point.kind == kind, point.step <= target)
        .order_by(point.step.desc(), point.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    thinned = select(last_until).select_from(bounds.join(number, bounds.c.beyond.is_not(None)))
    whole = (
        select(point.id)
        .join(bounds, bounds.c.run_id == point.run_id)
        .where(point.kind == kind, point.step > after_step, bounds.c.beyond.is_(None))
    )
    kept = union(whole, thinned).subquery()
    rows = session.execute(
        select(RunPoint.run_id, RunPoint.step, RunPoint.values)
        .join(kept, kept.c.id == RunPoint.id)
        .order_by(RunPoint.run_id, RunPoint.step, RunPoint.id)
    )
    for run_id, step, values in rows:
        found[run_id].append({"step": step, **values})
    return found


def log_tail(session: Session, run_id: str) -> str:
    """The end of a run's log, up to about 64,000 characters."""
    pieces: list[str] = []
    size = 0
    for text in session.scalars(
        select(RunLog.text).where(RunLog.run_id == run_id).order_by(RunLog.id.desc()).limit(500)
    ):
        pieces.append(text)
        size += len(text)
        if size > _LOG_TAIL:
            break
    return "".join(reversed(pieces))[-_LOG_TAIL:]


def log_chunks(run_id: str) -> Iterator[bytes]:
    """A run's whole log, piece by piece; opens its own session."""
    with session_scope(read_only=True) as session:
        ids = session.scalars(
            select(RunLog.id).where(RunLog.run_id == run_id).order_by(RunLog.id)
        ).all()
    for log_id in ids:
        with session_scope(read_only=True) as session:
            piece = session.get(RunLog, log_id)
        if piece is not None:
            yield piece.text.encode()
