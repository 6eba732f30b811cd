"""Scores as pure functions of gold and predicted; checked in the tests against scikit-learn and seqeval."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from app.evaluation.spans import Labelled, cells

Matrix = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Counts:
    """How often something was predicted, was there, and both."""

    correct: int
    predicted: int
    gold: int

    @property
    def precision(self) -> float:
        return self.correct / self.predicted if self.predicted else 0.0

    @property
    def recall(self) -> float:
        return self.correct / self.gold if self.gold else 0.0

    @property
    def f1(self) -> float:
        total = self.predicted + self.gold
        return 2 * self.correct / total if total else 0.0


def total(counts: Iterable[Counts]) -> Counts:
    """All counts together: the micro average."""
    rows = [(c.correct, c.predicted, c.gold) for c in counts]
    return Counts(*(sum(column) for column in zip(*rows, strict=True))) if rows else Counts(0, 0, 0)


def macro_f1(counts: Iterable[Counts]) -> float:
    """Mean F1 of the labels that occur in gold or predictions, as scikit-learn and seqeval take it."""
    seen = [c.f1 for c in counts if c.gold or c.predicted]
    return sum(seen) / len(seen) if seen else 0.0


def confusion(gold: Sequence[int], predicted: Sequence[int], labels: int) -> Matrix:
    """Rows are gold labels, columns predicted ones."""
    matrix = np.zeros((labels, labels), dtype=np.int64)
    np.add.at(matrix, (np.asarray(gold, dtype=int), np.asarray(predicted, dtype=int)), 1)
    return matrix


def label_counts(matrix: Matrix) -> list[Counts]:
    """Counts per label of a single-label confusion matrix."""
    correct, predicted, gold = matrix.diagonal(), matrix.sum(0), matrix.sum(1)
    return [
        Counts(int(c), int(p), int(g)) for c, p, g in zip(correct, predicted, gold, strict=True)
    ]


def matthews(matrix: Matrix) -> float:
    """Matthews correlation for any number of classes (Gorodkin, 2004); 0 where it is undefined."""
    n, correct = int(matrix.sum()), int(matrix.trace())
    predicted, gold = matrix.sum(0).astype(float), matrix.sum(1).astype(float)
    spread = (n * n - float(predicted @ predicted)) * (n * n - float(gold @ gold))
    return (correct * n - float(predicted @ gold)) / sqrt(spread) if spread > 0 else 0.0


def quadratic_kappa(matrix: Matrix) -> float:
    """Cohen's kappa with squared distances between the steps of a scale; 0 where it is undefined."""
    steps = np.arange(len(matrix))
    weights = (steps[:, None] - steps[None, :]) ** 2
    expected = np.outer(matrix.sum(1), matrix.sum(0)) / max(1, int(matrix.sum()))
    worst = float((weights * expected).sum())
    return 1 - float((weights * matrix).sum()) / worst if worst else 0.0


def mean_distance(matrix: Matrix) -> float:
    """Mean number of steps between gold and prediction on a scale."""
    steps = np.arange(len(matrix))
    distance = np.abs(steps[:, None] - steps[None, :])
    return float((distance * matrix).sum()) / max(1, int(matrix.sum()))


def span_counts(
    gold: Iterable[Iterable[Labelled]], predicted: Iterable[Iterable[Labelled]]
) -> dict[str, Counts]:
    """Counts by label of exactly equal places and labels, over examples; each counts once."""
    correct: Counter[str] = Counter()
    there: Counter[str] = Counter()
    found: Counter[str] = Counter()
    for ours, theirs in zip(gold, predicted, strict=True):
        a, b = set(ours), set(theirs)
        there.update(label for _, label in a)
        found.update(label for _, label in b)
        correct.update(label for _, label in a & b)
    return {
        label: Counts(correct[label], found[label], there[label]) for label in {**there, **found}
    }


def span_confusion(
    gold: Iterable[Iterable[Labelled]],
    predicted: Iterable[Iterable[Labelled]],
    labels: Sequence[str],
) -> Matrix:
    """Which label was given at the places both agree on. The last but one column counts gold that was
    missed, the last row what was predicted where gold has nothing (spurious)."""
    number = {label: i for i, label in enumerate(labels)}
    missed, spurious = len(labels), len(labels) + 1
    matrix = np.zeros((len(labels) + 2, len(labels) + 2), dtype=np.int64)
    for ours, theirs in zip(gold, predicted, strict=True):
        for _place, truth, found in cells(ours, theirs):
            row = spurious if truth is None else number[truth]
            column = missed if found is None else number[found]
            matrix[row, column] += 1
    return matrix
