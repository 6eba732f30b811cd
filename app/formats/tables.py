"""Tables, whatever file they come from: which row holds the names, which column is what, and each row as a record."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

from app.errors import InvalidInput
from app.formats.base import ReadOptions, Record, RowProblem
from app.formats.bounds import MAX_COLUMNS, batched
from app.formats.encoding import unreadable
from app.formats.headers import is_known
from app.formats.named_columns import guess_mapping
from app.formats.rows import read_row
from app.i18n import gettext as _

Cells = list[Any]
"""Of one row: texts, or what a spreadsheet's cells hold."""
_SAMPLE = 50
_SAMPLE_SIZE = 4 << 20
"""Characters."""
_MAX_NAME = 60
_MAX_LABEL = 40
_NUMBER = re.compile(r"[+-]?(?:\d+(?:[.,]\d+)?|\.\d+)(?:[eE][+-]?\d+)?%?")
_WHOLE = re.compile(r"([+-]?\d+)\.0+")
_NO_PROSE = re.compile(r"\S*://\S*|[\[{].*[\]}]|[0-9a-fA-F-]{16,}|" + _NUMBER.pattern, re.DOTALL)
_SENTENCE = re.compile(r"[.!?,;:。！？，；：…](?:\s|$)|[。！？，；…]")
_TEXTS = ("text", "external_id", "split")
_SEPARATORS = ("|", ";", "#", ",", "、", "；", "，", "/")


@dataclass(frozen=True, slots=True)
class Table:
    """A table of which the names of the columns are known."""

    columns: list[str]
    rows: Iterator[tuple[int, Cells] | RowProblem]
    encoding: str = "utf-8"
    unused: tuple[str, ...] = ()
    """What of the file is no row: named with its first record."""


def make_table(
    rows: Iterator[tuple[int, Cells] | RowProblem],
    options: ReadOptions,
    *,
    encoding: str = "utf-8",
    unused: tuple[str, ...] = (),
) -> Table:
    """The table that these rows are, the first of which may hold the columns' names. Columns without names are
    1, 2, … Raises InvalidInput."""
    front = _front(rows)
    first = next((row for row in front if not isinstance(row, RowProblem)), None)
    if first is None:
        if front:
            return Table([], chain(front, rows), encoding, unused)
        raise InvalidInput.at("file", _("The file is empty."))
    number, cells = first
    if len(cells) > MAX_COLUMNS:
        raise InvalidInput.at(
            "file",
            _(
                "The file has %(n)s columns; at most %(m)s can be read.",
                n=len(cells),
                m=MAX_COLUMNS,
            ),
        )
    has_header, is_certain = _has_header(
        [row[1] for row in front if isinstance(row, tuple)], options
    )
    if not has_header:
        return Table(
            [str(i) for i in range(1, len(cells) + 1)], chain(front, rows), encoding, unused
        )
    names = [_word(cell).strip() for cell in cells]
    for name in names:
        if problem := unreadable(name, encoding):
            raise InvalidInput.at(f"row {number}", problem)
    if not is_certain:
        taken = ", ".join(name[:_MAX_NAME] for name in names)
        unused = (
            *unused,
            _("row %(n)s, taken for the names of the columns: %(names)s", n=number, names=taken),
        )
    front.remove(first)
    columns = _unique([name or str(i) for i, name in enumerate(names, 1)])
    return Table(columns, chain(front, rows), encoding, unused)


