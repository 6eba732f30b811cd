"""Rows with named columns (CSV, JSON, JSON Lines, Parquet): which column is what, and what each says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from app.errors import InvalidInput
from app.formats.annotations import Context, is_missing, parse_cell, read_annotation
from app.formats.base import ReadOptions
from app.formats.headers import NAMES, fold
from app.formats.shapes.base import Shaped, a_guess
from app.formats.split_columns import read_split_column
from app.formats.tagged_words import are_tags, are_words, place_words
from app.formats.tokens import Tokens
from app.i18n import gettext as _
from app.i18n import mark

_TWINS = {"label": "labels", "labels": "label"}
"""Where a row leaves one of them empty, the other one is the label."""
_TAGS = frozenset(
    (
        "ner_tags", "ner_labels", "bio_tags", "tags", "ner", "fine_ner_tags", "coarse_ner_tags", "ner_tag",
        "entity_tags", "iob_tags", "iob2_tags", "bioes_tags", "bilou_tags", "bio",
    )
)  # fmt: skip
"""How a column is called that has a tag for each word of the row; alone it may be called so and be anything."""
_NOT_WORDS: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (bool, mark("true or false")),
    ((int, float), mark("a number")),
    (list, mark("a list")),
    (dict, mark("an object")),
)
_MAX_REMEMBERED = 4096
"""Characters of column names."""


@dataclass(slots=True)
class Fields:
    """What a row says, each value under our name for it."""

    text: str
    tokens: Tokens | None = None
    annotation: dict[str, Any] | None = None
    external_id: Any = None
    split: Any = None
    rest: Mapping[str, Any] = field(default_factory=dict)
    """Columns that say none of these …"""
    meta: Any = None
    """… and what the row itself calls so."""
    unused: tuple[str, ...] = ()


def guess_mapping(columns: list[str], options: ReadOptions) -> dict[str, str]:
    """Which column is what: as the options say, else by its name."""
    chosen = tuple(options.columns.items())
    if sum(map(len, columns)) <= _MAX_REMEMBERED:  # rows have the same columns again and again
        return _remembered_mapping(tuple(columns), chosen).copy()
    return _mapping(columns, chosen)


def _mapping(columns: Sequence[str], chosen: Sequence[tuple[str, str]]) -> dict[str, str]:
    known, choices = _known(columns), dict(chosen)
    mapping: dict[str, str] = {}
    for role in NAMES:
        if role in choices:
            if choices[role]:
                mapping[role] = choices[role]
            continue
        found = next(iter(known[role]), None)
        if found is not None and found not in mapping.values():
            mapping[role] = found
    return mapping


_remembered_mapping = lru_cache(maxsize=64)(_mapping)


def _known(columns: Sequence[str]) -> dict[str, list[str]]:
    """The columns with a name that is known, by what they may be, most telling first."""
    if sum(map(len, columns)) <= _MAX_REMEMBERED:
        return _remembered(tuple(columns))
    return _by_name(columns)


def _by_name(columns: Sequence[str]) -> dict[str, list[str]]:
    folded = {fold(column): column for column in reversed(columns)}
    return {role: [folded[n] for n in names if n in folded] for role, names in NAMES.items()}


_remembered = lru_cache(maxsize=64)(_by_name)


def read_fields(
    shaped: Shaped, task: str, options: ReadOptions, mapping: Mapping[str, str] | None = None
) -> Fields:
    """What the columns of a row say. Raises InvalidInput naming the column."""
    row = shaped.row
    roles = guess_mapping(list(row), options) if mapping is None else dict(mapping)
    absent = _absent(row, roles, options) if options.columns else ()
    if shaped.roles:
        roles = {role: column for role, column in (roles | dict(shaped.roles)).items() if column}
    if fold(roles.get("text", "")) in NAMES["tokens"]:
        roles["tokens"] = roles.pop("text")  # the words are chosen to be the text
    listed = read_json(row.get(roles["tokens"])) if "tokens" in roles else None
    words = listed if are_words(listed) else None
    text, tokens = _text(row, roles, words)
    if words is None and isinstance(listed, list):
        tokens = _tokens(listed)
    if tokens is None:
        roles.pop("tokens", None)  # the words stay among the rest
    if isinstance(_value(row, roles, "external_id"), (list, dict)):
        del roles["external_id"]  # no name; it stays among the rest, too
    rivals: tuple[str, ...] = ()
    if "label" not in shaped.roles:
        roles["label"] = label_column(row, roles, task, options, words)
        if "label" not in options.columns and roles["label"]:
            rivals = label_rivals(row, roles, task, words)
        if task != "sentiment" and words is not None and not roles["label"]:
            _check_no_tags(row, words)
    payload = shaped.payload
    unused: tuple[str, ...] = ()
    if payload is None and (column := roles.get("label")):
        only_words = words is not None and is_missing(_value(row, roles, "text"))
        context = Context(text, task, options, words, tokens, column, only_words, shaped.offsets)
        payload, unused = read_annotation(row.get(column), context)
    used = set(roles.values()) - {""}
    return Fields(
        text=text,
        tokens=tokens,
        annotation=payload,
        external_id=_value(row, roles, "external_id"),
        split=read_split_column(roles["split"], row) if "split" in roles else None,
        meta=_value(row, roles, "meta"),
        rest={name: value for name, value in row.items() if name not in used},
        unused=(*shaped.unused, *absent, *rivals, *unused),
    )


def label_rivals(
    row: Mapping[str, Any],
    roles: Mapping[str, str],
    task: str,
    words: Sequence[str] | None,
) -> tuple[str, ...]:
    """What to say of the columns that could be the label of this row as well as the one that was taken."""
    columns = _label_columns(row, roles, words)
    if len(columns) < 2:
        return ()
    chosen, fits = roles["label"], _FITS[task == "sentiment"]
    others = [
        column
        for column in columns
        if column != chosen and not _is_empty(row[column]) and fits(row[column], column, words)
    ]
    return (a_guess(chosen, others),) if others else ()


def _label_columns(
    row: Mapping[str, Any], roles: Mapping[str, str], words: Sequence[str] | None
) -> list[str]:
    """The columns that may be the label by their names, the most telling first."""
    taken = {column for role, column in roles.items() if role != "label"}
    columns = [column for column in _known(list(row))["label"] if column not in taken]
    return columns if words is None else columns + [c for c in row if fold(c) in _TAGS]


def _absent(
    row: Mapping[str, Any], roles: Mapping[str, str], options: ReadOptions
) -> tuple[str, ...]:
    """Names of the columns that somebody chose and the row does not have."""
    return tuple(
        _("“%(name)s”, which the row does not have", name=roles[role])
        for role in ("label", "external_id", "split")
        if role in options.columns and role in roles and roles[role] not in row
    )


def _value(row: Mapping[str, Any], roles: Mapping[str, str], role: str) -> Any:
    return row.get(roles[role]) if role in roles else None


def _text(
    row: Mapping[str, Any], roles: dict[str, str], words: list[str] | None
) -> tuple[str, Tokens | None]:
    """(text, where its words stand): the column's, else the words joined."""
    column = roles.get("text")
    text = None if column is None else row.get(column)
    if is_missing(text) and words is not None:
        return place_words(words)
    if column is None:
        raise InvalidInput.at(
            "text",
            _(
                "No column is known to hold the text. Choose one of: %(columns)s.",
                columns=", ".join(map(str, row))[:1000],
            ),
        )
    if is_missing(text):
        raise InvalidInput.at(
            column,
            _("The text is empty.")
            if column in row
            else _("The row has no “%(name)s”, which is to be its text.", name=column),
        )
    if not isinstance(text, str):
        what = next((word for types, word in _NOT_WORDS if isinstance(text, types)), mark("other"))
        raise InvalidInput.at(
            column,
            _(
                "“%(name)s” is to be the text, but it is %(what)s here. Choose the column that holds the text.",
                name=column,
                what=_(what),
            ),
        )
    return text, None if words is None else place_words(words, text)[1]


