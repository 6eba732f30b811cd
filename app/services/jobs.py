"""The life of a job: queued, claimed under a lease, renewed, ended once.

A claim takes one row that nobody else is taking, and raises the job's fence. Whoever writes for a job names the fence
it claimed with; when somebody else has claimed since, the write changes nothing and says so.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Literal

from sqlalchemy import ColumnElement, and_, func, or_, select, true, update
from sqlalchemy.orm import Session

from app.db import after_commit, session_scope
from app.errors import AnnotuneError, Conflict, NotFound
from app.i18n import gettext as _
from app.models import FINAL_STATES, Job, new_id, now
from app.security.secrets import join_secret, split_secret
from app.services import dispatch
from app.settings import get_settings

Queue = Literal["cpu", "gpu"]
Device = Literal["cuda", "cpu"]
PRIORITIES = {"urgent": 1, "normal": 0, "idle": -1}
"""What a person may wish; `idle` is for work that is done when nothing else waits."""


class LostLease(AnnotuneError):
    """Another worker holds the job now: stop, and write nothing."""

    status = 409


class Cancelled(Exception):
    """The person wants the job to stop; whoever works on it cleans up and lets this pass."""


class Interrupted(Exception):
    """This worker shuts down; whoever works on the job cleans up, lets this pass, and it is queued again."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to work on a job, while the lease lasts."""

    job_id: str
    kind: str
    project_id: str
    fence: int
    attempt: int
    interrupted: Callable[[], bool] = field(default=lambda: False, compare=False, repr=False)
    """Whether the worker is about to shut down."""
    share: str | None = field(default=None, compare=False, repr=False)
    """What the job's message carried of a secret."""


def create(
    session: Session,
    *,
    kind: str,
    queue: Queue,
    project_id: str,
    created_by: str | None,
    priority: int = 0,
    device: Device | None = None,
    secret: str | None = None,
    flush: bool = True,
) -> Job:
    """A queued job; its message goes out when the session commits.

    Without `flush` the caller flushes before anything else points to the job, as for many of them. A secret is
    never stored: one half waits in the job's row and the other goes with the message, and
    neither says anything alone. `take_secret` gives it to the worker, once.
    """
    pad, share = split_secret(secret) if secret else (None, None)
    job = Job(
        id=new_id(),
        kind=kind,
        queue=queue,
        project_id=project_id,
        created_by=created_by,
        priority=priority,
        device=device,
        published_at=now(),
        progress={},
        pad=pad,
    )
    session.add(job)
    if flush:
        session.flush()
    after_commit(session, lambda: _send(job, share))
    return job


def get(session: Session, job_id: str) -> Job:
    """The job. Raises NotFound."""
    job = session.get(Job, job_id)
    if job is None:
        raise NotFound(_("There is no such job."))
    return job


def is_known(job_id: str) -> bool:
    """Whether this database has such a job, whatever became of it."""
    with session_scope(read_only=True) as session:
        return session.get(Job, job_id) is not None


def claim(job_id: str, owner: str) -> Claim | None:
    """Take the job, or None when it is not to be had (held by another, ended, cancelled)."""
    with session_scope() as session:
        return _take(session, Job.id == job_id, owner)


def claim_best(
    job_id: str, owner: str, *, device: Device, share: str | None = None
) -> Claim | None:
    """Take the job that a message speaks of, or one of its queue whose turn is earlier.

    `share` is what the message carries of the job's secret. A job with a secret is only taken for its own
    message, which alone carries the share.

    None when the message's job is not to be had any more: then nothing else is taken either, since every
    queued job has a message of its own. When another job is taken, that one's message will find it taken,
    and the message that was used up for it is sent again for the job that it spoke of.
    """
    with session_scope() as session:
        asked = session.scalar(select(Job).where(Job.id == job_id, _claimable()))
        if asked is None:
            return None
        open_to_all = (Job.queue == asked.queue) & (Job.pad.is_(None) | (Job.id == job_id))
        taken = _take(session, open_to_all & _fits(device), owner, pass_by=True) or _take(
            session, (Job.id == job_id) & _fits(device), owner
        )
        if taken is None or taken.job_id == job_id:
            return taken and replace(taken, share=share)
        after_commit(session, lambda: _send(asked, share))
        return taken


def _claimable() -> ColumnElement[bool]:
    return and_(
        or_(Job.state == "queued", (Job.state == "running") & (Job.lease_until < now())),
        Job.attempt < get_settings().job_attempts,
    )


def _fits(device: Device) -> ColumnElement[bool]:
    return or_(Job.device.is_(None), Job.device == device)


_TURNS = (Job.priority.desc(), Job.created_at, Job.id)
"""The order in which jobs of a queue are done."""


