"""What a run has measured and written so far."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import BigInteger, Select, func, literal, select, union_all
from sqlalchemy.orm import Session

from app.db import session_scope
from app.models import Run, RunLog, RunPoint

MAX_CURVE_POINTS = 1000
_LOG_TAIL = 64_000


def points(
    session: Session, run_id: str, kind: str, *, after_step: int = -1
) -> list[dict[str, Any]]:
    """A run's steps or evaluations in order, thinned evenly to at most 1,000; the last one always stays."""
    return curves(session, [run_id], kind, after_step=after_step)[run_id]


def curves(
    session: Session, run_ids: Sequence[str], kind: str, *, after_step: int = -1
) -> dict[str, list[dict[str, Any]]]:
    """The points of several runs, each as `points` gives them; two statements, however many runs and points.

    Who may see the runs has been checked.
    """
    found: dict[str, list[dict[str, Any]]] = {run_id: [] for run_id in run_ids}
    of_run = (RunPoint.run_id == Run.id, RunPoint.kind == kind, RunPoint.step > after_step)
    beyond = select(RunPoint.id).where(*of_run).offset(MAX_CURVE_POINTS).limit(1)
    sizes = session.execute(
        select(
            Run.id,
            select(func.min(RunPoint.step)).where(*of_run).scalar_subquery().label("low"),
            select(func.max(RunPoint.step)).where(*of_run).scalar_subquery().label("high"),
            beyond.exists().label("is_long"),
        ).where(Run.id.in_(found))
    ).all()
    ids = [
        select(RunPoint.id).where(
            RunPoint.run_id.in_([size.id for size in sizes if not size.is_long]),
            RunPoint.kind == kind,
            RunPoint.step > after_step,
        ),
        *(_evenly(size.id, kind, size.low, size.high) for size in sizes if size.is_long),
    ]
    kept = union_all(*ids).subquery()
    rows = session.execute(
        select(RunPoint.run_id, RunPoint.step, RunPoint.values)
        .join(kept, kept.c.id == RunPoint.id)
        .order_by(RunPoint.step, RunPoint.id)
    )
    for run_id, step, values in rows:
        found[run_id].append({"step": step, **values})
    return found


def _evenly(run_id: str, kind: str, low: int, high: int) -> Select[tuple[int]]:
    """The ids of the last point at or before each of 1,000 steps at even distances from `low` to `high`.

    Each is one look into the index, so a million points cost no more than some thousand.
    """
    marks = select(literal(1).label("n")).cte("marks", recursive=True)
    marks = marks.union_all(select(marks.c.n + 1).where(marks.c.n < MAX_CURVE_POINTS))
    width = literal(high - low, BigInteger)
    last = (
        select(RunPoint.id)
        .where(
            RunPoint.run_id == run_id,
            RunPoint.kind == kind,
            RunPoint.step <= low + width * marks.c.n // MAX_CURVE_POINTS,
        )
        .order_by(RunPoint.step.desc(), RunPoint.id.desc())
        .limit(1)
        .correlate(marks)
        .scalar_subquery()
    )
    return select(last.label("id")).select_from(marks).distinct()


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
