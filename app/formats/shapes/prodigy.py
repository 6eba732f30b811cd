"""A task as Prodigy exports it:

    {"text": "…", "tokens": [{"text": "Ada", "start": 0, "end": 3, "id": 0, "ws": true}], "answer": "accept",
     "spans": [{"start": 0, "end": 3, "token_start": 0, "token_end": 0, "label": "PER"}], "_task_hash": -66}

Texts are classified by `accept` (the chosen ones of `options`) or by one `label`. What was rejected or ignored is
no gold. Source: prodi.gy/docs/api-interfaces.
"""

from collections.abc import Mapping
from typing import Any

from app.formats.base import ReadOptions
from app.formats.shapes.base import Shaped

_ANSWERS = frozenset({"accept", "reject", "ignore"})
_SAID = ("spans", "label", "accept", "relations")

MARKS = frozenset({"_task_hash", "answer"})


def matches(row: Any, options: ReadOptions) -> bool:
    if not isinstance(row, dict):
        return False
    answer = row.get("answer")
    return "_task_hash" in row or (isinstance(answer, str) and answer in _ANSWERS)


def shape(row: Mapping[str, Any], task: str, options: ReadOptions) -> Shaped:
    answer = row.get("answer", "accept")
    if answer != "accept":
        rest = {name: value for name, value in row.items() if name not in _SAID}
        unused = tuple(f"{name} ({answer})" for name in _SAID if row.get(name))
        return Shaped(rest, {"label": ""}, unused=unused)
    label = _COLUMNS.get(task)
    if task == "sentiment" and isinstance(row.get("accept"), list):
        label = "accept"
    return Shaped(row, {} if label is None or "label" in options.columns else {"label": label})


_COLUMNS = {"sentiment": "label", "ner": "spans"}
