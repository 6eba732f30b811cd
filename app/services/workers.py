"""Which workers there are: each says so itself every few seconds."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from app.db import session_scope
from app.models import Job, Project, Run, Worker, now
from app.services.access import Actor, require_admin
from app.services.jobs import Queue
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

    def could_take(self, queue: str, device: str | None) -> bool:
        """Whether it has room for a job of this queue, pinned to this."""
        worker = self.worker
        fits = queue in worker.queues and device in (None, worker.device_kind)
        return fits and not self.is_silent and len(self.jobs) < worker.concurrency


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


def alive(session: Session) -> list[Worker]:
    """Those that have been seen just now."""
    return list(
        session.scalars(
            select(Worker).where(Worker.seen_at > now() - _patience()).order_by(Worker.name)
        )
    )


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


@dataclass(frozen=True, slots=True)
class QueueView:
    """The jobs that wait in a queue for the same kind of device."""

    queue: str
    device: str | None
    """What they are pinned to; None: nothing."""
    waiting: int
    oldest_at: datetime | None
    idle: Sequence[str]
    """Workers that could take one, and have done nothing although one has waited for a while."""


def list_queues(session: Session, workers: Sequence[WorkerView]) -> list[QueueView]:
    """What waits, with those of these workers that idle meanwhile. Queues without pins are always told of."""
    rows = session.execute(
        select(
            Job.queue,
            Job.device,
            func.count(),
            func.min(Job.created_at),
        )
        .where(Job.state == "queued")
        .group_by(Job.queue, Job.device)
    )
    found = {(queue, device): (count, oldest) for queue, device, count, oldest in rows}
    views = []
    for queue, device in sorted(
        {*found, ("cpu", None), ("gpu", None)}, key=lambda key: (key[0], key[1] or "")
    ):
        waiting, oldest = found.get((queue, device), (0, None))
        idle = [
            view.worker.name
            for view in workers
            if oldest is not None
            and oldest < now() - _patience()
            and view.could_take(queue, device)
            and view.worker.started_at < now() - _patience()
        ]
        views.append(QueueView(queue, device, waiting, oldest, idle))
    return views


def is_served(session: Session, queue: Queue, device: str | None = None) -> bool:
    """Whether a worker that takes this queue's jobs, with such a device, has been seen just now."""
    fitting = select(Worker.queues).where(Worker.seen_at > now() - _patience())
    if device is not None:
        fitting = fitting.where(Worker.device_kind == device)
    return any(queue in queues for queues in session.scalars(fitting))


def _patience() -> timedelta:
    return timedelta(seconds=15 + 3 * get_settings().reconcile_seconds)
