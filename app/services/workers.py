"""Which workers there are: each says so itself every few seconds."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app.db import session_scope
from app.models import Job, Project, Run, Worker, now
from app.services.access import Actor, require_admin
from app.services.jobs import Device, Queue
from app.settings import get_settings

_FORGET = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class WorkerView:
    """A worker with what it is doing."""

    worker: Worker
    is_silent: bool
    """It has not been seen for a while: it was killed, or cannot reach the database."""
    jobs: Sequence[tuple[Job, str, str | None]]
    """Each with its project's name and, for a training, its run's id."""


def announce(name: str, **facts: Any) -> None:
    """Say that a worker is there, and what it has; the fields are those of Worker."""
    with session_scope() as session:
        worker = session.get(Worker, name)
        if worker is None:
            session.add(Worker(name=name, **facts))
            session.execute(delete(Worker).where(Worker.seen_at < now() - _FORGET))
        else:
            for field, value in facts.items():
                setattr(worker, field, value)
            worker.seen_at = now()


def leave(name: str) -> None:
    """Say that a worker has ended."""
    with session_scope() as session:
        session.execute(delete(Worker).where(Worker.name == name))


def list_workers(session: Session, actor: Actor) -> list[WorkerView]:
    """All workers, for an administrator; those seen within a day."""
    require_admin(actor)
    busy = session.execute(
        select(Job, Project.name, Run.id)
        .join(Project, Project.id == Job.project_id)
        .outerjoin(Run, Run.job_id == Job.id)
        .where(Job.state.in_(("running", "cancelling")))
        .order_by(Job.started_at)
    ).all()
    views = []
    for worker in session.scalars(select(Worker).order_by(Worker.name)):
        own = [
            (job, project, run_id)
            for job, project, run_id in busy
            if (job.lease_owner or "").rpartition(":")[0] == worker.name
        ]
        views.append(WorkerView(worker, worker.seen_at < now() - _patience(), own))
    return views


def is_served(session: Session, queue: Queue, device: Device | None = None) -> bool:
    """Whether a worker that takes this queue's jobs, with such a device, has been seen just now."""
    fitting = select(Worker.queues).where(Worker.seen_at > now() - _patience())
    if device is not None:
        fitting = fitting.where(Worker.device_kind == device)
    return any(queue in queues for queues in session.scalars(fitting))


def _patience() -> timedelta:
    return timedelta(seconds=15 + 3 * get_settings().reconcile_seconds)
