"""The ways in which rows say a label, read into a task's payload."""

from collections.abc import Mapping
from typing import Any

from app.errors import InvalidInput
from app.formats.base import ReadOptions
from app.formats.bounds import parse_json
from app.i18n import gettext as _

_START = ("start", "start_offset", "begin", "startOffset")
_END = ("end", "end_offset", "stop", "endOffset")
_LABEL = ("label", "type", "tag", "entity", "entity_group", "category")


def read_annotation(
    value: Any, text: str, task: str, options: ReadOptions
) -> dict[str, Any] | None:
    """The payload that a cell or a JSON value means; None for an empty one. Raises InvalidInput."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if task == "sentiment":
        return _classification(value, options)
    value = _from_json(value)
    return _spans(value, text, options) if task == "ner" else _predicates(value)


def _classification(value: Any, options: ReadOptions) -> dict[str, Any] | None:
    if isinstance(value, str) and value.lstrip().startswith("["):
        value = _from_json(value)
    if isinstance(value, Mapping):
        value = value.get("labels", value.get("label"))
    if isinstance(value, str) and options.label_separator:
        value = value.split(options.label_separator)
    names = value if isinstance(value, list) else [value]
    labels = [_label(name, options) for name in names if name is not None]
    return {"labels": [name for name in labels if name]} if any(labels) else None


def _label(value: Any, options: ReadOptions) -> str:
    if isinstance(value, bool | Mapping | list):
        raise InvalidInput.at(
            "label", _("A label must be a word or a number, not %(value)s.", value=value)
        )
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    name = str(value).strip()
    return options.label_map.get(name, name)


def _from_json(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return parse_json(value)
    except ValueError as error:
        raise InvalidInput.at(
            "label", _("The annotation is not JSON: %(error)s", error=error)
        ) from error


def _spans(value: Any, text: str, options: ReadOptions) -> dict[str, Any]:
    if isinstance(value, Mapping):
        listed = value.get("spans", value.get("entities"))
        value = listed if listed is not None else list(_by_label(value))
    if not isinstance(value, list):
        raise InvalidInput.at("label", _("The entities must be a list of spans."))
    return {"spans": [_span(item, text, options) for item in value]}


def _by_label(value: Mapping[str, Any]) -> Any:
    """CLUENER's way: {label: {words: [[first, last], …]}}, the last character included."""
    for label, mentions in value.items():
        if not isinstance(mentions, Mapping):
            raise InvalidInput.at(
                "label", _("The entities of “%(label)s” are in no known form.", label=label)
            )
        for words, places in mentions.items():
            for first, last in _pairs(label, places):
                yield {"start": first, "end": last + 1, "label": label, "text": words}


def _pairs(label: str, places: Any) -> list[tuple[int, int]]:
    try:
        pairs = [(first, last) for first, last in places]
    except (TypeError, ValueError):
        pairs = [("", "")]
    if not all(type(first) is type(last) is int for first, last in pairs):
        raise InvalidInput.at(
            "label", _("The entities of “%(label)s” are in no known form.", label=label)
        )
    return pairs


def _span(item: Any, text: str, options: ReadOptions) -> dict[str, Any]:
    if isinstance(item, list | tuple) and len(item) == 3:
        start, end, label, words = item[0], item[1], item[2], None
    elif isinstance(item, Mapping):
        start, end, label = (_first(item, names) for names in (_START, _END, _LABEL))
        words = item.get("text")
        if isinstance(label, list) and len(label) == 1:
            label = label[0]
    else:
        start = end = label = words = None
    if type(start) is not int or type(end) is not int or not isinstance(label, str | int):
        raise InvalidInput.at(
            "label", _("A span needs a start, an end and a label, unlike %(item)s.", item=item)
        )
    if isinstance(words, str) and text[start:end] != words:
        raise InvalidInput.at(
            "label",
            _(
                "The span %(start)s to %(end)s is “%(there)s” in the text, but the file says “%(words)s”.",
                start=start,
                end=end,
                there=text[start:end],
                words=words,
            ),
        )
    return {"start": start, "end": end, "label": options.label_map.get(str(label), str(label))}


def _first(item: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((item[name] for name in names if name in item), None)


def _predicates(value: Any) -> dict[str, Any]:
    if isinstance(value, Mapping):
        value = value.get("predicates")
    if not isinstance(value, list):
        raise InvalidInput.at("label", _("The semantic roles must be a list of predicates."))
    return {"predicates": value}
