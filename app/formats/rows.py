"""Rows (of CSV, JSON, JSON Lines, Parquet) as records: our own form, other tools', SFT conversations."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import orjson

from app.errors import InvalidInput
from app.formats.annotations import is_missing, whole
from app.formats.base import ReadOptions, Record, RowProblem, read_split
from app.formats.bounds import text_problem
from app.formats.headers import find
from app.formats.named_columns import Fields, guess_mapping, label_column, read_fields, read_json
from app.formats.shapes import Shaped, find_shape, label_studio_min
from app.formats.split_columns import find_split_column
from app.formats.tagged_words import are_words
from app.i18n import gettext as _
from app.tasks import get_task

_SCALARS = (str, int, float, bool)
_MAX_VALUE = 1 << 16
"""Bytes of JSON of one nested value that is kept beside the text: a vector may well be larger than all texts."""
_CELL = 300
"""Characters of a sample value."""


@dataclass(frozen=True, slots=True)
class FileRow:
    """A row as its file has it."""

    number: int
    value: Any = None
    problem: str | None = None
    """Why there is no value."""
    split: str | None = None
    """What the file says of all rows of its part."""
    unused: tuple[str, ...] = ()
    """Names of what else the file holds, or of what was left out of the row."""


def read_rows(
    rows: Iterable[FileRow], task: str, options: ReadOptions
) -> Iterator[Record | RowProblem]:
    """Each row as a record, or what is wrong with it."""
    is_first = True
    for row in rows:
        if row.problem is not None:
            yield RowProblem(row.number, row.problem)
            continue
        if is_first:
            options, is_first = _with_split_column(row.value, options), False
        item = read_row(row.value, task, options, row.number)
        if isinstance(item, Record) and (row.split or row.unused):
            unused = (*item.unused, *row.unused)
            item = replace(item, split=item.split or row.split, unused=unused)
        yield item


def _with_split_column(row: Any, options: ReadOptions) -> ReadOptions:
    """The options with the column that says the split, if the first row has one under another name."""
    if not isinstance(row, dict) or "split" in options.columns or find("split", row):
        return options
    column = find_split_column(row, [row])
    if column is None or column in options.columns.values():
        return options
    return options.model_copy(update={"columns": options.columns | {"split": column}})


def read_row(
    row: Any, task: str, options: ReadOptions, number: int, mapping: Mapping[str, str] | None = None
) -> Record | RowProblem:
    """One row as a record, or what is wrong with it."""
    try:
        return _record(_fields(row, task, options, mapping), task, number)
    except InvalidInput as error:
        where = error.problems[0].where if error.problems else None
        return RowProblem(number, error.message, where)


def is_row(value: Any) -> bool:
    """Whether an object is an example by itself, and not what holds examples."""
    options = ReadOptions()
    if find_shape(value, options) is not None:
        return True
    return isinstance(value, dict) and "text" in guess_mapping(list(value), options)


def sample_columns(
    rows: Iterable[FileRow], task: str, options: ReadOptions, *, limit: int = 20
) -> tuple[dict[str, list[str]], dict[str, str]]:
    """(columns with sample values, what they are taken for) of the first rows; nothing where no column can be chosen,
    since the rows have the shape of a tool's."""
    columns: dict[str, list[str]] = {}
    first = [row for row in islice(rows, limit) if row.problem is None]
    shapes = {find_shape(row.value, options) for row in first} - {None}
    if shapes - {label_studio_min}:
        return {}, {}
    objects = [row.value for row in first if isinstance(row.value, dict)]
    for name, value in (item for row in objects for item in row.items()):
        sample = columns.setdefault(name, [])
        if len(sample) < 5 and value is not None:
            sample.append(_cell(value))
    options = _with_split_column(first[0].value, options) if first else options
    mapping = guess_mapping(list(columns), options)
    if label := next(filter(None, (_label_column(row, task, options) for row in objects)), ""):
        mapping["label"] = label
    if "text" not in mapping and "tokens" in mapping:
        mapping["text"] = mapping["tokens"]
    return columns, mapping


