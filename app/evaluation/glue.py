"""GLUE's scores (Wang et al., 2018) as pure functions; checked in the tests against scikit-learn and scipy."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from app.evaluation.metrics import confusion
from app.evaluation.metrics import matthews as matthews_of

SCORES: dict[str, tuple[str, ...]] = {
    "sst2": ("accuracy",),
    "cola": ("matthews",),
    "mrpc": ("accuracy", "f1"),
    "qqp": ("accuracy", "f1"),
    "stsb": ("pearson", "spearman"),
    "mnli": ("accuracy",),
    "qnli": ("accuracy",),
    "rte": ("accuracy",),
    "wnli": ("accuracy",),
}
"""What GLUE scores each task by; where there are two, the leaderboard takes their mean."""


def accuracy(gold: Sequence[str], predicted: Sequence[str]) -> float:
    """The share of equal labels."""
    same = sum(a == b for a, b in zip(gold, predicted, strict=True))
    return same / len(gold) if gold else 0.0


def f1(gold: Sequence[str], predicted: Sequence[str], positive: str = "1") -> float:
    """F1 of one label; 0 where neither side has it."""
    pairs = list(zip(gold, predicted, strict=True))
    both = sum(a == b == positive for a, b in pairs)
    either = sum((a == positive) + (b == positive) for a, b in pairs)
    return 2 * both / either if either else 0.0


def matthews(gold: Sequence[str], predicted: Sequence[str]) -> float:
    """Matthews correlation, for any number of labels; 0 where it is undefined."""
    number = {label: i for i, label in enumerate(sorted({*gold, *predicted}))}
    matrix = confusion([number[a] for a in gold], [number[b] for b in predicted], len(number))
    return matthews_of(matrix)


def pearson(gold: ArrayLike, predicted: ArrayLike) -> float:
    """Pearson correlation; 0 where one side does not vary."""
    a, b = np.asarray(gold, dtype=float), np.asarray(predicted, dtype=float)
    if len(a) < 2 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return 0.0
    a, b = a - a.mean(), b - b.mean()
    # Scaled first: squares of very small or very large numbers leave the range of a float.
    a, b = a / np.abs(a).max(), b / np.abs(b).max()
    return float(np.clip(a @ b / np.sqrt((a @ a) * (b @ b)), -1, 1))


def spearman(gold: ArrayLike, predicted: ArrayLike) -> float:
    """Spearman correlation: Pearson's of the ranks, equal values sharing the mean of theirs."""
    return pearson(ranks(gold), ranks(predicted))


def ranks(values: ArrayLike) -> NDArray[np.float64]:
    """The rank of each value, from 1; equal ones get the mean of their ranks."""
    _values, place, count = np.unique(
        np.asarray(values, dtype=float), return_inverse=True, return_counts=True
    )
    last = np.cumsum(count)
    mean: NDArray[np.float64] = last - (count - 1) / 2
    return mean[place]


def scores(task: str, gold: Sequence[str], predicted: Sequence[str]) -> dict[str, float]:
    """A task's scores of labels, or of numbers as text for STS-B, in the same order on both sides."""
    if task == "stsb":
        numbers = [float(value) for value in gold], [float(value) for value in predicted]
        return {"pearson": pearson(*numbers), "spearman": spearman(*numbers)}
    known = {"accuracy": accuracy, "f1": f1, "matthews": matthews}
    return {name: known[name](gold, predicted) for name in SCORES[task]}
