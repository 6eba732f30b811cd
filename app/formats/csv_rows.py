"""The rows of a delimited file, each with its first line. One with a wrong quotation mark costs only itself."""

import csv
import io
import re
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice

from app.errors import InvalidInput
from app.formats.base import RowProblem
from app.formats.bounds import MAX_ROW, read_lines, too_long
from app.formats.dialect import Dialect
from app.i18n import gettext as _

# A cell may hold a whole document.
csv.field_size_limit(MAX_ROW)
_AHEAD = 200
"""Lines that may belong to a broken row."""
_MAX_LONG = 20
"""Broken rows that go on for a megabyte and more: each is read twice."""

Row = tuple[int, list[str]]


def read_rows(lines: io.TextIOBase, dialect: Dialect) -> Iterator[Row | RowProblem]:
    """(line number, cells) of each row that is not empty, or what is wrong with it. Raises InvalidInput."""
    source = _Lines(lines)
    for _line in islice(source, dialect.skipped):
        source.begin_row()
    reader = dialect.reader(source)
    try:
        while True:
            try:
                cells = next(reader, None)
            except (csv.Error, _TooLong):
                yield _broken(source, dialect.delimiter)
                continue
            if cells is None:
                return
            if any(cells):
                yield source.start, cells
            source.begin_row()
    finally:
        with suppress(ValueError):  # the caller may have closed it already
            lines.detach()  # else it would close the caller's stream with itself


class _TooLong(Exception):
    """More lines than a row may have."""


class _Lines:
    """Lines for the csv module, as many for one row as a row may be long, which can be given back."""

    def __init__(self, lines: io.TextIOBase) -> None:
        self._lines = read_lines(lines)
        self._again: deque[str] = deque()
        self.start = 1
        """Where the row begins."""
        self.row: list[str] = []
        self._size = self._long = 0

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else next(self._lines)
        self.row.append(line)
        self._size += len(line)
        if self._size > MAX_ROW:
            if len(self.row) == 1:
                raise too_long(self.start)
            raise _TooLong
        return line

    def begin_row(self) -> None:
        """The next line begins a new row."""
        self.start += len(self.row)
        self.row, self._size = [], 0

    def keep(self, count: int) -> None:
        """Only so many lines belong to the row; those behind them are still to come."""
        self._again.extendleft(reversed(self.row[count:]))
        self._long += self._size > 1 << 20
        if self._long > _MAX_LONG:
            raise InvalidInput.at(
                f"row {self.start}",
                _(
                    "Too many quotation marks are not closed. The last is in row %(n)s.",
                    n=self.start,
                ),
            )
        del self.row[count:]

    def ahead(self) -> Iterator[str]:
        """Lines that are still to come, some of them."""
        while len(self._again) < _AHEAD and (line := next(self._lines, None)) is not None:
            self._again.append(line)
        return islice(self._again, _AHEAD)


def _broken(source: _Lines, delimiter: str) -> RowProblem:
    """What to say of the row; those behind it are read again."""
    start, first, spanned = source.start, source.row[0], len(source.row)
    source.keep(1)
    more = _rest(first, source.ahead(), delimiter)
    for _line in islice(source, more):
        pass
    source.begin_row()
    if more:
        sentence = _(
            "Rows %(n)s to %(m)s cannot be told apart: a quotation mark within a quoted cell must be doubled.",
            n=start,
            m=start + more,
        )
    elif spanned > 1:
        sentence = _("The quotation mark that opens here is not closed.")
    elif first.count('"') % 2:
        sentence = _(
            "A quotation mark that opens here is not closed, or not followed by the next cell."
        )
    else:
        sentence = _(
            "A quotation mark stands within a quoted cell: double it there, or put a backslash before each in the "
            "whole file."
        )
    return RowProblem(start, sentence, is_several=more > 0)


def _rest(first: str, ahead: Iterator[str], delimiter: str) -> int:
    """How many of the lines behind a broken one belong to it: those up to one that closes a cell it did not open."""
    if first.count('"') % 2 == 0:
        return 0
    opens = re.compile(rf'^\s*"|{re.escape(delimiter)}\s*"')
    for number, line in enumerate(ahead, 1):
        if line.count('"') % 2:
            opening = opens.search(line)
            return number if opening is None or opening.end() - 1 > line.index('"') else 0
    return 0
