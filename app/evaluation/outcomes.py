"""What came out example by example, as counts: enough to score any sample of the examples anew.

Resampling only asks how often each example is taken, so a thousand samples are one matrix product.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.evaluation.spans import Labelled

Weights = NDArray[np.float32]
"""Counts, too: a float32 holds whole numbers up to 16 million exactly, and multiplies fast."""
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Counts by example and label, each of shape (examples, labels), and which examples are all right."""

    labels: list[str]
    correct: Weights
    predicted: Weights
    gold: Weights
    exact: NDArray[np.bool_]

    @classmethod
    def of(
        cls, pairs: Iterable[tuple[Iterable[Labelled], Iterable[Labelled]]], labels: Sequence[str]
    ) -> "Outcomes":
        """Of the (gold, predicted) places of each example. `labels` holds every label that occurs."""
        number = {label: i for i, label in enumerate(labels)}
        rows: list[list[list[int]]] = []
        exact: list[bool] = []
        for gold, predicted in pairs:
            a, b = set(gold), set(predicted)
            row = [[0] * len(number) for _ in range(3)]
            for kind, places in enumerate((a & b, b, a)):
                for _place, label in places:
                    row[kind][number[label]] += 1
            rows.append(row)
            exact.append(a == b)
        table = np.asarray(rows, dtype=np.float32).reshape(len(rows), 3, len(number))
        return cls(list(labels), table[:, 0], table[:, 1], table[:, 2], np.asarray(exact, bool))

    def __len__(self) -> int:
        return len(self.exact)

    def sums(self, weights: Weights) -> "Sums":
        """The counts of samples; `weights` is (samples, examples): how often each takes each example."""
        return Sums(
            _exactly(weights @ self.correct),
            _exactly(weights @ self.predicted),
            _exactly(weights @ self.gold),
            _exactly(weights @ self.exact.astype(np.float32)),
            _exactly(weights.sum(1)),
        )

    def scores(self) -> dict[str, float]:
        """The scores of all examples."""
        whole = self.sums(np.ones((1, len(self)), dtype=np.float32)).scores()
        return {name: float(values[0]) for name, values in whole.items()}

    def f1_by_label(self) -> dict[str, float]:
        """F1 of each label that occurs in gold or predictions."""
        total = self.predicted.sum(0) + self.gold.sum(0)
        values = _ratio(2.0 * self.correct.sum(0), total)
        return {
            label: float(value)
            for label, value, n in zip(self.labels, values, total, strict=True)
            if n
        }


@dataclass(frozen=True, slots=True)
class Sums:
    """The counts of samples by label, each (samples, labels), and of examples, each (samples,)."""

    correct: Floats
    predicted: Floats
    gold: Floats
    exact: Floats
    examples: Floats

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(
            self.correct + other.correct,
            self.predicted + other.predicted,
            self.gold + other.gold,
            self.exact + other.exact,
            self.examples + other.examples,
        )

    def scores(self) -> dict[str, Floats]:
        """Each score of each sample. Accuracy asks for a whole example to be right; precision, recall and F1
        are micro averages; macro F1 is the mean over labels that occur in gold or predictions."""
        correct, predicted, gold = (c.sum(1) for c in (self.correct, self.predicted, self.gold))
        occurs = (self.predicted + self.gold) > 0
        by_label = _ratio(2 * self.correct, self.predicted + self.gold)
        return {
            "accuracy": _ratio(self.exact, self.examples),
            "precision": _ratio(correct, predicted),
            "recall": _ratio(correct, gold),
            "f1": _ratio(2 * correct, predicted + gold),
            "macro_f1": _ratio((by_label * occurs).sum(1), occurs.sum(1)),
        }


def _exactly(counts: NDArray[np.float32]) -> Floats:
    return counts.astype(np.float64)


def _ratio(above: Floats, below: Floats) -> Floats:
    """Elementwise; 0 where nothing is below."""
    return np.divide(above, below, out=np.zeros(np.shape(above)), where=below > 0)
