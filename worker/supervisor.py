"""Supervising a training: a fresh process does it, this one watches, reports and says how it ended.

The working folder, with its checkpoints, belongs to one machine: there an attempt goes on where the
last one stopped. A worker on another machine starts from the beginning, which needs no shared disk.
"""

import json
import signal
import socket
import time
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

import structlog
from sqlalchemy.exc import InterfaceError, OperationalError

from app.services import hub, jobs, runs, tracking
from app.settings import get_settings
from app.training import RUN_KINDS
from worker import shutdown, trainer, workplace
from worker.heartbeat import heartbeat
from worker.progress import Progress, Report

REPORT_SECONDS = 1.0
QUIET_SECONDS = 2.0
"""With nothing to report, the row is still looked at so often: it may want a cancel."""
CANCEL_GRACE = 5.0
STOP_GRACE = 25.0
"""For the last step and a checkpoint, when the worker shuts down."""
_DATABASE_PAUSES = (1, 2, 4, 8, 15, 30, 60)
_HOST = socket.gethostname()
_WITHOUT_WORDS = {
    trainer.DISK_FULL: (
        f"The disk of the worker on {_HOST} is full: not even the error could be written down. Free some "
        "space there and start the run again.",
        "disk",
    ),
    trainer.MEMORY_FULL: (
        f"The worker on {_HOST} has too little memory even to start a training. Give it more, or end other "
        "programs there.",
        "out_of_memory",
    ),
}

T = TypeVar("T")
log = structlog.get_logger()


class Ending(Enum):
    """Why a trainer ended."""

    BY_ITSELF = "by itself"
    CANCELLED = "cancelled"
    SHUTDOWN = "shutdown"


def run(claim: jobs.Claim) -> None:
    """Carry out the run that a job is for.

    Raises Cancelled or Interrupted when it was stopped, once nothing of its process group runs any more,
    and LostLease when another worker has the job: then nothing more is written.
    """
    spec = runs.prepare(claim)
    settings = get_settings()
    tracking.follow(claim, spec.run_id, settings.trackers)
    folder = settings.work_dir / "runs" / spec.run_id
    with heartbeat(claim):  # a version or a base model may come from far away
        workplace.prepare(folder, spec, settings)
        process = trainer.Trainer.start(
            folder,
            trainer.environment(
                settings,
                online=hub.is_online(spec.kind, spec.params),
                token=hub.token_for(settings, spec.params, typed=jobs.take_secret(claim)),
                device=spec.device,
            ),
        )
    try:
        ending, code = _Supervision(claim, folder, process).follow()
    except SystemExit:  # this process is being ended: a last chance for a checkpoint
        process.ask_to_stop()
        process.wait(STOP_GRACE)
        raise
    finally:
        process.kill()
    log.info("trainer_ended", ending=ending.value, code=code)
    _conclude(claim, folder, ending, code)


