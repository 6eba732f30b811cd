"""Carrying out one job: claim it, hand it to the service that knows how, record how it ended."""

import errno
import os
import socket
from collections.abc import Callable
from dataclasses import replace

import structlog
from sqlalchemy.exc import InterfaceError, OperationalError

from app.errors import AnnotuneError, InvalidInput
from app.services import jobs
from app.services.work import JOB_FUNCTIONS
from app.training import RUN_KINDS
from worker import node, shutdown, supervisor
from worker.heartbeat import heartbeat

log = structlog.get_logger()


def _beside_a_heartbeat(handler: Callable[[jobs.Claim], None]) -> Callable[[jobs.Claim], None]:
    def run(claim: jobs.Claim) -> None:
        with heartbeat(claim):
            handler(replace(claim, interrupted=shutdown.requested))

    return run


HANDLERS: dict[str, Callable[[jobs.Claim], None]] = {
    **{kind: _beside_a_heartbeat(function) for kind, function in JOB_FUNCTIONS.items()},
    **dict.fromkeys(RUN_KINDS, supervisor.run),
}


def run(job_id: str, share: str | None = None) -> None:
    """Do the job, or one whose turn is earlier: a message that comes twice, or late, finds it taken.

    `share` is what the message carries of the job's secret, where it has one.

    However it goes, the job's row says so; nothing is raised but the process's own end.
    """
    if shutdown.requested():
        return  # it stays queued: the next worker's reconciler finds it
    claim = jobs.claim_best(
        job_id, f"{node.name()}:{os.getpid()}", device=node.device_kind(), share=share
    )
    if claim is None:
        if not jobs.is_known(job_id):
            log.warning(
                "message_for_a_job_that_this_database_has_not",
                job=job_id,
                hint="another installation may share the broker: each needs a Redis database of its own",
            )
        return
    with structlog.contextvars.bound_contextvars(
        job=claim.job_id, kind=claim.kind, attempt=claim.attempt
    ):
        log.info("job_started")
        try:
            _carry_out(claim)
        except jobs.LostLease:
            log.warning("job_lost_to_another_worker")
        except (OperationalError, InterfaceError):
            # The database is away, so nothing can be written down. The lease runs out, and the
            # reconciler queues the job again or, after the last attempt, ends it.
            log.exception("job_left_to_the_reconciler")


def _carry_out(claim: jobs.Claim) -> None:
    try:
        HANDLERS[claim.kind](claim)
        log.info("job_handled")
    except (jobs.LostLease, OperationalError, InterfaceError):
        raise
    except jobs.Cancelled:
        jobs.cancelled(claim)
        log.info("job_cancelled")
    except jobs.Interrupted:
        jobs.release(claim)
        log.info("job_released")
    except SystemExit:  # this process is being ended
        jobs.release(claim)
        raise
    except Exception as error:
        message, category = _explain(error, claim)
        log.warning("job_failed", error=message, exc_info=category == "internal")
        jobs.fail(claim, message, category=category)


def _explain(error: Exception, claim: jobs.Claim) -> tuple[str, str]:
    """What went wrong in words for a person, and its category."""
    host = socket.gethostname()
    if isinstance(error, AnnotuneError):
        # With the first of the places that it names.
        problems = error.problems[:3] if isinstance(error, InvalidInput) else []
        more = [f"{p.where}: {p.message}" for p in problems if p.message != error.message]
        return " ".join([error.message, *more]), "data"
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"The disk of the worker on {host} is full. Make room and start this again.", "disk"
    return (
        "Something unexpected went wrong inside Annotune. The log of the worker on "
        f"{host} has the details, under the job {claim.job_id}.",
        "internal",
    )
