"""Keeping a job's lease alive beside work that may be silent for a while."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import structlog
from sqlalchemy.exc import SQLAlchemyError

from app.services import jobs
from app.settings import get_settings

log = structlog.get_logger()


@contextmanager
def heartbeat(claim: jobs.Claim) -> Iterator[None]:
    """Renew the lease three times in its length, from a thread, until the block ends.

    A lost lease ends the thread: whoever does the work hears of it at their own next write.
    """
    done = threading.Event()
    thread = threading.Thread(
        target=_beat, args=(replace(claim, interrupted=lambda: False), done), daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _beat(claim: jobs.Claim, done: threading.Event) -> None:
    while not done.wait(get_settings().job_lease_seconds / 3):
        try:
            jobs.renew(claim)
        except jobs.LostLease:
            return
        except SQLAlchemyError:
            log.warning("lease_not_renewed", job=claim.job_id, exc_info=True)
