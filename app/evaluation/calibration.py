"""Whether a model is as often right as it says."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

BINS = 15


@dataclass(frozen=True, slots=True)
class Bin:
    """Predictions of about the same confidence: how many, how sure on average, how often right."""

    count: int
    confidence: float
    accuracy: float


def bins(confidence: Sequence[float], right: Sequence[bool], *, number: int = BINS) -> list[Bin]:
    """Bins of equal width over (0, 1]; empty ones are left out."""
    sure, hit = np.asarray(confidence, dtype=float), np.asarray(right, dtype=float)
    place = np.clip(np.ceil(sure * number).astype(int) - 1, 0, number - 1)
    return [
        Bin(int(here.sum()), float(sure[here].mean()), float(hit[here].mean()))
        for k in range(number)
        if (here := place == k).any()
    ]


def expected_calibration_error(found: Sequence[Bin]) -> float:
    """The mean distance between confidence and accuracy, weighted by count (Guo et al., 2017)."""
    total = sum(b.count for b in found)
    return sum(b.count * abs(b.confidence - b.accuracy) for b in found) / total if total else 0.0
