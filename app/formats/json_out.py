"""JSON as other tools read it, written without holding the whole."""

from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from app.formats.base import Record


def json_array(rows: Iterable[object]) -> Iterator[bytes]:
    """A JSON array, one element a line."""
    opening = b"[\n"
    for row in rows:
        yield opening + orjson.dumps(row)
        opening = b",\n"
    yield b"\n]\n" if opening == b",\n" else b"[]\n"


def beside_text(record: Record) -> dict[str, Any]:
    """What is known of an example beside its text and annotation, by the names that it is read by; nothing is said of
    what is not known."""
    said = {
        "external_id": record.external_id,
        "split": record.split,
        "tokens": record.tokens,
        "meta": record.meta or None,
    }
    return {name: value for name, value in said.items() if value is not None}