def goes_before(job: Job) -> ColumnElement[bool]:
    """Whose turn is earlier than a queued job's, of those that a worker for that job may take."""
    rivals = Job.device.is_(None) | (Job.device == job.device) if job.device else true()
    earlier = or_(
        Job.priority > job.priority,
        (Job.priority == job.priority) & (Job.created_at < job.created_at),
        (Job.priority == job.priority) & (Job.created_at == job.created_at) & (Job.id < job.id),
    )
    queued = and_(Job.state == "queued", rivals, earlier)
    return and_(Job.queue == job.queue, or_(Job.state.in_(("running", "cancelling")), queued))


def _take(
    session: Session, which: ColumnElement[bool], owner: str, *, pass_by: bool = False
) -> Claim | None:
    """Claim the first of these that is to be had; one that somebody else is just writing is waited for, or
    passed by."""
    job = session.scalar(
        select(Job)
        .where(which, _claimable())
        .order_by(*_TURNS)
        .limit(1)
        .with_for_update(skip_locked=pass_by)
        .execution_options(populate_existing=True)
    )
    if job is None:
        return None
    job.state = "running"
    job.fence += 1
    job.attempt += 1
    job.lease_owner, job.lease_until = owner, now() + _lease()
    job.started_at = now()
    job.progress = {}  # an earlier attempt's says nothing of this one
    return Claim(job.id, job.kind, job.project_id, job.fence, job.attempt)


def hold(session: Session, claim: Claim) -> Job:
    """The job's row, locked for this transaction. Raises LostLease when the claim is no longer good.

    Call it first in every transaction that writes for a job.
    """
    job = session.scalar(
        select(Job)
        .where(
            Job.id == claim.job_id,
            Job.fence == claim.fence,
            Job.state.in_(("running", "cancelling")),
        )
        .with_for_update()
    )
    if job is None:
        raise LostLease(f"The job {claim.job_id} was taken over.")
    return job


def take_secret(claim: Claim) -> str | None:
    """The secret that the job was given; None where it has none, or its message or row has it no more.

    Raises LostLease.
    """
    with session_scope() as session:
        job = hold(session, claim)
        pad, job.pad = job.pad, None
    try:
        return join_secret(pad, claim.share) if pad and claim.share else None
    except ValueError:  # the message was another one's
        return None


def renew(claim: Claim, progress: dict[str, Any] | None = None) -> bool:
    """Extend the lease and store the progress. True: go on; False: the person wants it cancelled.

    Raises LostLease, and Interrupted when the worker shuts down.
    """
    if claim.interrupted():
        raise Interrupted
    with session_scope() as session:
        job = hold(session, claim)
        job.lease_until = now() + _lease()
        if progress is not None:
            job.progress = progress
        return job.state == "running"


def succeed(session: Session, claim: Claim, progress: dict[str, Any] | None = None) -> None:
    """End the job well, together with what the session writes besides. Raises LostLease."""
    _end(hold(session, claim), "succeeded", progress=progress)


def fail(claim: Claim, message: str, *, category: str = "internal") -> None:
    """End the job with its cause in words. Raises LostLease."""
    with session_scope() as session:
        _end(hold(session, claim), "failed", error=message, category=category)


def cancelled(claim: Claim) -> None:
    """The work has stopped as wished. Raises LostLease."""
    with session_scope() as session:
        _end(hold(session, claim), "cancelled")


def retry(claim: Claim, message: str, *, category: str) -> bool:
    """This attempt came to nothing: queue the job again, or end it with the message after the last one.

    True when it will be tried again. Raises LostLease.
    """
    with session_scope() as session:
        job = hold(session, claim)
        if job.state == "cancelling":
            _end(job, "cancelled")
        elif job.attempt >= get_settings().job_attempts:
            _end(job, "failed", error=message, category=category)
        else:
            _requeue(job)
        return job.state == "queued"


def release(claim: Claim) -> None:
    """Give the job back to the queue, as when this worker shuts down; the attempt does not count."""
    with session_scope() as session:
        job = hold(session, claim)
        if job.state == "cancelling":
            _end(job, "cancelled")
            return
        _requeue(job)
        job.attempt -= 1


def request_cancel(session: Session, job: Job) -> None:
    """A queued job ends at once; a running one is asked to stop. An ended one stays as it is."""
    locked = _reread(session, job)
    if locked is None or locked.state in FINAL_STATES:
        return
    if locked.state == "queued":
        _end(locked, "cancelled")
    else:
        locked.state = "cancelling"


def cancel_all(session: Session, which: ColumnElement[bool]) -> None:
    """Stop all of these jobs, as `request_cancel` does."""
    ended = {"state": "cancelled", "pad": None, "finished_at": now()}
    for state, values in (("queued", ended), ("running", {"state": "cancelling"})):
        session.execute(
            update(Job)
            .where(which, Job.state == state)
            .values(**values)
            .execution_options(synchronize_session=False)
        )


