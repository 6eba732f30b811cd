"""A pair as spaCy's training data was written before version 3 (TRAIN_DATA), and as small span editors still do:

    ["Ada met Bo.", {"entities": [[0, 3, "PER"]], "cats": {"positive": 1.0, "negative": 0.0}}]

Source: v2.spacy.io/usage/training#training-simple-style.
"""

from typing import Any

from app.formats.base import ReadOptions
from app.formats.shapes.base import Shaped

_COLUMNS = {"ner": "entities", "sentiment": "cats"}

MARKS: frozenset[str] = frozenset()  # it is a pair


def matches(row: Any, options: ReadOptions) -> bool:
    return (
        isinstance(row, list | tuple)
        and len(row) == 2
        and isinstance(row[0], str)
        and isinstance(row[1], dict)
    )


def shape(row: Any, task: str, options: ReadOptions) -> Shaped:
    text, said = row
    return Shaped({**said, "text": text}, {"text": "text", "label": _COLUMNS.get(task, "")})