def read_records(table: Table, task: str, options: ReadOptions) -> Iterator[Record | RowProblem]:
    """Each row as a record, or what is wrong with it. Raises InvalidInput for a column that there is not."""
    front = _front(table.rows)
    width = len(table.columns)
    sample = [row[1] for row in front if isinstance(row, tuple)]
    mapping = table_mapping(table.columns, [list(map(_word, cells)) for cells in sample], options)
    options = _with_separator(table, mapping, sample, task, options)
    unused = table.unused
    for row in chain(front, table.rows):
        if isinstance(row, RowProblem):
            yield row
            continue
        number, cells = row
        if len(cells) > width and not any(cells[width:]):
            cells = cells[:width]
        if len(cells) != width:
            sentence = _(
                "The row has %(n)s cells, but there are %(m)s columns. Is a quotation mark missing?",
                n=len(cells),
                m=width,
            )
            yield RowProblem(number, sentence)
            continue
        words = (cell for cell in cells if isinstance(cell, str))
        if problem := next(
            filter(None, (unreadable(word, table.encoding) for word in words)), None
        ):
            yield RowProblem(number, problem)
            continue
        values = dict(zip(table.columns, cells, strict=True))
        _plain(values, mapping, task, options)
        item = read_row(values, task, options, number, mapping)
        if unused and isinstance(item, Record):
            item, unused = replace(item, unused=(*unused, *item.unused)), ()
        yield item


def _unreadable(cells: Cells, encoding: str) -> str | None:
    words = [cell for cell in cells if isinstance(cell, str)]
    if unreadable("\n".join(words), encoding) is None:
        return None
    return next(filter(None, (unreadable(word, encoding) for word in words)))


def read_sample(rows: Iterable[tuple[int, Cells] | RowProblem]) -> list[tuple[int, list[str]]]:
    """Some rows from the front, fewer if they are long."""
    return [
        (row[0], list(map(_word, row[1])))
        for row in _front(iter(rows))
        if not isinstance(row, RowProblem)
    ]


def _front(
    rows: Iterator[tuple[int, Cells] | RowProblem],
) -> list[tuple[int, Cells] | RowProblem]:
    by_size = batched(rows, count=_SAMPLE, weight=_SAMPLE_SIZE, weigh=_weight)
    return next(by_size, [])


def _weight(row: tuple[int, Cells] | RowProblem) -> int:
    return 0 if isinstance(row, RowProblem) else sum(len(_word(cell)) for cell in row[1])


def _word(cell: object) -> str:
    return cell if isinstance(cell, str) else "" if cell is None else str(cell)


# -- the names ------------------------------------------------------------------------------------


def _has_header(rows: list[Cells], options: ReadOptions) -> tuple[bool, bool]:
    """(whether the first row holds names, whether that is certain): as the options say, else by the names, else by
    what the columns hold."""
    if options.has_header is not None:
        return options.has_header, True
    first = [_word(cell).strip() for cell in rows[0]]
    if set(first) & set(options.columns.values()):
        return True, True
    rest = [list(map(_word, cells)) for cells in rows[1:] if len(cells) == len(first)]
    columns = [[cells[place].strip() for cells in rest] for place in range(len(first))]
    if max(map(len, first), default=0) < _MAX_NAME and any(
        is_known(name) and name not in column for name, column in zip(first, columns, strict=True)
    ):
        return True, True
    if not rest:
        return False, True
    votes = sum(_votes_for_name(*pair) for pair in zip(first, columns, strict=True))
    votes -= 0.5 + (len(set(first)) < len(first))
    return votes > 0, abs(votes) >= 1.5


def _votes_for_name(cell: str, column: list[str]) -> float:
    """How much a column speaks for a first cell that is its name (above 0), or one of its values (below)."""
    values = [value for value in column if value]
    if not cell or not values:
        return 0.0
    if _NUMBER.fullmatch(cell):
        return -4.0
    if cell in values:
        return -3.0
    if len(cell) >= _MAX_NAME or _SENTENCE.search(cell):
        return -3.0
    votes = 0.5
    if all(map(_NUMBER.fullmatch, values)):
        votes += 3.0
    elif len(values) >= 6 and len(set(values)) <= len(values) // 3:
        votes += 1.5  # a name that is none of a few values
    mean = sum(map(len, values)) / len(values)
    if len(cell) <= mean / 2 and " " not in cell:
        votes += 1.5
    elif " " in cell and len(cell) > mean * 0.7:
        votes -= 1.0
    return votes


