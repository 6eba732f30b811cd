"""What a run has measured and written so far."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db import session_scope
from app.models import RunLog, RunPoint

MAX_CURVE_POINTS = 1000
_LOG_TAIL = 64_000


def points(
    session: Session, run_id: str, kind: str, *, after_step: int = -1
) -> list[dict[str, Any]]:
    """A run's steps or evaluations in order, thinned evenly to at most 1,000; the last one always stays."""
    rows = session.execute(
        select(RunPoint.step, RunPoint.values)
        .where(RunPoint.run_id == run_id, RunPoint.kind == kind, RunPoint.step > after_step)
        .order_by(RunPoint.step, RunPoint.id)
    ).all()
    stride = -(-len(rows) // MAX_CURVE_POINTS) or 1
    kept = rows[::-1][::stride][::-1]
    return [{"step": step, **values} for step, values in kept]


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
