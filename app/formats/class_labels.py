"""The names of numbered labels, as Hugging Face's `datasets` keeps them in a Parquet file's schema:

    {"info": {"features": {"label": {"names": ["neg", "pos"], "_type": "ClassLabel"},
                           "ner_tags": {"feature": {"names": ["O", "B-PER"], "_type": "ClassLabel"}, "_type": "List"}}}}

Source: datasets, `features/features.py`, `Features.from_arrow_schema`; before 4.0 a list is a `Sequence`.
"""

from collections.abc import Callable, Mapping
from typing import Any

import orjson

_KEY = b"huggingface"
_MAX_DEPTH = 8
Naming = Callable[[Any], Any]


def namings(metadata: Mapping[bytes, bytes] | None) -> dict[str, Naming]:
    """By column, what turns its numbers into the labels' names; only columns that have some."""
    try:
        features = orjson.loads((metadata or {}).get(_KEY, b"{}"))["info"]["features"]
        found = {str(name): _naming(feature, 0) for name, feature in features.items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}
    return {name: naming for name, naming in found.items() if naming is not None}


def _naming(feature: Any, depth: int) -> Naming | None:
    if depth > _MAX_DEPTH:
        return None
    if isinstance(feature, list):  # how a list was written before 4.0
        feature = {"_type": "List", "feature": feature[0]} if feature else {}
    if not isinstance(feature, dict):
        return None
    names = feature.get("names")
    if feature.get("_type") == "ClassLabel" and isinstance(names, list):
        return _of_number([str(name) for name in names])
    if isinstance(feature.get("_type"), str):
        inner = _naming(feature.get("feature"), depth + 1)
        return None if inner is None else _of_list(inner)
    parts = {str(name): _naming(part, depth + 1) for name, part in feature.items()}
    return _of_object({name: part for name, part in parts.items() if part is not None})


def _of_number(names: list[str]) -> Naming:
    def name(value: Any) -> Any:
        """The number's name; -1 is how a test set says that there is no label."""
        if type(value) is not int or value >= len(names):
            return value
        return names[value] if value >= 0 else None

    return name


def _of_list(inner: Naming) -> Naming:
    def name(value: Any) -> Any:
        # A list of objects is an object of lists in Arrow.
        if isinstance(value, dict):
            return inner(value)
        return [_kept(inner(item), item) for item in value] if isinstance(value, list) else value

    return name


def _kept(name: Any, number: Any) -> Any:
    """In a list, a negative number has its place: -100 says that a word is passed over."""
    return number if name is None else name


def _of_object(parts: dict[str, Naming]) -> Naming | None:
    if not parts:
        return None

    def name(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return value | {
            key: _of_list(part)(value[key]) if isinstance(value[key], list) else part(value[key])
            for key, part in parts.items()
            if key in value
        }

    return name
