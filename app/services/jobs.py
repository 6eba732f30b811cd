"""The life of a job: queued, claimed under a lease, renewed, ended once.

A claim is one conditional update that raises the job's fence. Whoever writes for a job names the fence
it claimed with; when somebody else has claimed since, the write changes nothing and says so.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal, cast

from sqlalchemy import ColumnElement, or_, select, update
from sqlalchemy.orm import Session

from app.db import after_commit, session_scope
from app.errors import AnnotuneError, Conflict, NotFound
from app.i18n import gettext as _
from app.models import FINAL_STATES, Job, now
from app.security.secrets import join_secret, split_secret
from app.services import dispatch
from app.settings import get_settings

Queue = Literal["cpu", "gpu"]


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
    secret: str | None = None,
) -> Job:
    """A queued job; its message goes out when the session commits.

    A secret is never stored: one half waits in the job's row and the other goes with the message, and
    neither says anything alone. `take_secret` gives it to the worker, once.
    """
    pad, share = split_secret(secret) if secret else (None, None)
    job = Job(
        kind=kind,
        queue=queue,
        project_id=project_id,
        created_by=created_by,
        published_at=now(),
        progress={},
        pad=pad,
    )
    session.add(job)
    session.flush()
    after_commit(session, lambda: _send(job.id, queue, share))
    return job


def get(session: Session, job_id: str) -> Job:
    """The job. Raises NotFound."""
    job = session.get(Job, job_id)
    if job is None:
        raise NotFound(_("There is no such job."))
    return job


def claim(job_id: str, owner: str) -> Claim | None:
    """Take the job, or None when it is not to be had (held by another, ended, cancelled)."""
    with session_scope() as session:
        row = session.execute(
            update(Job)
            .where(
                Job.id == job_id,
                or_(Job.state == "queued", (Job.state == "running") & (Job.lease_until < now())),
                Job.attempt < get_settings().job_attempts,
            )
            .values(
                state="running",
                fence=Job.fence + 1,
                attempt=Job.attempt + 1,
                lease_owner=owner,
                lease_until=now() + _lease(),
                started_at=now(),
            )
            .returning(Job.kind, Job.project_id, Job.fence, Job.attempt)
        ).first()
    return Claim(job_id, row.kind, row.project_id, row.fence, row.attempt) if row else None


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


def restart(session: Session, job: Job) -> None:
    """Queue a job again that failed or was cancelled, with all its attempts. Raises Conflict for any other."""
    locked = _reread(session, job)
    if locked is None or locked.state not in ("failed", "cancelled"):
        raise Conflict(_("Only what has failed or was cancelled can be taken up again."))
    _requeue(locked)
    locked.attempt, locked.published_at = 0, now()
    locked.error = locked.error_category = locked.finished_at = None
    job_id, queue = locked.id, cast("Queue", locked.queue)
    after_commit(session, lambda: _send(job_id, queue, None))


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
    late = now() - timedelta(seconds=get_settings().job_republish_seconds)
    waiting = (Job.state == "queued") & or_(Job.published_at.is_(None), Job.published_at < late)
    with session_scope(read_only=True) as session:  # mostly there is nothing to write
        if session.scalar(select(Job.id).where(or_(silent, waiting)).limit(1)) is None:
            return []
    with session_scope() as session:
        for job in _locked(session, silent):
            _recover(job)
        lost = []
        for job in _locked(session, waiting):
            if job.attempt >= get_settings().job_attempts:  # the bound was lowered meanwhile
                _recover(job)
            else:
                job.published_at = now()
                lost.append((job.id, job.queue))
    for n, (job_id, queue) in enumerate(lost):
        if not dispatch.wake(job_id, queue):
            _unpublish([job_id for job_id, _queue in lost[n:]])
            return [job_id for job_id, _queue in lost[:n]]
    return [job_id for job_id, _queue in lost]


def _locked(session: Session, condition: ColumnElement[bool]) -> list[Job]:
    """Matching jobs, oldest first, that nobody else is just looking after."""
    return list(
        session.scalars(
            select(Job).where(condition).order_by(Job.created_at).with_for_update(skip_locked=True)
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


def _send(job_id: str, queue: str, share: str | None) -> None:
    """Send the job's message; where that fails, the next reconciliation sends it, without a secret."""
    if not dispatch.wake(job_id, queue, share):
        _unpublish([job_id])


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
