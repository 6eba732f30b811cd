"""A row as a version's canonical file has it:

{"id": 7, "external_id": "r-12", "split": "train", "inputs": {"text": "…", "tokens": null},
 "annotation": {…}, "meta": {…}}
"""

from collections.abc import Mapping
from typing import Any

from app.errors import InvalidInput
from app.formats.base import ReadOptions
from app.formats.shapes.base import Shaped
from app.i18n import gettext as _

_ROLES = {name: name for name in ("text", "tokens", "external_id", "split", "meta")}

MARKS = frozenset({"inputs"})


def matches(row: Any, options: ReadOptions) -> bool:
    return isinstance(row, dict) and isinstance(row.get("inputs"), dict)


def shape(row: Mapping[str, Any], task: str, options: ReadOptions) -> Shaped:
    """The row's number (`id`) is the version's own, and says nothing here."""
    inputs = row["inputs"]
    if not isinstance(inputs.get("text"), str):
        raise InvalidInput.at("inputs.text", _("The row has no text."))
    annotation, meta = row.get("annotation"), row.get("meta")
    if annotation is not None and not isinstance(annotation, dict):
        raise InvalidInput.at("annotation", _("The row's annotation is not an object."))
    if meta is not None and not isinstance(meta, dict):
        raise InvalidInput.at("meta", _("The row's “meta” is not an object with named values."))
    rest = {name: row[name] for name in row if name not in ("id", "inputs", "annotation")}
    return Shaped({**rest, **inputs}, roles={**_ROLES, "label": ""}, payload=annotation)
