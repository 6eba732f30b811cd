"""How a delimited file is written: what divides its cells, and what its quotation marks mean.

Found by trial: of the ways to read its beginning, the one in which its rows have the same number of cells.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from app.formats.headers import is_known

Quotes = Literal["doubled", "escaped", "bare"]

_DELIMITERS = "\t,;|"
_LINES = 200
_SEP = re.compile(r"\ufeff?sep=(.)\r?\n?$")
_LONE = re.compile(r"\\\\|\\(?!\")")
"""Two backslashes, which stand for one, or one before anything but a quotation mark."""
_MAX_TITLES = 10
"""Lines above a table's names that are looked through."""
_TAB_AHEAD = 0.3
"""Tabs are hardly ever anything else."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How the cells of a file are divided and quoted."""

    delimiter: str
    quotes: Quotes = "doubled"
    """A quotation mark within quotes is doubled (RFC 4180), has a backslash before it, or none has a meaning."""
    skipped: int = 0
    """Lines before the first row: Excel's `sep=;`."""

    def reader(self, lines: Iterable[str]) -> Iterator[list[str]]:
        """The rows of these lines. Strict: what would be bent in silence raises csv.Error."""
        if self.quotes == "bare":
            return csv.reader(lines, delimiter=self.delimiter, quoting=csv.QUOTE_NONE)
        if self.quotes == "escaped":
            # A backslash before anything but a quotation mark is one: that of a path, or of a formula.
            return csv.reader(
                (_LONE.sub(r"\\\\", line) for line in lines),
                delimiter=self.delimiter,
                strict=True,
                doublequote=False,
                escapechar="\\",
            )
        return csv.reader(lines, delimiter=self.delimiter, strict=True)


@dataclass(frozen=True, slots=True)
class _Trial:
    """The beginning of a file as a dialect reads it."""

    dialect: Dialect
    rows: list[list[str]]
    errors: int

    @property
    def even(self) -> float:
        """The share of rows that have the usual number of cells, if that is more than one."""
        width, count = Counter(map(len, self.rows)).most_common(1)[0] if self.rows else (1, 0)
        return count / (len(self.rows) + self.errors) if width > 1 else 0.0


def sniff_dialect(head: str, delimiter: str | None = None, *, is_cut: bool = False) -> Dialect:
    """The dialect of a file that begins like this. `is_cut`: the last line may not be whole."""
    # Not str.splitlines(), for which a line separator within a cell ends a line.
    lines = list(islice(io.StringIO(head, newline=""), _LINES + 1))
    skipped = 0
    if lines and (told := _SEP.match(lines[0])):
        delimiter, skipped, lines = delimiter or told[1], 1, lines[1:]
    if is_cut or len(lines) > _LINES:
        lines = lines[:-1] or lines
    first = lines[0] if lines else ""
    candidates = [delimiter] if delimiter else [d for d in _DELIMITERS if d in first]
    candidates = candidates or [d for d in _DELIMITERS if _begins_below(lines, d)] or [","]
    trials = [_best_quotes(lines, candidate, skipped) for candidate in candidates]
    return max(trials, key=lambda trial: _rank(trial, first)).dialect


def _begins_below(lines: list[str], delimiter: str) -> bool:
    """Whether a row of names stands below a title: the first of several lines that hold this delimiter."""
    below = next((n for n, line in enumerate(lines[:_MAX_TITLES]) if delimiter in line), 0)
    if not below:
        return False
    trial = _try(lines[below:], Dialect(delimiter))
    return trial.even > 0.8 and any(map(is_known, trial.rows[0]))


def begins_as_table(lines: list[str]) -> bool:
    """Whether these lines are rows of as many cells as there are names in the first, some of them known."""
    dialect = sniff_dialect("\n".join(lines))
    trial = _try([line + "\n" for line in lines[dialect.skipped :]], dialect)
    return (
        len(trial.rows) > 1
        and trial.even > 0.8
        and any(map(is_known, trial.rows[0]))
        and all(0 < len(name) < 60 for name in trial.rows[0])
    )


def _rank(trial: _Trial, first: str) -> tuple[float, int]:
    mark = trial.dialect.delimiter
    return round(trial.even + _TAB_AHEAD * (mark == "\t"), 1), first.count(mark)


def _best_quotes(lines: list[str], delimiter: str, skipped: int) -> _Trial:
    doubled = _try(lines, Dialect(delimiter, "doubled", skipped))
    if delimiter == "\t":
        bare = _try(lines, Dialect(delimiter, "bare", skipped))
        return doubled if _are_quotes_meant(doubled, bare) else bare
    if doubled.errors and any('\\"' in line for line in lines):
        escaped = _try(lines, Dialect(delimiter, "escaped", skipped))
        if (escaped.errors, -escaped.even) < (doubled.errors, -doubled.even):
            return escaped
    return doubled


def _try(lines: list[str], dialect: Dialect) -> _Trial:
    reader = dialect.reader(iter(lines))
    rows: list[list[str]] = []
    errors = 0
    while True:
        try:
            row = next(reader, None)
        except csv.Error as error:
            # The last cell may go on where the beginning ends.
            errors += "unexpected end" not in str(error) or not rows
            continue
        if row is None:
            return _Trial(dialect, rows, errors)
        if any(row):
            rows.append(row)


def _are_quotes_meant(doubled: _Trial, bare: _Trial) -> bool:
    """Whether quotation marks wrap cells, as spreadsheets write them, and are no part of the texts: the field's TSV
    files hold bare ones. Spreadsheets quote what needs it, other programs all cells of a column."""
    if doubled.errors or not any('"' in cell for row in bare.rows for cell in row):
        return False
    if len(doubled.rows) < len(bare.rows):  # cells of several lines
        return doubled.even > bare.even
    if any(
        '"' in cell for row in doubled.rows for cell in row
    ):  # it was doubled, or stands within a cell
        return _doubles(bare) and not _one_sided(bare)
    return any(map(_is_wrapped, _columns(bare.rows[1:] or bare.rows)))


def _doubles(bare: _Trial) -> bool:
    return any(_wraps(cell) and '""' in cell[1:-1] for row in bare.rows for cell in row)


def _one_sided(bare: _Trial) -> bool:
    return any(cell[:1] == '"' and not _wraps(cell) for row in bare.rows for cell in row)


def _wraps(cell: str) -> bool:
    return len(cell) > 1 and cell[0] == cell[-1] == '"'


def _columns(rows: list[list[str]]) -> Iterator[list[str]]:
    for place in range(max(map(len, rows), default=0)):
        yield [row[place] for row in rows if place < len(row)]


def _is_wrapped(column: list[str]) -> bool:
    return all(map(_wraps, column))
