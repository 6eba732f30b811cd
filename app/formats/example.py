"""The stored line of an example, written and read here alone: versions, exports, REST and workers share it.

    {"id":7,"external_id":"r-12","split":"train","inputs":{"text":"…","tokens":null},"annotation":{…},"meta":{…}}

It is one JSON object a line, always with these names in this order and without white space, so that the same
example is the same bytes whatever database it comes from. Of the inputs, `text` and `tokens` come first, the task's
others behind them by name; `meta` is by name, too, and so is all that is nested in either.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from app.formats.base import Record

_LINE = orjson.OPT_APPEND_NEWLINE
_SPLIT = b',"split":"'
"""How a line goes on before its split: quotation marks inside strings are escaped, so none holds this."""


@dataclass(frozen=True, slots=True)
class StoredExample:
    """An example as a line has it."""

    inputs: dict[str, Any]
    split: str = ""
    """Empty where the line says none, as one that is of no version."""
    id: int | None = None
    """The example's number in its project; None where the line says none."""
    external_id: str | None = None
    annotation: dict[str, Any] | None = None
    """The task's payload, as it is stored."""
    meta: dict[str, Any] = field(default_factory=dict)


def write_line(example: StoredExample) -> bytes:
    """The example's line, with its end."""
    return orjson.dumps(
        {
            "id": example.id or 0,
            "external_id": example.external_id,
            "split": example.split or None,
            "inputs": ordered_inputs(example.inputs),
            "annotation": example.annotation,
            "meta": _sorted(example.meta) if example.meta else {},
        },
        option=_LINE,
    )


def write_text(split: str, inputs: Mapping[str, Any]) -> bytes:
    """The line of an example of which nothing counts but its inputs: `{"split":…,"inputs":{…}}`."""
    return orjson.dumps({"split": split, "inputs": ordered_inputs(inputs)}, option=_LINE)


def read_line(line: bytes | str) -> StoredExample:
    """The example of a line; names that it lacks, and that a text can do without, are empty.

    Raises ValueError for what is no line of an example.
    """
    row = orjson.loads(line)
    try:
        get = row.get
        return StoredExample(
            row["inputs"],
            get("split") or "",
            get("id"),
            get("external_id"),
            get("annotation"),
            get("meta") or {},
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"no example: {error!r}") from error


def record_of(example: StoredExample) -> Record:
    """The example as writers take it; `row` is its number."""
    inputs = example.inputs
    tokens = inputs.get("tokens")
    return Record(
        text=inputs["text"],
        tokens=None if tokens is None else tuple((start, end) for start, end in tokens),
        annotation=example.annotation,
        external_id=example.external_id,
        meta=example.meta,
        row=example.id or 0,
        split=example.split or None,
        others={name: inputs[name] for name in inputs if name not in ("text", "tokens")},
    )


def example_of(record: Record) -> StoredExample:
    """The record as its line has it."""
    return StoredExample(
        {"text": record.text, "tokens": record.tokens, **record.others},
        record.split or "",
        record.row,
        record.external_id,
        record.annotation,
        record.meta,
    )


def id_of(line: bytes) -> int:
    """The example's number, which a whole line begins with."""
    return int(line[6 : line.index(b",")])


def split_of(line: bytes) -> bytes:
    """The example's split, as the line of a version has it."""
    start = line.index(_SPLIT) + len(_SPLIT)
    return line[start : line.index(b'"', start)]


def ordered_inputs(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """All of an example's inputs in the order of a line. Inputs with a text always say their tokens, which may be
    null: the source had none of its own."""
    if "text" not in inputs:
        return {name: _sorted(inputs[name]) for name in sorted(inputs)}
    found = {"text": inputs["text"], "tokens": inputs.get("tokens")}
    if len(inputs) > 1 + ("tokens" in inputs):
        others = sorted(inputs.keys() - found.keys())
        found |= {name: _sorted(inputs[name]) for name in others}
    return found


def _sorted(value: Any) -> Any:
    """The value, to be written with the names of its objects in order."""
    if isinstance(value, dict | list):
        return orjson.Fragment(orjson.dumps(value, option=orjson.OPT_SORT_KEYS))
    return value
