"""Labelled places of two annotations side by side. Task types stand on it, so it does without numpy."""

from collections.abc import Hashable, Iterable, Iterator
from typing import TypeVar

Place = tuple[int, ...]
"""Offsets in the text; empty for all of it."""
Labelled = tuple[Hashable, str]
"""A place (offsets, with its predicate for roles) and the label there."""

P = TypeVar("P", bound=Hashable)


def cells(
    gold: Iterable[tuple[P, str]], predicted: Iterable[tuple[P, str]]
) -> Iterator[tuple[P, str | None, str | None]]:
    """(place, gold label, predicted label) of one example: equal ones first, then other labels at the same
    place, then what only one side has (the other label is None)."""
    a, b = set(gold), set(predicted)
    for place, label in sorted(a & b, key=repr):
        yield place, label, label
    left: dict[P, list[str]] = {}
    for place, label in sorted(b - a, key=repr):
        left.setdefault(place, []).append(label)
    for place, label in sorted(a - b, key=repr):
        there = left.get(place)
        yield place, label, there.pop() if there else None
    for place, rest in left.items():
        for label in rest:
            yield place, None, label