def label_column(
    row: Mapping[str, Any],
    roles: Mapping[str, str],
    task: str,
    options: ReadOptions,
    words: Sequence[str] | None,
) -> str:
    """The column that is the label in this row: another one than the guess if somebody chose it, else the most telling
    one that has the form of the task's labels."""
    guessed = roles.get("label", "")
    columns = _label_columns(row, roles, words)
    is_chosen = bool(guessed) or "label" in options.columns
    if not columns or (is_chosen and guessed != columns[0]):
        return guessed
    fits = _FITS[task == "sentiment"]
    for column in columns:
        if not fits(row[column], column, words):
            continue
        twin = _TWINS.get(column, "")
        return twin if _is_empty(row[column]) and not _is_empty(row.get(twin)) else column
    others = [column for column in columns if fold(column) not in _TAGS]
    return next((column for column in others if not _is_empty(row[column])), "")


def _check_no_tags(row: Mapping[str, Any], words: Sequence[str]) -> None:
    """Raises InvalidInput for tags that cannot be those of the words, which would be lost else."""
    for column, value in row.items():
        if fold(column) in _TAGS - {"tags"} and isinstance(value, list) and value:
            raise InvalidInput.at(
                column,
                _(
                    "“%(name)s” has %(n)s values for %(m)s words: each word needs one tag.",
                    name=column,
                    n=len(value),
                    m=len(words),
                ),
            )


def _is_empty(value: Any) -> bool:
    return is_missing(value) or value == []


def _fits_sentiment(value: Any, column: str, words: Sequence[str] | None) -> bool:
    """Whether a value may be a label, or several: not spans, and not tags of words."""
    if not isinstance(value, list):
        return True
    is_flat = not any(isinstance(item, (dict, list, tuple)) for item in value)
    return is_flat and fold(column) not in _TAGS and not are_tags(value, words)


def _fits_spans(value: Any, column: str, words: Sequence[str] | None) -> bool:
    """Whether a value may be spans or predicates, or tags of the row's words."""
    if isinstance(value, str):
        return value.lstrip().startswith(("[", "{"))
    if not isinstance(value, list):
        return isinstance(value, dict)
    return are_tags(value, words) or all(isinstance(item, (dict, list, tuple)) for item in value)


_FITS = {True: _fits_sentiment, False: _fits_spans}


def read_json(value: Any) -> Any:
    """A cell that holds JSON; other values as they are."""
    if not isinstance(value, str) or not value.startswith(("[", "{")):
        return None if isinstance(value, str) else value
    try:
        return parse_cell(value)
    except ValueError:
        return None


def _tokens(items: list[Any]) -> Tokens:
    """Token offsets, as pairs or as objects (Prodigy's, and a Parquet file's own)."""
    try:
        return tuple(
            (int(item["start"]), int(item["end"]))
            if isinstance(item, dict)
            else (int(item[0]), int(item[1]))
            for item in items
        )
    except (TypeError, ValueError, OverflowError, IndexError, KeyError):
        raise InvalidInput.at("tokens", _("The tokens must be pairs of start and end.")) from None
