"""An example as doccano exported it before 1.5, with one list for all that people said:

    {"id": 1, "text": "…", "annotations": [{"label": 4, "start_offset": 0, "end_offset": 3, "user": 1}], "meta": {}}
    {"id": 1, "text": "…", "annotations": [{"label": 1, "user": 1}], "meta": {}}

The numbers are those of doccano's labels: name them by `label_map`. Newer files have `label` or `entities`, and are
read by these names. Source: doccano, `backend/api/views/download/data.py` (1.0 to 1.4).
"""

from collections.abc import Mapping
from typing import Any

from app.formats.base import ReadOptions
from app.formats.shapes.base import Shaped

_COLUMN = "annotations"

MARKS = frozenset({"annotations"})


def matches(row: Any, options: ReadOptions) -> bool:
    if not isinstance(row, dict) or not isinstance(row.get(_COLUMN), list):
        return False
    return "label" not in options.columns and all(
        isinstance(one, dict) and "label" in one for one in row[_COLUMN]
    )


def shape(row: Mapping[str, Any], task: str, options: ReadOptions) -> Shaped:
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
