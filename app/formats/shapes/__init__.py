"""Rows as other tools write them, a module each: how such a row is known, and what it says in named columns.

A row that has none of these shapes is read by the names of its columns alone.
"""

from typing import Any

from app.formats.base import ReadOptions
from app.formats.shapes import (
    allennlp,
    argilla,
    canonical,
    conversation,
    doccano,
    gliner,
    label_studio,
    label_studio_min,
    lighttag,
    prodigy,
    spacy,
)
from app.formats.shapes.base import Shape, Shaped

SHAPES: tuple[Shape, ...] = (
    argilla,
    canonical,
    label_studio,
    label_studio_min,
    prodigy,
    gliner,
    lighttag,
    doccano,
    spacy,
    allennlp,
    conversation,
)
"""The first one that matches reads a row."""
_MARKS = frozenset().union(*(shape.MARKS for shape in SHAPES))


def find_shape(row: Any, options: ReadOptions) -> Shape | None:
    """The tool's shape that a row has, if any."""
    if isinstance(row, dict) and _MARKS.isdisjoint(row):
        return None
    return next((shape for shape in SHAPES if shape.matches(row, options)), None)


__all__ = ["SHAPES", "Shape", "Shaped", "find_shape"]
