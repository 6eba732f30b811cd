"""Whole tables in one JSON object, as pandas and `datasets` write them:

{"columns": ["text", "label"], "data": [["Fine.", "good"]]}
{"text": {"0": "Fine."}, "label": {"0": "good"}}        {"text": ["Fine."], "label": ["good"]}
{"7": {"text": "Fine.", "label": "good"}}
"""

from collections.abc import Callable, Mapping
from typing import Any

from app.formats.headers import find


def table_rows(
    held: Mapping[str, Any], is_row: Callable[[Any], bool]
) -> list[dict[str, Any]] | None:
    """The rows of the table that an object is; None if it is none."""
    columns, data = held.get("columns"), held.get("data")
    if _are_names(columns) and isinstance(data, list) and isinstance(columns, list):
        if data and all(isinstance(row, list) and len(row) == len(columns) for row in data):
            return [dict(zip(columns, row, strict=True)) for row in data]
        return None
    text = held.get(find("text", held) or "")
    if isinstance(text, list | dict):
        return _of_columns(held, text)
    rows = list(held.values())
    if len(rows) > 1 and all(isinstance(row, dict) and is_row(row) for row in rows):
        return [
            row if find("external_id", row) else {"id": name, **row} for name, row in held.items()
        ]
    return None


def _of_columns(
    held: Mapping[str, Any], text: list[Any] | dict[str, Any]
) -> list[dict[str, Any]] | None:
    if not all(type(column) is type(text) and len(column) == len(text) for column in held.values()):
        return None
    if isinstance(text, list):
        return [dict(zip(held, row, strict=True)) for row in zip(*held.values(), strict=True)]
    if any(column.keys() != text.keys() for column in held.values()):
        return None
    return [{name: column[key] for name, column in held.items()} for key in text]


def _are_names(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(name, str) for name in value)
