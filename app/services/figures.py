"""Figures for those who operate Annotune: what waits, what is worked on, by whom. Short queries on indexes."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, func, select, text
from sqlalchemy.orm import Session

from app.models import ACTIVE_STATES, FINAL_STATES, Job, Run, RunPoint, Worker, now
from app.services import workers

RECENT = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Training:
    """A run that is going on, as it last reported."""

    run_id: str
    kind: str
    tokens_per_second: float


@dataclass(frozen=True, slots=True)
class Figures:
    """How the installation stands."""

    jobs: dict[tuple[str, str], int]
    """Those not ended, by kind and state."""
    recent_jobs: dict[tuple[str, str], int]
    """Those made within a day, by kind and state."""
    queues: dict[tuple[str, str], tuple[int, datetime]]
    """How many wait, and since when the oldest, by queue and device; "any": pinned to nothing."""
    workers: list[Worker]
    """Those alive."""
    trainings: list[Training]
    lock_waits: int | None
    """Statements that wait for a lock; None where the database does not tell."""


def gather(session: Session) -> Figures:
    """All of it, in some milliseconds."""
    return Figures(
        jobs=_jobs(session, Job.state.in_(ACTIVE_STATES)),
        # Every state is named, since the index begins with it.
        recent_jobs=_jobs(
            session,
            Job.state.in_((*ACTIVE_STATES, *FINAL_STATES)) & (Job.created_at > now() - RECENT),
        ),
        queues={
            (queue, device or "any"): (count, oldest)
            for queue, device, count, oldest in session.execute(
                select(Job.queue, Job.device, func.count(), func.min(Job.created_at))
                .where(Job.state == "queued")
                .group_by(Job.queue, Job.device)
            )
        },
        workers=workers.alive(session),
        trainings=_trainings(session),
        lock_waits=_lock_waits(session),
    )


def _jobs(session: Session, condition: ColumnElement[bool]) -> dict[tuple[str, str], int]:
    rows = session.execute(
        select(Job.kind, Job.state, func.count()).where(condition).group_by(Job.kind, Job.state)
    )
    return {(kind, state): count for kind, state, count in rows}


def _trainings(session: Session) -> list[Training]:
    running = session.execute(
        select(Run.id, Job.kind).join(Job, Job.id == Run.job_id).where(Job.state == "running")
    ).all()
    found = []
    for run_id, kind in running:
        values = session.scalar(
            select(RunPoint.values)
            .where(RunPoint.run_id == run_id, RunPoint.kind == "step")
            .order_by(RunPoint.step.desc())
            .limit(1)
        )
        if values and isinstance(values.get("tokens_per_second"), int | float):
            found.append(Training(run_id, kind, float(values["tokens_per_second"])))
    return found


def _lock_waits(session: Session) -> int | None:
    if session.get_bind().dialect.name != "postgresql":
        return None
    found = session.scalar(
        text(
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
    )
    return int(found or 0)
