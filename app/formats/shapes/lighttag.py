"""An example as LightTag exports it, in a file {"examples": […], "relations": […]}:

    {"content": "…", "metadata": {}, "annotations": [{"start": 0, "end": 3, "tag": "PER", "value": "Ada"}],
     "classifications": [{"classname": "positive"}]}

Source: lighttag.io/docs, “Downloading your data”.
"""

from collections.abc import Mapping
from typing import Any

from app.formats.base import ReadOptions
from app.formats.shapes.base import Shaped

_COLUMNS = {"ner": "annotations", "sentiment": "classifications"}

MARKS = frozenset({"annotations"})


def matches(row: Any, options: ReadOptions) -> bool:
    return (
        isinstance(row, dict)
        and isinstance(row.get("content"), str)
        and isinstance(row.get("annotations"), list)
        and all(isinstance(one, dict) and "tag" in one for one in row["annotations"])
        and isinstance(row.get("classifications", []), list)
    )


def shape(row: Mapping[str, Any], task: str, options: ReadOptions) -> Shaped:
    column = _COLUMNS.get(task, "")
    if not row.get(column):
        return Shaped(row, {"label": ""})  # nobody has said anything
    if task != "sentiment":
        return Shaped(row, {"label": column})
    names = [
        one.get("classname", one) if isinstance(one, dict) else one for one in row.get(column) or ()
    ]
    return Shaped({**row, column: names}, {"label": column})
