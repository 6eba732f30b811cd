"""JSON and JSON Lines, in and out; the canonical form of a version is JSON Lines."""

import io
import json
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any

from app.formats.base import (
    NO_FACTS,
    Head,
    Message,
    ReadOptions,
    Record,
    RowProblem,
    VersionFacts,
    Writer,
    read_split,
)
from app.formats.bounds import parse_json, read_lines
from app.formats.encoding import open_text, unreadable
from app.formats.example import example_of, write_line
from app.formats.json_stream import parse_python_json, read_values, repeated_name, say_repeated
from app.formats.rows import FileRow, is_row, read_rows
from app.i18n import gettext as _
from app.i18n import mark
from app.storable import unstorable

_OBJECT = re.compile(r'\s*\{\s*(?:"(?:[^"\\]|\\.)*"\s*:|\}|\Z)')
_ARRAY = re.compile(r'\s*\[\s*(?:["\[\]]|-?\d|\Z|(?:true|false|null)\b|\{\s*["}])')
"""How JSON begins: a text may begin with {a note} or [a note] as well."""


class JsonlReader:
    """Reads one JSON object a line."""

    name = "jsonl"
    title = mark("JSON Lines")
    tasks = frozenset({"sentiment", "ner", "srl"})

    def sniff(self, head: Head, task: str) -> float:
        is_named = head.name.endswith((".jsonl", ".ndjson"))
        if len(head.lines) > 1 and not _is_whole(head.lines[0]):
            return 0.3 if is_named else 0.0
        if is_named:
            return 0.7
        return 0.5 if _OBJECT.match(head.text) else 0.0

    def rows(self, stream: IO[bytes], options: ReadOptions) -> Iterator[FileRow]:
        with _opened(stream, options) as (lines, encoding):
            for number, line in enumerate(read_lines(lines), 1):
                if line.strip():
                    yield _row(number, line, encoding)

    def read(
        self, stream: IO[bytes], task: str, options: ReadOptions
    ) -> Iterator[Record | RowProblem]:
        return read_rows(self.rows(stream, options), task, options)


@contextmanager
def _opened(stream: IO[bytes], options: ReadOptions) -> Iterator[tuple[io.TextIOWrapper, str]]:
    """The stream as text, with its encoding; whoever opened the stream closes it."""
    lines, encoding = open_text(stream, options.encoding, language=options.language)
    try:
        yield lines, encoding
    finally:
        with suppress(ValueError):  # it is closed already
            lines.detach()


def _row(number: int, line: str, encoding: str) -> FileRow:
    if problem := unreadable(line, encoding):
        return FileRow(number, problem=problem)
    try:
        value = _parse(line)
        return FileRow(number, value, _repeated(line, value))
    except ValueError as error:
        return FileRow(number, problem=_("The line is not JSON: %(error)s", error=error))


def _repeated(line: str, value: Any) -> str | None:
    """What to say of a row in which an object has a name twice. The parser keeps the last and says nothing."""
    names = line.count('":') + line.count('" :')
    if (isinstance(value, dict) and names == len(value)) or names <= _count_names(value):
        return None
    found: list[str] = []

    def note(pairs: list[tuple[str, Any]]) -> None:
        if (name := repeated_name(pairs)) is not None:
            found.append(name)

    json.loads(line, object_pairs_hook=note)
    return say_repeated(found[0]) if found else None


def _count_names(value: Any) -> int:
    if isinstance(value, dict):
        return len(value) + sum(map(_count_names, value.values()))
    return sum(map(_count_names, value)) if isinstance(value, list) else 0


def _is_whole(line: str) -> bool:
    """Whether a line is a row by itself, and not the beginning of an array or of an object on many lines."""
    try:
        value = _parse(line)
    except ValueError:
        return False
    first = value[0] if isinstance(value, list) and value else None
    return not isinstance(first, dict | list)


def _parse(line: str) -> Any:
    try:
        return parse_json(line)
    except ValueError:
        if "NaN" not in line:
            raise
    return parse_python_json(line)


class JsonReader:
    """Reads an array of objects, or an object that holds some; files of JSON lines named .json too."""

    name = "json"
    title = mark("JSON")
    tasks = frozenset({"sentiment", "ner", "srl"})

    def sniff(self, head: Head, task: str) -> float:
        if head.name.endswith(".json"):
            return 0.7
        return 0.5 if _OBJECT.match(head.text) or _ARRAY.match(head.text) else 0.0

    def rows(self, stream: IO[bytes], options: ReadOptions) -> Iterator[FileRow]:
        with _opened(stream, options) as (lines, encoding):
            for number, item in enumerate(read_values(lines, encoding, is_row=is_row), 1):
                yield FileRow(
                    number,
                    item.value,
                    item.problem or unstorable(item.value),
                    split=read_split(item.split),
                    unused=item.beside,
                )

    def read(
        self, stream: IO[bytes], task: str, options: ReadOptions
    ) -> Iterator[Record | RowProblem]:
        return read_rows(self.rows(stream, options), task, options)


class JsonlWriter(Writer):
    """Writes the canonical form."""

    name = "jsonl"
    title = mark("JSON Lines (canonical)")
    purpose = "rows"
    extension = "jsonl"
    media_type = "application/x-ndjson"
    splits = "said"

    def write(
        self,
        records: Iterable[Record],
        task: str,
        *,
        conversation: Callable[[Record], list[Message]],
        comments: bool = False,
        facts: VersionFacts = NO_FACTS,
    ) -> Iterator[bytes]:
        for record in records:
            yield write_line(example_of(record))
