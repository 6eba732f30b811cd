"""Which parameter sets a search tries: every combination, or a seeded random choice."""

import itertools
import math
import random
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

from app.training.finetune import FineTuneParams

MAX_SEARCH_RUNS = 50
_DRAWS = 40
"""Draws for each run that is wished, until enough differ."""
_DIGITS = 3

Strategy = Literal["grid", "random"]
Values = dict[str, Any]


class Range(BaseModel):
    """From low to high, both included, for a random search."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    low: Annotated[float, Field(allow_inf_nan=False)]
    high: Annotated[float, Field(allow_inf_nan=False)]

    @model_validator(mode="after")
    def _is_in_order(self) -> Self:
        if self.low >= self.high:
            raise ValueError(f"{self.low:g} must be less than {self.high:g}")
        return self


Space = Mapping[str, list[Any] | Range]
"""For each parameter that varies, what it may be."""


def parse_words(words: str) -> list[Any] | Range:
    """What `1e-4, 3e-4` or `1e-5..1e-3` means. Raises ValueError for a range that is none."""
    low, dots, high = words.partition("..")
    if dots:
        return Range(low=float(low), high=float(high))
    parts = [part.strip() for part in words.split(",")]
    return [None if part.lower() == "none" else part for part in parts if part]


def grid_size(space: Space) -> int:
    """How many combinations a space of lists has."""
    return math.prod(len(values) for values in space.values() if isinstance(values, list))


def grid(space: Space) -> Iterator[Values]:
    """Every combination of a space of lists; the last parameter changes fastest."""
    lists = [values for values in space.values() if isinstance(values, list)]
    return (dict(zip(space, chosen, strict=True)) for chosen in itertools.product(*lists))


def draws(space: Space, *, runs: int, seed: int) -> Iterator[Values]:
    """Seeded random choices, more than are wished, since some may be equal.

    Learning rates are log-uniform over their range, other numbers uniform.
    """
    chance = random.Random(seed)  # noqa: S311
    for _ in range(runs * _DRAWS):
        yield {
            name: chance.choice(values)
            if isinstance(values, list)
            else _between(name, values, chance)
            for name, values in space.items()
        }


def is_number(name: str) -> bool:
    """Whether a parameter may have a range."""
    return bool(_types(name) & {int, float})


def is_logarithmic(name: str) -> bool:
    """Whether factors of a parameter matter, not differences."""
    return name.endswith("learning_rate")


def _types(name: str) -> set[Any]:
    annotation = FineTuneParams.model_fields[name].annotation
    return {annotation, *get_args(annotation)}


def _between(name: str, bounds: Range, chance: random.Random) -> float | int:
    if int in _types(name):
        steps = [
            getattr(rule, "multiple_of", None)
            for rule in FineTuneParams.model_fields[name].metadata
        ]
        step = next((step for step in steps if step), 1)
        first, last = math.ceil(bounds.low / step), math.floor(bounds.high / step)
        return chance.randint(first, last) * step
    if is_logarithmic(name):
        value = math.exp(chance.uniform(math.log(bounds.low), math.log(bounds.high)))
    else:
        value = chance.uniform(bounds.low, bounds.high)
    # Three digits are as exact as it matters, and can be read.
    return min(max(float(f"{value:.{_DIGITS}g}"), bounds.low), bounds.high)
