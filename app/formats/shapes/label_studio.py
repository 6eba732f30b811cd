"""A task as Label Studio exports it (JSON):

    {"id": 1, "data": {"text": "…"}, "annotations": [{"was_cancelled": false, "result": [
      {"type": "labels", "value": {"start": 0, "end": 3, "text": "Ada", "labels": ["PER"]}},
      {"type": "choices", "value": {"choices": ["positive"]}}]}], "predictions": []}

Its offsets are UTF-16 units. Source: label-studio-sdk, `converter/`; the guide's “Label Studio JSON format of
annotated tasks”. Files before 1.0 have `completions` for `annotations`.
"""

from collections.abc import Mapping
from typing import Any

from app.formats.base import ReadOptions
from app.formats.headers import find
from app.formats.shapes.base import Shaped, a_guess
from app.i18n import gettext as _

_ANNOTATIONS = ("annotations", "completions")
_TYPES = {"ner": "labels", "sentiment": "choices"}
"""The type of the results that say a task's labels."""
_LABEL = "annotations.result"
_READ = frozenset(("data", *_ANNOTATIONS, "predictions", "drafts"))

MARKS = frozenset({"data"})


def matches(row: Any, options: ReadOptions) -> bool:
    return (
        isinstance(row, dict)
        and isinstance(row.get("data"), dict)
        and all(isinstance(row.get(name, []), list) for name in _ANNOTATIONS)
    )


def shape(row: Mapping[str, Any], task: str, options: ReadOptions) -> Shaped:
    """Of several annotations the one marked as ground truth is read, else the first; the others are named."""
    unused = [name for name in ("predictions", "drafts") if row.get(name)]
    label = None
    annotations = [
        one for name in _ANNOTATIONS for one in row.get(name) or () if isinstance(one, dict)
    ]
    kept = [one for one in annotations if not (one.get("was_cancelled") or one.get("skipped"))]
    if len(kept) < len(annotations):
        unused.append(_("annotations that were skipped"))
    if kept:
        chosen = next((one for one in kept if one.get("ground_truth")), kept[0])
        result, others = _of_one_control(chosen.get("result"), task, options)
        unused += others
        label, other_types = _label(result, task)
        unused += [f"{_LABEL}: {name}" for name in other_types]
    if len(kept) > 1:
        unused.append(_("annotations of other people"))
    data = row["data"]
    rest = {name: value for name, value in row.items() if name not in _READ}
    named = options.columns.get("label", "")
    column = _LABEL if named in ("", *data) else named
    texts = [name for name, value in data.items() if isinstance(value, str)]
    roles = {"label": column} | ({"text": texts[0]} if len(texts) == 1 else {})
    return Shaped({**rest, **data, column: label}, roles, unused=tuple(unused), offsets="utf16")


def _of_one_control(result: Any, task: str, options: ReadOptions) -> tuple[Any, list[str]]:
    """(the result without what other controls of the same kind say, what to say of that)."""
    if not isinstance(result, list):
        return result, []
    wanted = _TYPES.get(task)
    names = [
        str(item["from_name"])
        for item in result
        if isinstance(item, dict) and item.get("type") == wanted and "from_name" in item
    ]
    names = list(dict.fromkeys(names))
    if len(names) < 2:
        return result, []
    named = options.columns.get("label")
    chosen = named if named in names else find("label", names) or names[0]
    left = [
        item
        for item in result
        if not isinstance(item, dict)
        or item.get("type") != wanted
        or str(item.get("from_name", chosen)) == chosen
    ]
    others = [name for name in names if name != chosen]
    return left, [] if named == chosen else [a_guess(str(chosen), others)]


def _label(result: Any, task: str) -> tuple[list[Any] | None, list[str]]:
    """(the spans or the choices, what other types of results there are). An empty result says that nothing is there
    to be marked; one of other types alone says nothing of that."""
    items = [item for item in result if isinstance(item, dict)] if isinstance(result, list) else []
    wanted = [item for item in items if _type(item) == _TYPES.get(task)]
    others = sorted({_type(item) for item in items} - {_TYPES.get(task, "")})
    if not wanted and (items or task != "ner"):
        return None, others
    values = [item["value"] for item in wanted]
    if task == "ner":
        return values, others
    choices = [value.get("choices") for value in values]
    return [one for many in choices for one in (many if isinstance(many, list) else [many])], others


def _type(item: Mapping[str, Any]) -> str:
    """The result's type; what is said of a part of the text is no label of the whole."""
    kind, value = str(item.get("type")), item.get("value")
    if not isinstance(value, dict):
        return f"{kind} without a value" if kind in _TYPES.values() else kind
    return f"{kind} of spans" if kind == "choices" and "start" in value else kind
