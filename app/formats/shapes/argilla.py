"""A record as Argilla exports it, to JSON or to a data set on a hub:

    {"id": "r1", "status": "completed", "fields": {"text": "…"}, "metadata": {}, "suggestions": {…},
     "responses": {"label": [{"value": "good", "user_id": "…", "status": "submitted"}]}}
    {"id": "r1", "text": "…", "label.responses": ["good"], "label.responses.status": ["submitted"]}

and before 2.0, with spans as (label, start, end):

    {"text": "…", "tokens": […], "annotation": [["PER", 0, 3]], "prediction": null, "status": "Validated"}

Source: docs.argilla.io, “Import and export data”; argilla 1, `client/models.py`. What was not submitted is no gold.
"""

from collections.abc import Mapping
from typing import Any

from app.formats.base import ReadOptions
from app.formats.headers import find
from app.formats.shapes.base import Shaped, a_guess
from app.i18n import gettext as _

_END = ".responses"
_BESIDE = (
    "prediction",
    "prediction_agent",
    "annotation_agent",
    "explanation",
    "vectors",
    "metrics",
)

MARKS = frozenset({"responses", "prediction", "status"})


def matches(row: Any, options: ReadOptions) -> bool:
    if not isinstance(row, dict) or "status" not in row:
        return False
    if isinstance(row.get("fields"), dict) and isinstance(row.get("responses"), dict):
        return True
    return {"annotation", "prediction", "status"} <= row.keys() or any(
        str(name).endswith(_END) and isinstance(row[name], list) for name in row
    )


def shape(row: Mapping[str, Any], task: str, options: ReadOptions) -> Shaped:
    """Of several questions the one is read that has the form of the task's labels and is called as labels are, of
    several people's answers the first; the others are named."""
    if "annotation" in row and "prediction" in row:
        return _of_version_1(row)
    if isinstance(row.get("fields"), dict):
        answers = {
            str(name): [one for one in said if isinstance(one, dict)]
            for name, said in row["responses"].items()
            if isinstance(said, list)
        }
        fields: Mapping[str, Any] = row["fields"]
        rest = {name: row[name] for name in row if name not in ("fields", "responses", "status")}
    else:
        answers = dict(_of_columns(row))
        fields = {}
        rest = {name: row[name] for name in row if _END not in name and name != "status"}
    unused = []
    values = {
        name: [one["value"] for one in said if _is_gold(one)] for name, said in answers.items()
    }
    if any(len(values[name]) < len(answers[name]) for name in answers):
        unused.append(_("answers that were not submitted"))
    questions = [name for name, said in values.items() if said and _fits(said[0], task)]
    chosen = options.columns.get("label")
    label = chosen if chosen in questions else find("label", questions) or next(iter(questions), "")
    others = [name for name in questions if name != label]
    if others and chosen is None:
        unused.append(a_guess(label, others))
    if label and len(values[label]) > 1:
        unused.append(_("annotations of other people"))
    kept = {name: values[name][0] for name in values if name != label and values[name]}
    found = {**rest, **fields, **kept}
    if label:
        found[label] = values[label][0]
    texts = [name for name, value in fields.items() if isinstance(value, str)]
    roles = {"label": label} | ({"text": texts[0]} if len(texts) == 1 else {})
    return Shaped(found, roles, unused=tuple(unused))


def _of_version_1(row: Mapping[str, Any]) -> Shaped:
    is_gold = row.get("annotation") is not None and str(row["status"]).lower() != "discarded"
    rest = {name: row[name] for name in row if name not in (*_BESIDE, "inputs", "status")}
    inputs = row.get("inputs")
    if isinstance(inputs, dict):
        rest = {**inputs, **rest} if rest.get("text") is not None else {**rest, **inputs}
    unused = tuple(name for name in _BESIDE if row.get(name))
    return Shaped(rest, {"label": "annotation" if is_gold else ""}, unused=unused)


def _of_columns(row: Mapping[str, Any]) -> list[tuple[str, list[dict[str, Any]]]]:
    found = []
    for name in row:
        if not name.endswith(_END) or not isinstance(row[name], list):
            continue
        status = row.get(f"{name}.status")
        is_told = isinstance(status, list) and len(status) == len(row[name])
        states = status if is_told and status is not None else ["submitted"] * len(row[name])
        answers = [{"value": v, "status": s} for v, s in zip(row[name], states, strict=True)]
        found.append((name.removesuffix(_END), answers))
    return found


def _is_gold(answer: Mapping[str, Any]) -> bool:
    return "value" in answer and answer.get("status", "submitted") == "submitted"


def _fits(value: Any, task: str) -> bool:
    is_spans = isinstance(value, list) and all(isinstance(one, dict) for one in value)
    if task == "sentiment":
        return not is_spans or value == []
    return task == "ner" and is_spans
