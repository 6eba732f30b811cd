"""Bootstrap and randomisation: how far scores would move with other examples of the same kind."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import comb

import numpy as np

from app.evaluation.outcomes import Floats, Outcomes, Weights

SAMPLES = 2000
_AT_ONCE = 4_000_000
"""Weights held at a time, of 4 bytes each."""


def intervals(
    outcomes: Outcomes, *, seed: int, samples: int = SAMPLES, level: float = 0.95
) -> dict[str, tuple[float, float]]:
    """Percentile bootstrap intervals of each score, over examples (Efron and Tibshirani, 1993, ch. 13)."""
    if not len(outcomes):
        return {}
    parts = [outcomes.sums(weights).scores() for weights in _draws(len(outcomes), samples, seed)]
    tails = [(1 - level) / 2, (1 + level) / 2]
    return {name: _quantiles(np.concatenate([p[name] for p in parts]), tails) for name in parts[0]}


@dataclass(frozen=True, slots=True)
class Comparison:
    """The second system's score minus the first's, on the same examples."""

    difference: float
    low: float
    high: float
    """A 95% interval of the difference, by paired bootstrap."""
    p: float
    """How often chance alone would bring so large a difference, by approximate randomisation."""


def compare(
    first: Outcomes, second: Outcomes, metric: str, *, seed: int = 0, samples: int = SAMPLES
) -> Comparison:
    """Whether two systems differ in a score, by paired tests over the same examples, in the same order.

    The p-value is two-sided, by approximate randomisation (Noreen, 1989; for F1: Yeh, 2000): the outcomes
    of each example are exchanged or not, by the toss of a coin. Raises ValueError for different examples
    or labels.
    """
    if len(first) != len(second) or first.labels != second.labels:
        raise ValueError("Only outcomes of the same examples and labels can be compared.")
    difference = second.scores()[metric] - first.scores()[metric]
    bootstrap, exchanged = [], []
    for taken in _draws(len(first), samples, seed):
        a, b = first.sums(taken).scores(), second.sums(taken).scores()
        bootstrap.append(b[metric] - a[metric])
    for heads in _coins(len(first), samples, seed):
        a = (first.sums(1 - heads) + second.sums(heads)).scores()
        b = (first.sums(heads) + second.sums(1 - heads)).scores()
        exchanged.append(b[metric] - a[metric])
    low, high = _quantiles(np.concatenate(bootstrap), [0.025, 0.975])
    as_large = int((np.abs(np.concatenate(exchanged)) >= abs(difference) - 1e-12).sum())
    return Comparison(difference, low, high, (1 + as_large) / (1 + samples))


def mcnemar(first: Outcomes, second: Outcomes) -> float:
    """The exact two-sided p-value of McNemar's test (1947) on which examples are all right."""
    only_first = int((first.exact & ~second.exact).sum())
    only_second = int((second.exact & ~first.exact).sum())
    n, least = only_first + only_second, min(only_first, only_second)
    tail: int = sum(comb(n, k) for k in range(least + 1))
    return min(1.0, 2 * tail / (1 << n))


def _draws(examples: int, samples: int, seed: int) -> Iterator[Weights]:
    """Weights of bootstrap samples, (samples, examples), some at a time."""
    generator = np.random.default_rng(seed)
    for size in _portions(examples, samples):
        # Each sample's draws are counted in a range of numbers of its own.
        drawn = generator.integers(0, examples, size=(size, examples))
        drawn += np.arange(size)[:, None] * examples
        counts = np.bincount(drawn.ravel(), minlength=size * examples)
        yield counts.reshape(size, examples).astype(np.float32)


def _coins(examples: int, samples: int, seed: int) -> Iterator[Weights]:
    """Zeros and ones, (samples, examples), some at a time."""
    generator = np.random.default_rng([seed, 1])
    for size in _portions(examples, samples):
        yield generator.integers(0, 2, size=(size, examples)).astype(np.float32)


def _portions(examples: int, samples: int) -> Iterator[int]:
    most = max(1, _AT_ONCE // examples)
    for start in range(0, samples, most):
        yield min(most, samples - start)


def _quantiles(values: Floats, at: list[float]) -> tuple[float, float]:
    low, high = np.quantile(values, at)
    return float(low), float(high)