def _unique(names: list[str]) -> list[str]:
    seen: dict[str, int] = {}
    for place, name in enumerate(names):
        seen[name] = seen.get(name, 0) + 1
        if seen[name] > 1:
            names[place] = f"{name} ({seen[name]})"
    return names


# -- what the columns are -------------------------------------------------------------------------


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
    if not whole:
        return mapping
    free = [column for column in columns if column not in mapping.values()]
    if "text" not in mapping and "text" not in options.columns and free:
        mapping["text"] = _longest(columns, free, whole)
        free.remove(mapping["text"])
    if "label" not in mapping and "label" not in options.columns:
        label = _repeated(columns, [name for name in free if not is_known(name)], whole)
        if label is not None:
            mapping["label"] = label
    return mapping


def _longest(columns: list[str], free: list[str], sample: list[list[str]]) -> str:
    """The column with the most prose, else the most of anything."""
    sizes = {}
    for column in free:
        cells = [row[columns.index(column)] for row in sample]
        prose = sum(len(cell) for cell in cells if not _NO_PROSE.fullmatch(cell.strip()))
        sizes[column] = (prose, sum(map(len, cells)))
    return max(free, key=lambda column: sizes[column])


def _repeated(columns: list[str], free: list[str], sample: list[list[str]]) -> str | None:
    """The column with few, short, repeated values; one that always says something, and not always the same, first."""
    found: list[tuple[bool, str]] = []
    for column in free:
        values = [cells[columns.index(column)] for cells in sample]
        kinds = set(values)
        few = len(kinds) <= max(2, len(values) // 3)
        if few and 0 < max(map(len, values)) <= _MAX_LABEL:
            found.append((len(kinds) > 1 and "" not in kinds, column))
    return max(found, key=lambda item: item[0])[1] if found else None


# -- the labels -----------------------------------------------------------------------------------


def _with_separator(
    table: Table, mapping: Mapping[str, str], sample: list[Cells], task: str, options: ReadOptions
) -> ReadOptions:
    """The options with what divides the labels of a cell, where the column itself proves it."""
    if task != "sentiment" or options.label_separator or "label" not in mapping:
        return options
    place = table.columns.index(mapping["label"])
    cells = {_word(row[place]).strip() for row in sample if place < len(row)}
    separator = find_separator(cells)
    return options.model_copy(update={"label_separator": separator}) if separator else options


def find_separator(cells: set[str]) -> str | None:
    """What divides several labels in one cell: a mark whose parts all stand alone, too, or with others; None if no
    mark does. “sci/tech” may be one label."""
    for mark in _SEPARATORS:
        several = [[part.strip() for part in cell.split(mark)] for cell in cells if mark in cell]
        alone = {cell for cell in cells if mark not in cell}
        if not several or any(cell.startswith(("[", "{")) for cell in cells):
            continue
        places: dict[str, int] = {}
        for part in chain.from_iterable(several):
            places[part] = places.get(part, 0) + 1
        if all(part and (part in alone or count > 1) for part, count in places.items()) and (
            alone & set(places) or len(several) > 2
        ):
            return mark
    return None


def _plain(
    values: dict[str, Any], mapping: Mapping[str, str], task: str, options: ReadOptions
) -> None:
    """Text is text, and what pandas makes of whole numbers and of nothing is a whole number and nothing."""
    for role, column in mapping.items():
        cell = values[column]
        if isinstance(cell, bool) or (role in _TEXTS and not isinstance(cell, str)):
            values[column] = _word(cell)
        elif role == "label" and isinstance(cell, str) and task == "sentiment":
            if cell.strip() in options.label_map:
                continue
            if match := _WHOLE.fullmatch(cell.strip()):
                values[column] = match[1]
            elif cell.strip() in ("nan", "NaN", "<NA>"):
                values[column] = ""
