"""CSV and TSV, in and out.

TSV is read without quoting, since the field's TSV files hold bare quotation marks; CSV with it, line
breaks inside cells included.
"""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import chain
from typing import IO, Any, Literal

from app.errors import InvalidInput
from app.formats.base import Head, Message, ReadOptions, Record, RowProblem
from app.formats.bounds import MAX_COLUMNS, MAX_ROW, batched, read_lines, too_long
from app.formats.encoding import open_text, unreadable
from app.formats.headers import is_known
from app.formats.rows import guess_mapping, read_row
from app.i18n import gettext as _
from app.i18n import mark

# A cell may hold a whole document.
csv.field_size_limit(MAX_ROW)
_SAMPLE = 50
_SAMPLE_SIZE = 4 << 20
"""Characters."""


class CsvReader:
    """Reads comma, tab, semicolon or pipe separated files."""

    name = "csv"
    title = mark("CSV or TSV")
    tasks = frozenset({"sentiment", "ner", "srl"})

    def sniff(self, head: Head, task: str) -> float:
        if head.name.endswith((".csv", ".tsv")):
            return 0.7
        tabs = sum("\t" in line for line in head.lines)
        return 0.5 if tabs and tabs > 0.8 * len(head.lines) else 0.0

    def read(
        self, stream: IO[bytes], task: str, options: ReadOptions
    ) -> Iterator[Record | RowProblem]:
        columns, rows, encoding = read_table(stream, options)
        sample = read_sample(rows)
        mapping = table_mapping(columns, [cells for _number, cells in sample], options)
        for number, cells in chain(sample, rows):
            if len(cells) != len(columns):
                yield RowProblem(
                    number,
                    _(
                        "The row has %(n)s cells, but there are %(m)s columns. Is a quotation mark missing?",
                        n=len(cells),
                        m=len(columns),
                    ),
                )
                continue
            problem = next(filter(None, (unreadable(cell, encoding) for cell in cells)), None)
            if problem:
                yield RowProblem(number, problem)
                continue
            yield read_row(dict(zip(columns, cells, strict=True)), task, options, number, mapping)


def read_table(
    stream: IO[bytes], options: ReadOptions
) -> tuple[list[str], Iterator[tuple[int, list[str]]], str]:
    """(column names, (line number, cells) of each row, encoding). Columns without a header are named 1, 2, …"""
    lines, encoding = open_text(stream, options.encoding, newline="")
    head = lines.read(1 << 16)
    lines.seek(0)
    delimiter = options.delimiter or _sniff(head)
    quoting: Literal[0, 3] = (
        csv.QUOTE_NONE if delimiter == "\t" and not _quotes_cells(head) else csv.QUOTE_MINIMAL
    )
    source = _Lines(lines)
    reader = csv.reader(
        source,
        delimiter=delimiter,
        quoting=quoting,
        strict=False,
    )
    try:
        first = next(reader, None)
    except csv.Error as error:
        raise InvalidInput.at("file", _("The file is not CSV: %(error)s", error=error)) from error
    if first is None:
        raise InvalidInput.at("file", _("The file is empty."))
    if len(first) > MAX_COLUMNS:
        raise InvalidInput.at(
            "file",
            _(
                "The file has %(n)s columns; at most %(m)s can be read.",
                n=len(first),
                m=MAX_COLUMNS,
            ),
        )
    has_header = options.has_header
    if has_header is None:
        named = {cell.strip() for cell in first} & set(options.columns.values())
        has_header = bool(named) or _looks_like_header(first)
    columns = (
        _unique([cell.strip() or str(i) for i, cell in enumerate(first, 1)])
        if has_header
        else [str(i) for i in range(1, len(first) + 1)]
    )

    if has_header and (nul := next((cell for cell in first if "\x00" in cell), None)) is not None:
        raise InvalidInput.at("row 1", str(unreadable(nul, encoding)))

    def rows() -> Iterator[tuple[int, list[str]]]:
        if not has_header:
            yield 1, first
        start = reader.line_num + 1
        try:
            for cells in reader:
                source.begin_row()
                if cells and any(cells):
                    yield start, cells
                start = reader.line_num + 1
        except csv.Error as error:
            raise InvalidInput.at(
                "file", _("Line %(n)s is not CSV: %(error)s", n=reader.line_num, error=error)
            ) from error
        finally:
            with suppress(ValueError):  # the caller may have closed it already
                lines.detach()  # else it would close the caller's stream with itself

    return columns, rows(), encoding


