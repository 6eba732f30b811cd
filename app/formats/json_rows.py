"""JSON and JSON Lines, in and out; the canonical form of a version is JSON Lines."""

from collections.abc import Callable, Iterable, Iterator
from typing import IO

import orjson

from app.formats.base import Head, Message, ReadOptions, Record, RowProblem
from app.formats.bounds import parse_json, read_lines
from app.formats.encoding import open_text, unreadable
from app.formats.json_stream import read_values
from app.formats.rows import read_row
from app.i18n import gettext as _
from app.i18n import mark


class JsonlReader:
    """Reads one JSON object a line."""

    name = "jsonl"
    title = mark("JSON Lines")
    tasks = frozenset({"sentiment", "ner", "srl"})

    def sniff(self, head: Head, task: str) -> float:
        if head.name.endswith((".jsonl", ".ndjson")):
            return 0.7
        return 0.5 if head.text.lstrip().startswith("{") else 0.0

    def read(
        self, stream: IO[bytes], task: str, options: ReadOptions
    ) -> Iterator[Record | RowProblem]:
        lines, encoding = open_text(stream, options.encoding)
        for number, line in enumerate(read_lines(lines), 1):
            if not line.strip():
                continue
            problem = unreadable(line, encoding)
            if problem:
                yield RowProblem(number, problem)
                continue
            try:
                row = parse_json(line)
            except ValueError as error:
                yield RowProblem(number, _("The line is not JSON: %(error)s", error=error))
                continue
            yield read_row(row, task, options, number)


class JsonReader:
    """Reads an array of objects, or an object that holds one; files of JSON lines named .json too."""

    name = "json"
    title = mark("JSON")
    tasks = frozenset({"sentiment", "ner", "srl"})

    def sniff(self, head: Head, task: str) -> float:
        if head.name.endswith(".json"):
            return 0.7
        return 0.5 if head.text.lstrip().startswith("[") else 0.0

    def read(
        self, stream: IO[bytes], task: str, options: ReadOptions
    ) -> Iterator[Record | RowProblem]:
        lines, encoding = open_text(stream, options.encoding)
        for number, row in enumerate(read_values(lines, encoding), 1):
            yield read_row(row, task, options, number)


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
