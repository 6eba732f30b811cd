"""JSON and JSON Lines, in and out; the canonical form of a version is JSON Lines."""

import json
from collections.abc import Callable, Iterable, Iterator
from typing import IO, Any

import orjson

from app.errors import InvalidInput
from app.formats.base import Message, ReadOptions, Record, RowProblem
from app.formats.encoding import open_text, undecodable
from app.formats.rows import read_row
from app.i18n import gettext as _
from app.i18n import mark

MAX_ARRAY = 256 << 20
"""Characters of a JSON file that is one array: it is read as a whole."""
_ROOMS = ("data", "examples", "rows", "items", "train", "annotations")


class JsonlReader:
    """Reads one JSON object a line."""

    name = "jsonl"
    title = mark("JSON Lines")
    tasks = frozenset({"sentiment", "ner", "srl"})

    def read(
        self, stream: IO[bytes], task: str, options: ReadOptions
    ) -> Iterator[Record | RowProblem]:
        lines, encoding = open_text(stream, options.encoding)
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            problem = undecodable(line, encoding)
            if problem:
                yield RowProblem(number, problem)
                continue
            try:
                row = orjson.loads(line)
            except orjson.JSONDecodeError as error:
                yield RowProblem(number, _("The line is not JSON: %(error)s", error=error))
                continue
            yield read_row(row, task, options, number)


class JsonReader:
    """Reads an array of objects, or an object that holds one; files of JSON lines named .json too."""

    name = "json"
    title = mark("JSON")
    tasks = frozenset({"sentiment", "ner", "srl"})

    def read(
        self, stream: IO[bytes], task: str, options: ReadOptions
    ) -> Iterator[Record | RowProblem]:
        lines, encoding = open_text(stream, options.encoding)
        text = lines.read(MAX_ARRAY + 1)
        if len(text) > MAX_ARRAY:
            raise InvalidInput.at(
                "file",
                _("A JSON file over 256 MiB cannot be read as a whole: convert it to JSON Lines."),
            )
        problem = undecodable(text, encoding)
        if problem:
            raise InvalidInput.at("file", problem)
        for number, row in enumerate(_array(text), 1):
            yield read_row(row, task, options, number)


def _array(text: str) -> list[Any]:
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        try:
            return [orjson.loads(line) for line in text.splitlines() if line.strip()]
        except orjson.JSONDecodeError:
            raise InvalidInput.at(
                "file",
                _(
                    "The file is not JSON: line %(line)s, column %(column)s: %(error)s",
                    line=error.lineno,
                    column=error.colno,
                    error=error.msg,
                ),
            ) from error
    if isinstance(value, dict):
        value = next((value[room] for room in _ROOMS if isinstance(value.get(room), list)), [value])
    if not isinstance(value, list):
        raise InvalidInput.at("file", _("The file must hold an array of objects."))
    return value


class JsonlWriter:
    """Writes the canonical form."""

    name = "jsonl"
    title = mark("JSON Lines (canonical)")
    extension = "jsonl"
    media_type = "application/x-ndjson"

    def write(
        self,
        records: Iterable[Record],
        task: str,
        *,
        conversation: Callable[[Record], list[Message]],
        comments: bool = False,
    ) -> Iterator[bytes]:
        for record in records:
            yield orjson.dumps(
                {
                    "id": record.row,
                    "external_id": record.external_id,
                    "split": record.split,
                    "inputs": {"text": record.text, "tokens": record.tokens},
                    "annotation": record.annotation,
                    "meta": record.meta,
                },
                option=orjson.OPT_APPEND_NEWLINE,
            )

    def check(self, record: Record, task: str) -> list[str]:
        return []
