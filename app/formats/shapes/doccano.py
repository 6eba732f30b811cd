"""An example as doccano exported it before 1.5, with one list for all that people said, or with its text as `data`:

    {"id": 1, "text": "…", "annotations": [{"label": 4, "start_offset": 0, "end_offset": 3, "user": 1}], "meta": {}}
    {"id": 1, "text": "…", "annotations": [{"label": 1, "user": 1}], "meta": {}}
    {"id": 1, "data": "…", "label": [[0, 3, "PER"]]}

The numbers are those of doccano's labels: name them by `label_map`. Newer files have `label` or `entities`, and are
read by these names. Source: doccano, `backend/api/views/download/data.py` (1.0 to 1.4).
"""

from collections.abc import Mapping
from typing import Any

from app.formats.base import ReadOptions
from app.formats.shapes.base import Shaped

_COLUMN = "annotations"
_NEW = ("label", "entities", "cats")
"""What newer files call what people said."""

MARKS = frozenset({"annotations", "data"})


def matches(row: Any, options: ReadOptions) -> bool:
    if not isinstance(row, dict):
        return False
    if _has_data(row):
        return "text" not in options.columns
    if not isinstance(row.get(_COLUMN), list):
        return False
    return "label" not in options.columns and all(
        isinstance(one, dict) and "label" in one for one in row[_COLUMN]
    )


def _has_data(row: Mapping[str, Any]) -> bool:
    is_text = isinstance(row.get("data"), str) and "text" not in row
    return is_text and any(name in row for name in _NEW)


def shape(row: Mapping[str, Any], task: str, options: ReadOptions) -> Shaped:
    if _has_data(row):
        return Shaped(row, {"text": "data"})
    said = row[_COLUMN]
    is_placed = any("start_offset" in one for one in said)
    if not said or is_placed != (task == "ner") or task == "srl":
        return Shaped(
            row
        )  # nobody has said anything, or it is of another task and stays what it is
    if task == "sentiment":
        labels = list(dict.fromkeys(str(one["label"]) for one in said))
        return Shaped({**row, _COLUMN: labels}, {"label": _COLUMN})
    spans = [{name: one[name] for name in one if name != "user"} for one in said]
    return Shaped({**row, _COLUMN: spans}, {"label": _COLUMN})