class _Lines:
    """Lines for the csv module, as many for one row as a row may be long: a quotation mark that is never closed
    must not take in the whole file."""

    def __init__(self, lines: io.TextIOBase) -> None:
        self._lines = read_lines(lines)
        self._row, self._number, self._size = 1, 0, 0

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self._number += 1
        self._size += len(line)
        if self._size > MAX_ROW:
            raise too_long(self._row)
        return line

    def begin_row(self) -> None:
        """The next line begins a new row."""
        self._row, self._size = self._number + 1, 0


def read_sample(rows: Iterator[tuple[int, list[str]]]) -> list[tuple[int, list[str]]]:
    """Some rows from the front, fewer if they are long."""
    by_size = batched(
        rows, count=_SAMPLE, weight=_SAMPLE_SIZE, weigh=lambda row: sum(map(len, row[1]))
    )
    return next(by_size, [])


def table_mapping(
    columns: list[str], sample: list[list[str]], options: ReadOptions
) -> dict[str, str]:
    """Which column is what: as the options say, by the names, else by what the first rows hold.

    Raises InvalidInput for a column that the file has not.
    """
    mapping = guess_mapping(columns, options)
    missing = sorted(set(mapping.values()) - set(columns))
    if missing:
        raise InvalidInput.at("columns", _("The file has no column “%(name)s”.", name=missing[0]))
    whole = [cells for cells in sample if len(cells) == len(columns)]
    if "text" not in mapping and whole:
        mapping["text"] = _longest(columns, whole)
        label = _repeated(columns, whole, mapping["text"])
        if label is not None and "label" not in mapping and "label" not in options.columns:
            mapping["label"] = label
    return mapping


def _longest(columns: list[str], sample: list[list[str]]) -> str:
    """The column with the most text."""
    places = range(len(columns))
    return columns[max(places, key=lambda place: sum(len(cells[place]) for cells in sample))]


def _repeated(columns: list[str], sample: list[list[str]], text: str) -> str | None:
    """The column with few, short, repeated values; one that always says something, and not always the same, first."""
    found: list[tuple[bool, str]] = []
    for place, column in enumerate(columns):
        values = [cells[place] for cells in sample]
        kinds = set(values)
        few = len(kinds) <= max(2, len(values) // 3)
        if column != text and few and 0 < max(map(len, values)) <= 40:
            found.append((len(kinds) > 1 and "" not in kinds, column))
    return max(found, key=lambda item: item[0])[1] if found else None


def _sniff(head: str) -> str:
    line = head.split("\n", 1)[0]
    counts = {delimiter: line.count(delimiter) for delimiter in "\t,;|"}
    if counts["\t"]:
        return "\t"
    best = max(counts, key=lambda delimiter: counts[delimiter])
    return best if counts[best] else ","


def _quotes_cells(head: str) -> bool:
    """Whether a TSV wraps whole cells in quotation marks, as spreadsheets write cells with line breaks."""
    cells = [cell for line in head.splitlines()[:200] for cell in line.split("\t")]
    wrapped = sum(len(cell) > 1 and cell[0] == cell[-1] == '"' for cell in cells)
    return wrapped > 0 and sum(cell.startswith('"') != cell.endswith('"') for cell in cells) == 0


def _looks_like_header(cells: list[str]) -> bool:
    return any(map(is_known, cells)) and all(len(cell.strip()) < 60 for cell in cells)


def _unique(names: list[str]) -> list[str]:
    seen: dict[str, int] = {}
    for place, name in enumerate(names):
        seen[name] = seen.get(name, 0) + 1
        if seen[name] > 1:
            names[place] = f"{name} ({seen[name]})"
    return names


_COLUMNS = {"sentiment": "label", "ner": "spans", "srl": "predicates"}


class CsvWriter:
    """Writes one row an example; spans, tokens and meta as JSON in their cells."""

    name = "csv"
    title = mark("CSV")
    extension = "csv"
    media_type = "text/csv; charset=utf-8"

    def write(
        self,
        records: Iterable[Record],
        task: str,
        *,
        conversation: Callable[[Record], list[Message]],
        comments: bool = False,
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
        return []


def _cell(annotation: dict[str, Any] | None, task: str) -> str:
    if annotation is None:
        return ""
    if task != "sentiment":
        return _dumps(annotation[_COLUMNS[task]])
    labels = annotation["labels"]
    return labels[0] if len(labels) == 1 and not labels[0].startswith("[") else _dumps(labels)


def _dumps(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
