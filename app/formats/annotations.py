"""The ways in which rows say a label, read into a task's payload."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from app.errors import InvalidInput
from app.formats.base import ReadOptions
from app.formats.bounds import parse_json
from app.formats.literals import parse_literal
from app.formats.span_lists import conventions, read_spans
from app.formats.tagged_words import are_tags, check_tags, spans_of_tags
from app.formats.tokens import Tokens
from app.i18n import gettext as _

Payload = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Context:
    """The example that is labelled, and how its file is to be read."""

    text: str
    task: str
    options: ReadOptions
    words: Sequence[str] | None = None
    tokens: Tokens | None = None
    column: str = "label"
    only_words: bool = False
    """The text was made of the words."""
    offsets: str = "characters"
    """What the tool that wrote the row counts."""


def is_missing(value: Any) -> bool:
    """Whether a cell says nothing: null, an empty text, or NaN, which tables have for it."""
    return value is None or value != value or (isinstance(value, str) and not value.strip())


def whole(value: Any) -> Any:
    """1 for 1.0, which tables with gaps make of it; other values as they are."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def read_annotation(value: Any, context: Context) -> tuple[Payload | None, tuple[str, ...]]:
    """(payload, names of what is left out) of a cell or a JSON value; None for an empty one. Raises InvalidInput."""
    if is_missing(value):
        return None, ()
    if context.task == "sentiment":
        return _classification(value, context), ()
    value = _from_json(value, context.column)
    return _spans(value, context) if context.task == "ner" else (_predicates(value, context), ())


def _classification(value: Any, context: Context) -> Payload | None:
    options = context.options
    if isinstance(value, str) and value.lstrip().startswith("["):
        value = _from_json(value, context.column)
    elif isinstance(value, str) and value.lstrip().startswith("{"):
        with suppress(ValueError):  # then it is a word that begins so
            value = parse_cell(value)
    if isinstance(value, dict):
        value = _named_labels(value, context.column)
        if value == []:
            return {"labels": []}  # of all labels that it names, none is meant
    if isinstance(value, str) and options.label_separator:
        value = value.split(options.label_separator)
    names = value if isinstance(value, list) else [value]
    _check_not_one_hot(names, context.column)
    labels = [_label(name, context) for name in names if not is_missing(name)]
    return {"labels": labels} if labels else None


def _named_labels(value: Mapping[str, Any], column: str) -> Any:
    """The labels of an object: under a name that says so, or spaCy's {"positive": 1.0, "negative": 0.0}."""
    for name in ("labels", "label", "choices"):
        if name in value:
            return value[name]
    if value and all(isinstance(sure, int | float) and sure in (0, 1) for sure in value.values()):
        return [name for name, sure in value.items() if sure]
    raise InvalidInput.at(
        column, _("“%(value)s” does not say plainly which labels are meant.", value=_short(value))
    )


def _check_not_one_hot(names: list[Any], column: str) -> None:
    """Raises InvalidInput for [0, 1, 0]: such a list may have a place for each label, and nobody knows which."""
    if len(names) > 1 and all(isinstance(name, int | float) and name in (0, 1) for name in names):
        raise InvalidInput.at(
            column,
            _(
                "%(value)s seems to have a 0 or a 1 for each label, but does not say which: write the labels' names.",
                value=_short(names),
            ),
        )


def _label(value: Any, context: Context) -> str:
    if isinstance(value, dict | list):
        raise InvalidInput.at(
            context.column,
            _("A label must be a word or a number, not %(value)s.", value=_short(value)),
        )
    name = str(whole(value)).strip()
    return context.options.label_map.get(name, name)


def _from_json(value: Any, column: str) -> Any:
    if not isinstance(value, str):
        return value
    if not value.lstrip().startswith(("[", "{")):
        raise InvalidInput.at(
            column,
            _(
                "“%(value)s” labels the text as a whole, and not words in it. Choose another column for the label, "
                "or none.",
                value=_short(value),
            ),
        )
    try:
        return parse_cell(value)
    except ValueError as error:
        raise InvalidInput.at(
            column, _("The annotation is not JSON: %(error)s", error=error)
        ) from error


def parse_cell(text: str) -> Any:
    """The value of a cell that holds a list or an object: JSON, or as Python prints them. Raises ValueError."""
    try:
        return parse_json(text)
    except ValueError:
        return parse_literal(text)


def _spans(value: Any, context: Context) -> tuple[Payload, tuple[str, ...]]:
    label_map = context.options.label_map
    if context.words is not None and are_tags(value, context.words):
        tokens = check_tags(context.tokens, context.column)
        spans, unused = spans_of_tags(
            value, context.words, tokens, label_map=label_map, column=context.column
        )
    else:
        spans, unused = read_spans(
            value,
            context.text,
            label_map=label_map,
            column=context.column,
            tokens=context.tokens,
            only_words=context.only_words,
            conventions=conventions(
                context.options.offsets, context.options.span_end, usual=context.offsets
            ),
        )
    return {"spans": spans}, unused


def _predicates(value: Any, context: Context) -> Payload:
    if isinstance(value, dict):
        value = value.get("predicates")
    if not isinstance(value, list):
        raise InvalidInput.at(context.column, _("The semantic roles must be a list of predicates."))
    if context.only_words and value:
        raise InvalidInput.at(
            context.column,
            _("The row has words but no text: nobody knows what the predicates' numbers count."),
        )
    return {"predicates": value}


def _short(value: Any) -> str:
    return str(value)[:100]