class _Supervision:
    """One trainer being watched."""

    def __init__(self, claim: jobs.Claim, folder: Path, process: trainer.Trainer) -> None:
        self.claim = claim
        self.process = process
        self.progress = Progress(folder)
        if claim.fence > 1 and not self.progress.had_earlier_attempt:
            # Whoever waits for it to go on is told that here is nothing to go on from.
            self.progress.state["resumed"] = 0
        # The progress file is read from its start, and it is right where the database may lack the last
        # lines of an earlier attempt. So what that one reported is replaced.
        self.report = Report(resumed_at=-1 if claim.attempt > 1 or claim.fence > 1 else None)
        self.reported_at = 0.0

    def follow(self) -> tuple[Ending, int]:
        """Report until the trainer has ended; why it did, and its exit code. Raises LostLease."""
        ending, deadline = Ending.BY_ITSELF, float("inf")
        while (code := self.process.wait(0.2)) is None:
            going_on = self._report()
            if ending is not Ending.CANCELLED and not going_on:
                ending, deadline = Ending.CANCELLED, time.monotonic() + CANCEL_GRACE
                self.process.ask_to_stop()
            elif ending is Ending.BY_ITSELF and shutdown.requested():
                ending, deadline = Ending.SHUTDOWN, time.monotonic() + STOP_GRACE
                self.process.ask_to_stop()
            if time.monotonic() > deadline:
                self.process.kill()
        self.process.kill()  # whatever its leader has left behind of the group
        _insist(self._send_all)
        return ending, code

    def _report(self) -> bool:
        """Report what is new, if it is time to. False: the person wants the run cancelled."""
        silent_for = time.monotonic() - self.reported_at
        if silent_for < REPORT_SECONDS:
            return True
        self.progress.read(self.report)
        if not self.report.news and silent_for < QUIET_SECONDS:
            return True
        self.reported_at = time.monotonic()
        try:
            return self._send()
        except (OperationalError, InterfaceError):
            # The training does not need the database, and nobody else can claim the job without it.
            log.warning("progress_not_stored", exc_info=True)
            return True

    def _send_all(self) -> bool:
        while self.progress.read(self.report):
            pass
        return self._send()

    def _send(self) -> bool:
        report = self.report
        try:
            going_on = runs.record(
                self.claim,
                points=report.points,
                log=report.log,
                environment=report.environment,
                progress=dict(self.progress.state),
                resumed_at=report.resumed_at,
            )
        except (OperationalError, InterfaceError):
            # It may be stored all the same, and only the answer was lost: next time all is sent anew.
            self.progress.begin_anew(report)
            raise
        self.report = Report()
        return going_on


def _conclude(claim: jobs.Claim, folder: Path, ending: Ending, code: int) -> None:
    """Record the outcome, and leave on the disk what the next attempt needs, if there is to be one."""
    if ending is Ending.CANCELLED:
        workplace.keep_for_resuming(folder, get_settings())
        raise jobs.Cancelled
    kind = RUN_KINDS[claim.kind]
    result = workplace.result(folder, kind) if code == 0 else None
    if result is not None:
        try:
            with heartbeat(claim):  # a large model takes a while to store
                _insist(lambda: runs.complete(claim, result, folder))
        except OSError:  # no room for it, perhaps: at least what it was copied from makes some
            workplace.clear(folder)
            raise
        workplace.remove(folder)
    elif ending is Ending.SHUTDOWN or code == trainer.STOPPED:
        raise jobs.Interrupted
    elif code < 0:
        _retry(claim, folder, code)
    else:
        message, category = _failure(folder, code)
        _insist(lambda: jobs.fail(claim, message, category=category))
        workplace.keep_for_resuming(folder, get_settings())


def _retry(claim: jobs.Claim, folder: Path, code: int) -> None:
    """A signal ended the trainer: it may have been bad luck, until it has been so too often."""
    name = signal.Signals(-code).name
    if -code == signal.SIGKILL:
        message, category = (
            f"The system ended the training {claim.attempt} times, probably because memory ran out. Try a "
            "smaller batch size, more gradient accumulation, a smaller maximum length or a smaller model.",
            "out_of_memory",
        )
    else:
        message, category = (
            f"The training process crashed {claim.attempt} times (signal {name}). Its log shows the last "
            "things it did.",
            "internal",
        )
    if not _insist(lambda: jobs.retry(claim, message, category=category)):
        workplace.keep_for_resuming(folder, get_settings())
    log.warning("trainer_killed", signal=name)


def _failure(folder: Path, code: int) -> tuple[str, str]:
    """The trainer's own words about what went wrong, and their category."""
    try:
        error: dict[str, Any] = json.loads((folder / "error.json").read_bytes())
        return str(error["message"]), str(error["category"])
    except (FileNotFoundError, ValueError, KeyError):
        if code == 0:
            return (
                "The training ended without leaving a whole model. Its log says more.",
                "internal",
            )
        return _WITHOUT_WORDS.get(code) or (
            f"The training process ended with the exit code {code}. Its log says why.",
            "internal",
        )


def _insist(action: Callable[[], T]) -> T:
    """Do it, and wait for the database for up to two minutes: hours of training may hang on it."""
    for pause in _DATABASE_PAUSES:
        try:
            return action()
        except (OperationalError, InterfaceError):
            log.warning("database_away", again_in=pause, exc_info=True)
            time.sleep(pause)
    return action()
