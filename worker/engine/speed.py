"""How fast a run is and how long it will take, from the steps it has done; and what memory it takes."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import torch

_PROCESS = psutil.Process()


class Speed:
    """Clock of one attempt; sums what happens between two reports."""

    def __init__(self, steps_left: int, *, before: float) -> None:
        self._started = self._reported = self._saved = time.monotonic()
        self._before = before
        self._steps_left = steps_left
        self._steps = 0
        self._paused = 0.0
        self._loss: torch.Tensor | None = None
        self._loss_steps = self._rows = self._pieces = 0

    @property
    def seconds(self) -> float:
        """Time of this attempt and of those before."""
        return self._before + time.monotonic() - self._started

    @property
    def since_saved(self) -> float:
        """Seconds since the last checkpoint, or since the start."""
        return time.monotonic() - self._saved

    def saved(self) -> None:
        self._saved = time.monotonic()

    def step(self, loss: torch.Tensor, *, rows: int, pieces: int) -> None:
        """Count a step. The loss stays on its device, so that a GPU is not waited for."""
        self._loss = loss if self._loss is None else self._loss + loss
        self._loss_steps += 1
        self._steps += 1
        self._rows += rows
        self._pieces += pieces

    def mean_loss(self) -> float:
        """Mean loss of the steps since the last report."""
        loss = float(self._loss) / self._loss_steps if self._loss is not None else 0.0
        self._loss, self._loss_steps = None, 0
        return loss

    def rates(self) -> dict[str, float]:
        """Examples and tokens a second since the last report, and the seconds left."""
        now = time.monotonic()
        passed = max(now - self._reported, 1e-9)
        training = max(now - self._started - self._paused, 1e-9)
        rates = {
            "examples_per_second": round(self._rows / passed, 2),
            "tokens_per_second": round(self._pieces / passed, 1),
            "eta_seconds": round(
                training / max(1, self._steps) * (self._steps_left - self._steps), 1
            ),
        }
        self._reported, self._rows, self._pieces = now, 0, 0
        return rates

    @contextmanager
    def pause(self) -> Iterator[None]:
        """Time inside is not training time."""
        start = time.monotonic()
        try:
            yield
        finally:
            self._paused += time.monotonic() - start
            self._reported = time.monotonic()


def memory(device: torch.device) -> dict[str, float]:
    """MiB that the process takes now, and the most that it has had on its GPU."""
    found = {"memory_mib": round(_PROCESS.memory_info().rss / 2**20, 1)}
    if device.type == "cuda":
        found["gpu_memory_mib"] = round(torch.cuda.max_memory_allocated(device) / 2**20, 1)
    return found
