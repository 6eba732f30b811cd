"""Running a model over windows without training it, and putting the windows of each unit together again."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from worker.engine.batches import Batch, by_tokens, collate
from worker.engine.environment import Device
from worker.engine.errors import is_out_of_memory
from worker.engine.heads import TaskModel, at
from worker.engine.windows import Window

PIECES = {"cpu": 4096, "cuda": 65536}
"""Pieces in a batch of evaluation, padding included."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model says of one unit: logits (labels,) of a text, or (words, labels) of the words named."""

    unit: int
    words: list[int]
    logits: Tensor


Finish = Callable[[list[Answer]], None]


@dataclass(frozen=True, slots=True)
class Runner:
    """A model, ready to score windows. `check` is called between batches and may raise Stopped."""

    model: TaskModel
    device: Device
    pad: int
    check: Callable[[], None] = lambda: None

    def __call__(self, windows: Sequence[Window], finish: Finish) -> float | None:
        """Score all windows; `finish` gets each unit's answer as soon as its last window is done, so the
        logits of a whole split are never held. Returns the mean loss where the windows have targets."""
        self.model.eval()
        waiting = Counter(window.unit for window in windows)
        parts: dict[int, list[tuple[Window, Tensor]]] = {}
        loss = weight = 0.0
        for rows, batch, logits in self._logits(windows):
            with torch.no_grad():
                if batch.targets is not None:
                    loss += float(self.model.loss(logits, batch))
                    weight += sum(window.weight for window in rows)
                if logits.ndim == 3 and batch.positions is not None:
                    logits = at(logits, batch.positions)
                done = []
                for row, window in enumerate(rows):
                    waiting[window.unit] -= 1
                    several = waiting[window.unit] > 0 or window.unit in parts
                    values = logits[row].clone() if several else logits[row]
                    parts.setdefault(window.unit, []).append((window, values))
                    if not waiting[window.unit]:
                        done.append(_merge(window.unit, parts.pop(window.unit)))
                finish(done)
        return loss / weight if weight else None

    def batch_loss(self, batch: Batch) -> Tensor:
        """The summed loss of a batch with targets, to learn from."""
        with self.device.autocast():
            logits = self.model.logits(batch)
        return self.model.loss(logits, batch)

    def loss(self, windows: Sequence[Window]) -> float:
        """The mean loss over windows with targets, which together weigh something."""
        self.model.eval()
        loss = 0.0
        for _rows, batch, logits in self._logits(windows):
            with torch.no_grad():
                loss += float(self.model.loss(logits, batch))
        return loss / sum(window.weight for window in windows)

    def _logits(
        self, windows: Sequence[Window]
    ) -> Iterator[tuple[Sequence[Window], Batch, Tensor]]:
        """The logits of all windows, batch by batch; one that is too large for the memory is halved."""
        waiting: list[Sequence[Window]] = []
        for rows in by_tokens(windows, PIECES.get(self.device.torch.type, 4096)):
            waiting.append(rows)
            while waiting:
                self.check()
                part = waiting.pop()
                try:
                    batch = collate(part, pad=self.pad, device=self.device.torch)
                    with torch.no_grad(), self.device.autocast():
                        logits = self.model.logits(batch)
                except Exception as error:
                    if len(part) == 1 or not is_out_of_memory(error):
                        raise
                    half = len(part) // 2
                    waiting += [part[half:], part[:half]]
                    continue
                yield part, batch, logits


def _merge(unit: int, parts: list[tuple[Window, Tensor]]) -> Answer:
    """One answer out of overlapping windows: texts average their logits, and each word comes from the
    window where it has most context."""
    window, values = parts[0]
    if values.ndim == 1:
        return Answer(unit, [], torch.stack([v for _, v in parts]).mean(0))
    if len(parts) == 1:
        return Answer(unit, window.words, values[: len(window.words)])
    best: dict[int, tuple[int, Tensor]] = {}
    for window, values in parts:
        for i, (word, context) in enumerate(zip(window.words, window.context, strict=True)):
            if word not in best or context > best[word][0]:
                best[word] = (context, values[i])
    words = sorted(best)
    return Answer(unit, words, torch.stack([best[word][1] for word in words]))
