"""TensorBoard's event files, one folder a run."""

import json
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

from app.services.tracking import Batch
from worker.trackers.measured import numbers


class TensorBoard:
    """Appends to a file of its own in each run's folder; TensorBoard reads the files of a folder as one."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._files: dict[str, Any] = {}

    def send(self, batch: Batch) -> dict[str, Any]:
        """Write a batch to the disk. Raises OSError, and ImportError without the extra `trackers`."""
        from tensorboardX import summary

        events = []
        if not batch.sent:
            told = json.dumps(batch.params | {"kind": batch.kind, "name": batch.name}, indent=1)
            # Four spaces before each line: Markdown's form of code.
            text = "".join(f"    {line}\n" for line in told.splitlines())
            events.append((0, summary.text("parameters", text)))
        for point in batch.points:
            for key, value in numbers(point).items():
                events.append((point["step"], summary.scalar(key, value)))
        last = batch.sent.get("step", 0)
        for key, value in batch.scores.items():
            events.append((last, summary.scalar(f"final/{key}", value)))
        if batch.ended:
            words = f"{batch.ended} {batch.model or ''}".strip()
            events.append((last, summary.text("outcome", words)))
        if events:
            self._write(batch.run_id, events)
        if batch.ended and (file := self._files.pop(batch.run_id, None)):
            file.close()
        return {"outside": str(self._root / batch.run_id)}

    def _write(self, run_id: str, events: list[tuple[int, Any]]) -> None:
        from tensorboardX.event_file_writer import EventsWriter
        from tensorboardX.proto import event_pb2

        folder = self._root / run_id
        if run_id not in self._files:
            folder.mkdir(parents=True, exist_ok=True)
            # By itself a name holds no more than the second, and a second writer would begin the file anew.
            self._files[run_id] = EventsWriter(str(folder / "events"), f".{uuid4().hex}")
        file = self._files[run_id]
        try:
            for step, content in events:
                file.write_event(event_pb2.Event(wall_time=time.time(), step=step, summary=content))
            file.flush()
        except OSError:  # the next try begins a new file: this one may end in half an event
            del self._files[run_id]
            raise
