"""Telling runs to trackers outside: what is still to be sent, and how far it has come.

The database's points are the truth; a tracker is told of them afterwards, so one that is away keeps nothing
waiting. How far it was told stands by step, since a run that goes on writes its points anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import or_, select, update

from app.db import session_scope
from app.models import FINAL_STATES, Job, Project, Run, RunPoint, RunTracking, now
from app.services import jobs
from app.services.runs import model_key

BATCH = 900
"""Points of a kind sent at once."""
_PAUSE, _LONGEST_PAUSE, _OWNED = 2.0, 300.0, 60.0  # seconds


@dataclass(frozen=True, slots=True)
class Batch:
    """What a tracker is to be told of a run now."""

    tracker: str
    run_id: str
    name: str
    project: str
    kind: str
    params: dict[str, Any]
    started_at: datetime
    points: list[dict[str, Any]]
    """With "kind", "step", "at" (milliseconds) and what was measured."""
    sent: dict[str, Any]
    """How far it was told before."""
    failures: int
    """Tries in a row that it did not take."""
    ended: str | None
    """The state in which the run has ended, once nothing else is left to send."""
    scores: dict[str, float]
    """Final ones, as `test/accuracy`; with `ended` only."""
    model: str | None
    """The model's key in the storage."""


def follow(claim: jobs.Claim, run_id: str, trackers: Sequence[str]) -> None:
    """From now on tell these trackers of a run; those that know it go on. Raises LostLease."""
    if not trackers:
        return
    with session_scope() as session:
        jobs.hold(session, claim)
        for tracker in trackers:
            known = session.get(RunTracking, (run_id, tracker))
            if known is None:
                session.add(RunTracking(run_id=run_id, tracker=tracker, sent={}))
            else:
                known.done = False


def take(owner: str, trackers: Sequence[str]) -> Batch | None:
    """The next batch that is due, which is this worker's to send for a minute; None: there is none."""
    moment = now()
    with session_scope() as session:
        row = session.scalar(
            select(RunTracking)
            .where(
                RunTracking.done.is_(False),
                RunTracking.tracker.in_(trackers),
                RunTracking.due_at <= moment,
                or_(RunTracking.owner == owner, RunTracking.owned_until < moment),
            )
            .order_by(RunTracking.due_at)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        if row is None:
            return None
        row.owner = owner
        # It is not due again before this try has certainly ended, whether it says how or not.
        row.due_at = row.owned_until = moment + timedelta(seconds=_OWNED)
        run, job, project = session.execute(
            select(Run, Job, Project)
            .join(Job, Job.id == Run.job_id)
            .join(Project, Project.id == Run.project_id)
            .where(Run.id == row.run_id)
        ).one()
        points = [*_steps(session, row), *_evaluations(session, row)]
        ended = job.state if job.state in FINAL_STATES and not points else None
        return Batch(
            tracker=row.tracker,
            run_id=run.id,
            name=run.name,
            project=f"{project.name} ({project.id})",
            kind=job.kind,
            params=run.params,
            started_at=job.started_at or run.created_at,
            points=points,
            sent=dict(row.sent),
            failures=row.failures,
            ended=ended,
            scores=_final_scores(run.result) if ended else {},
            model=model_key(run.id) if ended and run.model_size is not None else None,
        )


def sent(owner: str, batch: Batch, outside: dict[str, Any]) -> None:
    """The tracker has it all; `outside` is what it calls the run, kept for the next batch."""
    reached = dict(batch.sent) | outside
    for point in batch.points:
        key = _key(point)
        reached[key] = max(point["step"], reached.get(key, -1))
    pause = 0.0 if len(batch.points) >= BATCH else _PAUSE
    _update(owner, batch, sent=reached, failures=0, pause=pause, done=batch.ended is not None)


def failed(owner: str, batch: Batch) -> None:
    """The tracker did not take it: try again later, and ever later."""
    failures = batch.failures + 1
    pause = min(_LONGEST_PAUSE, _PAUSE * 2 ** min(failures, 10))
    _update(owner, batch, failures=failures, pause=pause)


def _update(owner: str, batch: Batch, *, pause: float, **values: Any) -> None:
    with session_scope() as session:
        session.execute(
            update(RunTracking)
            .where(
                RunTracking.run_id == batch.run_id,
                RunTracking.tracker == batch.tracker,
                RunTracking.owner == owner,
            )
            .values(due_at=now() + timedelta(seconds=pause), **values)
        )


def _steps(session: Any, row: RunTracking) -> list[dict[str, Any]]:
    query = (
        select(RunPoint.step, RunPoint.values)
        .where(
            RunPoint.run_id == row.run_id,
            RunPoint.kind == "step",
            RunPoint.step > row.sent.get("step", -1),
        )
        .order_by(RunPoint.step)
        .limit(BATCH)
    )
    return [{**values, "kind": "step", "step": step} for step, values in session.execute(query)]


def _evaluations(session: Any, row: RunTracking) -> list[dict[str, Any]]:
    """The splits are evaluated at the same step, perhaps: each has come its own way."""
    query = (
        select(RunPoint.step, RunPoint.values)
        .where(RunPoint.run_id == row.run_id, RunPoint.kind == "evaluation")
        .order_by(RunPoint.step)
    )
    found = [
        {**values, "kind": "evaluation", "step": step} for step, values in session.execute(query)
    ]
    return [point for point in found if point["step"] > row.sent.get(_key(point), -1)][:BATCH]


def _key(point: dict[str, Any]) -> str:
    return f"evaluation/{point.get('split', '')}" if point["kind"] == "evaluation" else "step"


def _final_scores(result: dict[str, Any] | None) -> dict[str, float]:
    reports = (result or {}).get("metrics") or {}
    return {
        f"{split}/{name}": float(value)
        for split, report in reports.items()
        if isinstance(report, dict)
        for name, value in (report.get("scores") or {}).items()
        if isinstance(value, int | float)
    }
