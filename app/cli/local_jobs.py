"""Seeing jobs through: here, in this process, unless a worker was quicker; with a progress bar."""

import os
import socket
import threading
import time
from dataclasses import replace

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from app.cli.console import progress_console
from app.db import session_scope
from app.errors import AnnotuneError
from app.models import FINAL_STATES, Job
from app.services import jobs
from app.services.work import JOB_FUNCTIONS
from app.settings import get_settings

_LOOK_SECONDS = 0.1


def see_through(job_id: str, title: str) -> Job:
    """Carry out a job, or watch the worker that has it, until it has ended; Ctrl-C cancels it.

    The caller looks at the state: a job that failed raises nothing.
    """
    work = _start_here(job_id)
    try:
        return watch(job_id, title)
    except KeyboardInterrupt:
        with session_scope() as session:
            jobs.request_cancel(session, jobs.get(session, job_id))
        return watch(job_id, f"{title}: stopping")
    finally:
        if work is not None:
            work.join()


def watch(job_id: str, title: str) -> Job:
    """Show how a job goes until it has ended."""
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        console=progress_console,
        disable=not progress_console.is_terminal,
        transient=True,
    )
    with bar:
        shown = bar.add_task(title, total=None)
        while True:
            with session_scope(read_only=True) as session:
                job = jobs.get(session, job_id)
            done, total = job.progress.get("done", 0), job.progress.get("total")
            bar.update(shown, completed=done, total=total or None, description=_words(title, job))
            if job.state in FINAL_STATES:
                return job
            time.sleep(_LOOK_SECONDS)


def _words(title: str, job: Job) -> str:
    if job.state == "queued":
        return f"{title}: waiting for a worker"
    return f"{title}: {job.progress['phase']}" if "phase" in job.progress else title


def _start_here(job_id: str) -> threading.Thread | None:
    claim = jobs.claim(job_id, f"{socket.gethostname()}:{os.getpid()} (command line)")
    if claim is None:
        return None
    work = threading.Thread(target=_carry_out, args=(claim,))
    work.start()
    return work


def _carry_out(claim: jobs.Claim) -> None:
    """Do the job and record how it ended; another thread keeps its lease meanwhile."""
    over = threading.Event()
    beat = threading.Thread(target=_keep_lease, args=(claim, over), daemon=True)
    beat.start()
    try:
        JOB_FUNCTIONS[claim.kind](claim)
    except jobs.LostLease:
        pass  # somebody else does it now, and the watching goes on
    except jobs.Cancelled:
        jobs.cancelled(claim)
    except jobs.Interrupted:
        jobs.release(claim)
    except AnnotuneError as error:
        jobs.fail(claim, error.message, category="data")
    except OSError as error:
        jobs.fail(claim, f"The file cannot be read or written: {error.strerror}", category="disk")
    except BaseException as error:
        jobs.fail(claim, f"Something unexpected went wrong: {error!r}")
        raise
    finally:
        over.set()


def _keep_lease(claim: jobs.Claim, over: threading.Event) -> None:
    quiet = replace(claim, interrupted=lambda: False)
    while not over.wait(get_settings().job_lease_seconds / 3):
        try:
            jobs.renew(quiet)
        except jobs.LostLease:
            return