def _label_column(row: Mapping[str, Any], task: str, options: ReadOptions) -> str:
    roles = guess_mapping(list(row), options)
    if shape := find_shape(row, options):
        return shape.shape(row, task, options).roles.get("label", "")
    words = row.get(roles.get("tokens", ""))
    return label_column(row, roles, task, options, words if are_words(words) else None)


def _cell(value: Any) -> str:
    if not isinstance(value, list | dict):
        return str(value)[:_CELL]
    try:
        return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode()[:_CELL]
    except (TypeError, ValueError):  # it cannot be stored either: its row is named
        return "…"


def _fields(row: Any, task: str, options: ReadOptions, mapping: Mapping[str, str] | None) -> Fields:
    if shape := find_shape(row, options):
        return read_fields(shape.shape(row, task, options), task, options)
    if not isinstance(row, dict):
        raise InvalidInput.at("", _("The row is not an object with named values."))
    return read_fields(Shaped(row), task, options, mapping)


def _record(fields: Fields, task: str, number: int) -> Record:
    if problem := text_problem(fields.text):
        raise InvalidInput.at("text", problem)
    parsed = None
    if fields.annotation is not None:
        parsed = _parsed(fields.annotation, fields.text, task)
    meta, left = _meta(fields)
    own = fields.external_id
    return Record(
        text=fields.text,
        tokens=fields.tokens,
        annotation=fields.annotation,
        external_id=None if is_missing(own) else str(whole(own)),
        meta=meta,
        row=number,
        split=read_split(fields.split),
        unused=(*fields.unused, *left),
        parsed=parsed,
    )


def _parsed(annotation: dict[str, Any], text: str, task: str) -> Any:
    """The annotation, parsed by its task. Raises InvalidInput for one that is not in the task's form, or that leaves
    the text."""
    payload = get_task(task).parse_payload(annotation)
    predicates = annotation.get("predicates", ())
    arguments = [a for one in predicates for a in one.get("arguments") or ()]
    for span in (*annotation.get("spans", ()), *predicates, *arguments):
        if not span["start"] < span["end"] <= len(text):
            raise InvalidInput.at(
                "label",
                _(
                    "Span %(start)s to %(end)s does not lie in the text, which has %(n)s characters.",
                    start=span["start"],
                    end=span["end"],
                    n=len(text),
                ),
            )
    return payload


def _meta(fields: Fields) -> tuple[dict[str, Any], list[str]]:
    """(what is kept beside the text, names of what cannot be kept): the row's own, then the columns that say
    something."""
    if fields.meta is None and not fields.rest:
        return {}, []
    own = fields.meta if isinstance(fields.meta, dict) else read_json(fields.meta)
    rest = dict(fields.rest)
    if not isinstance(own, dict):
        rest, own = {"meta": fields.meta, **rest}, {}
    said = [(n, v) for n, v in rest.items() if not is_missing(v) and v not in ([], {})]
    kept: dict[str, Any] = {}
    left = []
    for key, value in (*own.items(), *said):
        name = str(key)
        try:
            plain = _plain(value)
        except (TypeError, ValueError):
            left.append(name)
            continue
        if kept.setdefault(name, plain) != plain:
            left.append(name)
    return kept, left


def _plain(value: Any) -> Any:
    """The value as JSON has it. Raises TypeError or ValueError for bytes, and for what is too large."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value) if math.isinf(value) else None
    if value is None or isinstance(value, _SCALARS):
        return value
    data = orjson.dumps(value, default=_as_text, option=orjson.OPT_NON_STR_KEYS)
    if len(data) > _MAX_VALUE:
        raise ValueError(len(data))
    return orjson.loads(data)


def _as_text(value: Any) -> str:
    if isinstance(value, bytes | memoryview):
        raise TypeError(value)
    return str(value)
