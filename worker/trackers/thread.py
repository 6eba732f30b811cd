"""The thread of a worker that tells trackers of runs."""

import threading
from contextlib import nullcontext
from typing import Any, Protocol

import structlog

from app.services import tracking
from app.services.tracking import Batch
from app.settings import Settings, get_settings
from worker import node
from worker.reconciler import between_forks
from worker.trackers.mlflow import MLflow
from worker.trackers.tensorboard import TensorBoard

log = structlog.get_logger()
_IDLE_SECONDS = 1.0


class Tracker(Protocol):
    """Something outside that is told of runs."""

    def send(self, batch: Batch) -> dict[str, Any]:
        """Tell it all of a batch; what it calls the run."""


def trackers(settings: Settings) -> dict[str, Tracker]:
    """Those that the settings name."""
    found: dict[str, Tracker] = {}
    if settings.mlflow_url:
        found["mlflow"] = MLflow(settings.mlflow_url, settings.storage)
    if settings.tensorboard_dir:
        found["tensorboard"] = TensorBoard(settings.tensorboard_dir)
    return found


def send_next(owner: str, chosen: dict[str, Tracker], *, beside_forks: bool = False) -> bool:
    """Send the next batch that is due, if any. A tracker that does not take it is tried again later."""
    # The database is used between forks only; a tracker that hangs keeps no fork waiting.
    guard = between_forks if beside_forks else nullcontext()
    with guard:
        batch = tracking.take(owner, list(chosen))
    if batch is None:
        return False
    try:
        outside = chosen[batch.tracker].send(batch)
    except (OSError, ValueError, KeyError, IndexError, ImportError) as error:
        log.warning("tracker_away", tracker=batch.tracker, run=batch.run_id, error=str(error))
        with guard:
            tracking.failed(owner, batch)
        return True
    with guard:
        tracking.sent(owner, batch, outside)
    return True


class Tracking:
    """Sends what is due until it is stopped; does nothing where the settings name no tracker."""

    def __init__(self) -> None:
        self._stop = threading.Event()

    def start(self) -> None:
        """Begin, once in a process."""
        chosen = trackers(get_settings())
        if chosen:
            threading.Thread(target=self._run, args=(chosen,), name="tracking", daemon=True).start()

    def stop(self) -> None:
        """End after the current batch."""
        self._stop.set()

    def _run(self, chosen: dict[str, Tracker]) -> None:
        while not self._stop.is_set():
            try:
                if send_next(node.name(), chosen, beside_forks=True):
                    continue
            except Exception:  # the database is away: it will be back
                log.exception("tracking_failed")
            self._stop.wait(_IDLE_SECONDS)