def restart(session: Session, job: Job) -> None:
    """Queue a job again that failed or was cancelled, with all its attempts. Raises Conflict for any other."""
    locked = _reread(session, job)
    if locked is None or locked.state not in ("failed", "cancelled"):
        raise Conflict(_("Only what has failed or was cancelled can be taken up again."))
    _requeue(locked)
    locked.attempt, locked.published_at = 0, now()
    locked.error = locked.error_category = locked.finished_at = None
    after_commit(session, lambda: _send(locked))


def _reread(session: Session, job: Job) -> Job | None:
    """The job's row as it is now, locked for this transaction."""
    return session.scalar(
        select(Job)
        .where(Job.id == job.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )


def reconcile() -> list[str]:
    """Take care of what was lost: expired leases, messages that never arrived. The ids sent again.

    Any process may call this at any time, as often as it likes.
    """
    silent = Job.state.in_(("running", "cancelling")) & (Job.lease_until < now())
    since = now() - timedelta(seconds=get_settings().job_republish_seconds)
    waiting = (Job.state == "queued") & or_(Job.published_at.is_(None), Job.published_at < since)
    with session_scope(read_only=True) as session:  # mostly there is nothing to write
        if session.scalar(select(Job.id).where(or_(silent, waiting)).limit(1)) is None:
            return []
    unsent: list[Job] = []
    quiet: list[Job] = []
    with session_scope() as session:
        for job in _locked(session, silent):
            _recover(job)
        for job in _locked(session, waiting):
            if job.attempt >= get_settings().job_attempts:  # the bound was lowered meanwhile
                _recover(job)
                continue
            (quiet if job.published_at else unsent).append(job)
            job.published_at = now()
        session.flush()
        queued = _queued_by_broker_queue(session)
    short = {queue for queue, count in queued.items() if _is_short(queue, count)}
    lost = unsent + [job for job in quiet if _queue_of(job) in short]
    for n, job in enumerate(lost):
        if not dispatch.wake(job.id, _queue_of(job)):
            _unpublish([job.id for job in lost[n:]])
            return [job.id for job in lost[:n]]
    return [job.id for job in lost]


def _queued_by_broker_queue(session: Session) -> dict[str, int]:
    rows = session.execute(
        select(Job.queue, Job.device, func.count())
        .where(Job.state == "queued")
        .group_by(Job.queue, Job.device)
    )
    return {broker_queue(queue, device): count for queue, device, count in rows}


def _is_short(queue: str, jobs: int) -> bool:
    """Whether fewer messages than jobs wait in a queue of the broker, so that one may be lost. Where each job can
    have its own, none is sent again: while no worker comes to take them, messages would heap up."""
    messages = dispatch.waiting(queue)
    return messages is None or messages < jobs


def _locked(session: Session, condition: ColumnElement[bool]) -> list[Job]:
    """Matching jobs, in the order of their turns, that nobody else is just looking after."""
    return list(
        session.scalars(
            select(Job).where(condition).order_by(*_TURNS).with_for_update(skip_locked=True)
        )
    )


def _recover(job: Job) -> None:
    if job.state == "cancelling":
        _end(job, "cancelled")
    elif job.attempt >= get_settings().job_attempts:
        _end(
            job,
            "failed",
            error=(
                f"The worker stopped answering {job.attempt} times. It was probably ended by the system "
                "for taking too much memory: try a smaller batch size or a smaller model, and look at "
                "the log of the worker."
            ),
            category="lost",
        )
    else:
        _requeue(job)


def _requeue(job: Job) -> None:
    job.state = "queued"
    job.lease_owner = job.lease_until = job.published_at = None


def _queue_of(job: Job) -> str:
    return broker_queue(job.queue, job.device)


def broker_queue(queue: str, device: str | None) -> str:
    """The broker's queue for the messages of such jobs: only workers that may take a job hear of it."""
    return f"{queue}.{device}" if device else queue


def _send(job: Job, share: str | None = None) -> None:
    """Send the job's message; where that fails, the next reconciliation sends it, without a secret."""
    if not dispatch.wake(job.id, _queue_of(job), share):
        _unpublish([job.id])


def _unpublish(job_ids: list[str]) -> None:
    with session_scope() as session:
        session.execute(
            update(Job).where(Job.id.in_(job_ids), Job.state == "queued").values(published_at=None)
        )


def _end(
    job: Job,
    state: str,
    *,
    error: str | None = None,
    category: str | None = None,
    progress: dict[str, Any] | None = None,
) -> None:
    job.state, job.error, job.error_category = state, error, category
    job.lease_owner = job.lease_until = job.pad = None
    job.finished_at = now()
    if progress is not None:
        job.progress = progress


def _lease() -> timedelta:
    return timedelta(seconds=get_settings().job_lease_seconds)
