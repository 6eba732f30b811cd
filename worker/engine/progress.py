"""The run's progress as JSON lines that the supervisor reads while they are written."""

import json
import os
import time
from pathlib import Path
from typing import Any, Self

STEP_INTERVAL = 0.25
"""Seconds between two step lines: pages draw curves, they do not need every step of a tiny model."""


class Progress:
    """An append-only file of JSON lines, each flushed."""

    def __init__(self, path: Path) -> None:
        _drop_partial_line(path)
        self.had_earlier_attempt = path.exists() and path.stat().st_size > 0
        self._file = path.open("a", encoding="utf-8")
        self._last_step = 0.0

    def write(self, kind: str, **content: Any) -> None:
        """Append one line."""
        self._file.write(json.dumps({"type": kind, **content}, ensure_ascii=False) + "\n")
        self._file.flush()

    def status(self, phase: str, text: str) -> None:
        """Say what the run is doing now."""
        print(f"[{phase}] {text}", flush=True)
        self.write("status", phase=phase, text=text)

    def step_is_due(self) -> bool:
        """Whether enough time has passed for another step line; if so, the clock starts again."""
        now = time.monotonic()
        if now - self._last_step < STEP_INTERVAL:
            return False
        self._last_step = now
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


class Silence(Progress):
    """What the processes of a team write that do not lead it: nothing."""

    def __init__(self) -> None:
        self.had_earlier_attempt = False

    def write(self, kind: str, **content: Any) -> None:
        """Nothing is written."""

    def status(self, phase: str, text: str) -> None:
        """Nothing is said."""

    def step_is_due(self) -> bool:
        """Never."""
        return False

    def __exit__(self, *_: object) -> None:
        """There is no file to close."""


def _drop_partial_line(path: Path) -> None:
    """Cut off what a crash left without a line end; no reader has taken it for a line."""
    if not path.exists():
        return
    with path.open("rb+") as file:
        end = file.seek(0, os.SEEK_END)
        while end > 0:
            start = max(0, end - 4096)
            file.seek(start)
            line_end = file.read(end - start).rfind(b"\n")
            if line_end >= 0:
                file.truncate(start + line_end + 1)
                return
            end = start
        file.truncate(0)
