"""A task as Label Studio exports it in short (JSON-MIN): its data, then what the controls say, then who said it.

    {"id": 1, "text": "…", "label": [{"start": 0, "end": 3, "text": "Ada", "labels": ["PER"]}],
     "mood": {"choices": ["a", "b"]}, "annotator": 1, "annotation_id": 7, "created_at": "…", "lead_time": 4.2}

Source: label-studio-sdk, `converter/converter.py`, `convert_to_json_min`.
"""

from collections.abc import Callable, Mapping
from typing import Any

from app.formats.base import ReadOptions
from app.formats.bounds import parse_json
from app.formats.headers import NAMES, find, fold
from app.formats.shapes.base import Shaped, a_guess

_FIXED = frozenset(
    {"id", "annotator", "annotation_id", "created_at", "updated_at", "lead_time", "agreement"}
)
"""What every row has besides its data and what was said of it."""
MARKS = frozenset({"annotator"})


def matches(row: Any, options: ReadOptions) -> bool:
    return (
        isinstance(row, dict)
        and "annotator" in row
        and ("annotation_id" in row or "lead_time" in row)
        and "label" not in options.columns
    )


def shape(row: Mapping[str, Any], task: str, options: ReadOptions) -> Shaped:
    """The label is what has the form of this task's, whatever the control is called; else a word that was said. Of
    several controls the one is taken that is called as labels are, else the first, and the others are named."""
    has_form = _FORMS.get(task)
    found = [name for name in row if has_form and has_form(_parsed(row[name]))]
    if not found and task == "sentiment":
        data = {
            options.columns.get("text"),
            find("text", row),
            find("split", row),
            find("external_id", row),
        }
        said = [name for name in row if name not in _FIXED and name not in data]
        found = [n for n in said if fold(n) not in NAMES["text"] and isinstance(row[n], str)]
    if not found:
        return Shaped(row, offsets="utf16")
    label = find("label", found) or found[0]
    others = [name for name in found if name != label]
    unused = (a_guess(label, others),) if others else ()
    return Shaped(row, {"label": label}, unused=unused, offsets="utf16")


def _parsed(value: Any) -> Any:
    """A cell of CSV may hold JSON."""
    if not isinstance(value, str) or not value.startswith(("[", "{")):
        return value
    try:
        return parse_json(value)
    except ValueError:
        return value


def _are_spans(value: Any) -> bool:
    return isinstance(value, list) and any(
        isinstance(item, dict) and "labels" in item and "start" in item for item in value
    )


def _are_choices(value: Any) -> bool:
    return isinstance(value, dict) and "choices" in value


_FORMS: dict[str, Callable[[Any], bool]] = {"ner": _are_spans, "sentiment": _are_choices}
