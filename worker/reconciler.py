"""The thread of each worker that says it is there, and finds what was lost: silent workers, messages that
never arrived."""

import os
import threading
import time
from collections.abc import Callable

import structlog

from app.services import dispatch, jobs, workers
from app.settings import get_settings
from worker import node, workplace

log = structlog.get_logger()

_CLEAR_SECONDS = 600.0
"""So often the folders of ended runs are looked after."""
_TIDY_SECONDS = 6 * 3600.0
"""So often the storage is listed. A pool process does it: where the storage is far away that takes minutes, in
which nothing could be forked here."""

# While a pass runs, nothing is forked: a child would inherit its locks and connections half-used.
between_forks = threading.Lock()


class Reconciler:
    """Calls `jobs.reconcile` every few seconds until it is stopped; trouble is logged and passes."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reconciler", daemon=True)

    def start(self) -> None:
        """Begin, once in a process."""
        os.register_at_fork(
            before=between_forks.acquire,
            after_in_parent=between_forks.release,
            after_in_child=between_forks.release,
        )
        self._thread.start()

    def stop(self) -> None:
        """End after the current pass."""
        self._stop.set()

    def _run(self) -> None:
        # The storage is listed the first time when the start is over.
        cleared, tidied = -_CLEAR_SECONDS, time.monotonic() - _TIDY_SECONDS + _CLEAR_SECONDS
        while not self._stop.is_set():
            if time.monotonic() - cleared >= _CLEAR_SECONDS:
                cleared = time.monotonic()
                self._try(lambda: workplace.clear_leftovers(get_settings()))
            if time.monotonic() - tidied >= _TIDY_SECONDS:
                tidied = time.monotonic()
                self._try(dispatch.tidy)
            self._try(self._announce)
            self._try(self._reconcile)
            self._stop.wait(get_settings().reconcile_seconds)
        self._try(lambda: workers.leave(node.name()))

    @staticmethod
    def _announce() -> None:
        workers.announce(node.name(), **node.facts())

    @staticmethod
    def _reconcile() -> None:
        if sent := jobs.reconcile():
            log.info("jobs_sent_again", jobs=sent)

    @staticmethod
    def _try(action: Callable[[], None]) -> None:
        try:
            with between_forks:
                action()
        except Exception:  # the database or the broker is away: it will be back
            log.exception("reconcile_failed")
