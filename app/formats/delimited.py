"""CSV and TSV, in and out.

TSV is read without quoting, since the field's TSV files hold bare quotation marks, unless its cells are quoted as
spreadsheets do; CSV with it, line breaks inside cells included.
"""

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator
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
    no_label_notes,
)
from app.formats.csv_rows import read_rows
from app.formats.dialect import begins_as_table, sniff_dialect
from app.formats.encoding import open_text
from app.formats.one_word_a_line import is_one_word_a_line
from app.formats.tables import Table, make_table, read_records
from app.i18n import mark

_HEAD = 1 << 16
_STANDOFF = re.compile(
    r"T\d+\t\S+ \d+ \d+(?:;\d+ \d+)*\t|[EMARN]\d+\t\S+[ :]\S*[TER]\d|\*\t\S+ |#\d+\tAnnotatorNotes "
)


class CsvReader:
    """Reads comma, tab, semicolon or pipe separated files."""

    name = "csv"
    title = mark("CSV or TSV")
    tasks = frozenset({"sentiment", "ner", "srl"})

    def sniff(self, head: Head, task: str) -> float:
        first = head.lines[0].lstrip() if head.lines else ""
        if not first or first.startswith(("{", "<", "__label__")) or is_one_word_a_line(head):
            return 0.0
        if head.name.endswith(".ann") or sum(map(_is_standoff, head.lines)) > 0.5 * len(head.lines):
            return 0.0
        if head.name.endswith((".csv", ".tsv", ".tab")):
            return 0.7
        tabs = sum("\t" in line for line in head.lines)
        if tabs > 0.8 * len(head.lines):
            return 0.5
        return 0.5 if begins_as_table(head.lines) else 0.0

    def read(
        self, stream: IO[bytes], task: str, options: ReadOptions
    ) -> Iterator[Record | RowProblem]:
        yield from read_records(open_table(stream, options), task, options)


def _is_standoff(line: str) -> bool:
    """Whether it is a line of brat's annotations, which stand beside their text: `T1\tPER 0 3\tAda`."""
    return _STANDOFF.match(line) is not None


def open_table(stream: IO[bytes], options: ReadOptions) -> Table:
    """The file as a table. Raises InvalidInput."""
    lines, encoding = open_text(stream, options.encoding, newline="", language=options.language)
    head = lines.read(_HEAD)
    lines.seek(0)
    dialect = sniff_dialect(head, options.delimiter, is_cut=len(head) == _HEAD)
    return make_table(read_rows(lines, dialect), options, encoding=encoding)


_COLUMNS = {"sentiment": "label", "ner": "spans", "srl": "predicates"}


class CsvWriter(Writer):
    """Writes one row an example; spans, tokens and meta as JSON in their cells."""

    name = "csv"
    title = mark("CSV")
    purpose = "rows"
    extension = "csv"
    media_type = "text/csv; charset=utf-8"
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
        buffer = io.StringIO()
        writer = csv.writer(buffer)
        writer.writerow(["id", "external_id", "split", "text", _COLUMNS[task], "tokens", "meta"])
        for record in records:
            writer.writerow(
                [
                    record.row,
                    record.external_id or "",
                    record.split or "",
                    record.text,
                    _cell(record.annotation, task),
                    "" if record.tokens is None else _dumps(record.tokens),
                    _dumps(record.meta) if record.meta else "",
                ]
            )
            if buffer.tell() > 1 << 16:
                yield buffer.getvalue().encode()
                buffer.seek(0)
                buffer.truncate()
        yield buffer.getvalue().encode()

    def check(self, record: Record, task: str) -> list[str]:
        return no_label_notes(record)


def _cell(annotation: dict[str, Any] | None, task: str) -> str:
    if annotation is None:
        return ""
    if task != "sentiment":
        return _dumps(annotation[_COLUMNS[task]])
    labels = annotation["labels"]
    return labels[0] if len(labels) == 1 and not labels[0].startswith("[") else _dumps(labels)


def _dumps(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
