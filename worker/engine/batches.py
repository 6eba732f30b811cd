"""Batches of windows of similar length, in an order that follows from (seed, epoch) alone.

Length grouping saves most of the padding; drawing from a generator of its own, and not from torch's global
one, is what lets a stopped run go on in the middle of an epoch with the very same batches.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from worker.engine.windows import IGNORED, Window

POOL = 50
"""Batches whose rows are sorted by length together."""


def count(rows: int, batch_size: int) -> int:
    """Batches in an epoch."""
    return -(-rows // batch_size)


def epoch_batches(
    lengths: Sequence[int], batch_size: int, *, seed: int, epoch: int
) -> list[list[int]]:
    """Row numbers of each batch of an epoch; every row once.

    Rows are shuffled, sorted by length within pools of 50 batches, cut into batches, and the batches are
    shuffled. The first epoch begins with the batch of the longest rows: too little memory shows at once.
    """
    random = np.random.default_rng([seed, epoch])
    order = random.permutation(len(lengths))
    sizes = np.asarray(lengths)
    batches: list[list[int]] = []
    for start in range(0, len(order), POOL * batch_size):
        pool = order[start : start + POOL * batch_size]
        pool = pool[np.argsort(-sizes[pool], kind="stable")]
        batches += [pool[i : i + batch_size].tolist() for i in range(0, len(pool), batch_size)]
    shuffled = [batches[i] for i in random.permutation(len(batches))]
    if epoch == 0 and shuffled:
        longest = max(range(len(shuffled)), key=lambda i: sizes[shuffled[i]].sum())
        shuffled[0], shuffled[longest] = shuffled[longest], shuffled[0]
    return shuffled


def by_tokens(windows: Sequence[Window], budget: int) -> Iterator[list[Window]]:
    """Windows in order of length, in batches of at most `budget` pieces with padding: for evaluation."""
    batch: list[Window] = []
    for window in sorted(windows, key=lambda w: (-len(w), w.unit)):
        if batch and (len(batch) + 1) * len(batch[0]) > budget:
            yield batch
            batch = []
        batch.append(window)
    if batch:
        yield batch


@dataclass(frozen=True, slots=True)
class Batch:
    """Padded tensors of some windows."""

    input_ids: Tensor  # (rows, pieces)
    attention_mask: Tensor  # (rows, pieces)
    segment_ids: Tensor  # (rows, pieces)
    positions: Tensor | None = None  # (rows, words): the answer positions
    lengths: Tensor | None = None  # (rows,): how many of them
    label_positions: Tensor | None = None  # (rows, labelled words)
    label_lengths: Tensor | None = None  # (rows,)
    targets: Tensor | None = None
    """(rows, labelled words), or (rows, layers, labelled words); of texts (rows,) or (rows, labels)."""
    weights: Tensor | None = None  # (rows,)


def collate(windows: Sequence[Window], *, pad: int, device: torch.device) -> Batch:
    """Pad windows on the right and put them on the device."""
    # Tensor cores want multiples of 8; a processor would only compute the padding.
    multiple = 8 if device.type == "cuda" else 1

    def tensor(rows: Sequence[Sequence[int]], fill: int, multiple: int = 1) -> Tensor:
        longest = max((len(row) for row in rows), default=0)
        width = max(1, -(-longest // multiple) * multiple)
        array = np.full((len(rows), width), fill, dtype=np.int64)
        for i, row in enumerate(rows):
            array[i, : len(row)] = row
        return torch.from_numpy(array).to(device, non_blocking=True)

    def vector(values: Sequence[float], dtype: torch.dtype) -> Tensor:
        return torch.tensor(values, dtype=dtype).to(device, non_blocking=True)

    base = Batch(
        input_ids=tensor([w.input_ids for w in windows], pad, multiple),
        # An empty text of a model without special pieces reads its padding: no attention is not a number.
        attention_mask=tensor([[1] * max(1, len(w)) for w in windows], 0, multiple),
        segment_ids=tensor([w.segment_ids for w in windows], 0, multiple),
        positions=tensor([w.positions for w in windows], 0),
        lengths=vector([len(w.positions) for w in windows], torch.long),
        weights=vector([w.weight for w in windows], torch.float32),
    )
    if windows[0].targets is not None:
        # The words with a target, which are the same in every layer.
        words = [[i for i, t in enumerate(w.targets or ()) if t != IGNORED] for w in windows]
        labelled = list(zip(windows, words, strict=True))
        layers = [
            tensor(
                [[[w.targets or [], *w.inner][n][i] for i in own] for w, own in labelled], IGNORED
            )
            for n in range(1 + len(windows[0].inner))
        ]
        return replace(
            base,
            label_positions=tensor([[w.positions[i] for i in own] for w, own in labelled], 0),
            label_lengths=vector([len(own) for own in words], torch.long),
            targets=layers[0] if len(layers) == 1 else torch.stack(layers, 1),
        )
    if windows[0].target is not None:
        several = isinstance(windows[0].target, list)
        return replace(
            base,
            targets=vector([w.target for w in windows], torch.float32 if several else torch.long),
        )
    return base
