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
from app.formats.named_columns import guess_mapping, read_json
from app.formats.one_hot import find_one_hot, merged
from app.formats.rows import read_row
from app.formats.shapes.base import a_guess
from app.formats.split_columns import find_split_column
from app.formats.tagged_words import are_words
from app.formats.word_tables import read_sentences, word_columns
from app.i18n import gettext as _

Cells = list[Any]
"""Of one row: texts, or what a spreadsheet's cells hold."""
_SAMPLE = 50
_SAMPLE_SIZE = 4 << 20
"""Characters."""
_MAX_NAME = 60
_MAX_LABEL = 40
_AGAIN = re.compile(r"\.\d+| \(\d+\)")
"""How a name goes on that stands twice in a table: as pandas writes it, and as `_unique` does."""
_NUMBER = re.compile(r"[+-]?(?:\d+(?:[.,]\d+)?|\.\d+)(?:[eE][+-]?\d+)?%?")
_WHOLE = re.compile(r"([+-]?\d+)\.0+")
_NO_PROSE = re.compile(r"\S*://\S*|[\[{].*[\]}]|[0-9a-fA-F-]{16,}|" + _NUMBER.pattern, re.DOTALL)
_SENTENCE = re.compile(r"[.!?,;:。！？，；：…](?:\s|$)|[。！？，；…]")
_TEXTS = ("text", "external_id", "split")
_MISSING = frozenset(
    ("nan", "NaN", "-nan", "-NaN", "<NA>", "N/A", "n/a", "#N/A", "#N/A N/A", "#NA", "NULL", "null", "#REF!", "#VALUE!")
)  # fmt: skip
"""What pandas, databases and spreadsheets write into a cell that says nothing."""
_SEPARATORS = ("|", ";", "#", ",", "、", "；", "，", "/")


@dataclass(frozen=True, slots=True)
class Table:
    """A table of which the names of the columns are known."""

    columns: list[str]
    rows: Iterator[tuple[int, Cells] | RowProblem]
    encoding: str = "utf-8"
    unused: tuple[str, ...] = ()
    """What of the file is no row: named with its first record."""
    label: str | None = None
    """The column of labels that was made of a column for each."""


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
    titles = _titles(front, options)
    unused = (*unused, *(_title(number, cells) for number, cells in titles))
    front = [row for row in front if row not in titles]
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
    table = with_labels_merged(table, task, options)
    if words_of := word_columns(table.columns, task, options):
        yield from read_sentences(_named(table), words_of, task, options)
        return
    front = _front(table.rows)
    sample = [row[1] for row in front if isinstance(row, tuple)]
    words = [list(map(_word, cells)) for cells in sample]
    mapping = table_mapping(table.columns, words, options, label=table.label)
    options = _with_separator(table, mapping, sample, task, options)
    unused = (*table.unused, *_guesses(table.columns, words, mapping, options))
    for row in _named(replace(table, rows=chain(front, table.rows))):
        if isinstance(row, RowProblem):
            yield row
            continue
        number, values = row
        missing = _plain(values, mapping, task, options)
        item = read_row(values, task, options, number, mapping)
        if missing and isinstance(item, Record):
            item = replace(item, unused=(*item.unused, missing))
        if unused and isinstance(item, Record):
            item, unused = replace(item, unused=(*unused, *item.unused)), ()
        yield item


def _named(table: Table) -> Iterator[tuple[int, dict[str, Any]] | RowProblem]:
    """The rows with the names of their cells, or what is wrong with them."""
    width = len(table.columns)
    for row in table.rows:
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
        elif problem := _unreadable(cells, table.encoding):
            yield RowProblem(number, problem)
        else:
            yield number, dict(zip(table.columns, cells, strict=True))


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


def _titles(
    front: list[tuple[int, Cells] | RowProblem], options: ReadOptions
) -> list[tuple[int, Cells]]:
    """The rows of one cell that stand above the row of names: the table's title, and what is noted below it."""
    if options.has_header is False:
        return []
    rows = [row for row in front if not isinstance(row, RowProblem)]
    is_row = [sum(bool(_word(cell).strip()) for cell in cells) > 1 for _number, cells in rows]
    if not any(is_row) or is_row[0]:
        return []
    below = is_row.index(True)
    table = [cells for _number, cells in rows[below:]]
    return rows[:below] if _has_header(table, options)[0] else []


def _title(number: int, cells: Cells) -> str:
    words = " ".join(filter(None, (_word(cell).strip() for cell in cells)))
    return _("row %(n)s, a title above the table: “%(words)s”", n=number, words=words[:100])


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
    columns: list[str],
    sample: list[list[str]],
    options: ReadOptions,
    *,
    label: str | None = None,
) -> dict[str, str]:
    """Which column is what: as the options say, by the names, else by what the first rows hold. `label` is the
    column that was made of one for each label.

    Raises InvalidInput for a column that the file has not.
    """
    mapping = guess_mapping(columns, options) | ({"label": label} if label else {})
    missing = sorted(set(mapping.values()) - set(columns))
    if missing:
        raise InvalidInput.at("columns", _("The file has no column “%(name)s”.", name=missing[0]))
    whole = [cells for cells in sample if len(cells) == len(columns)]
    if not whole:
        return mapping
    free = [column for column in columns if column not in mapping.values()]
    if "text" not in mapping and _holds_words(columns, mapping, whole):
        mapping["text"] = mapping["tokens"]
    if "text" not in mapping and "text" not in options.columns and free:
        mapping["text"] = _longest(columns, free, whole)
        free.remove(mapping["text"])
    is_open = "label" not in mapping and "label" not in options.columns
    if is_open and (labels := _like_labels(columns, mapping, whole)):
        mapping["label"] = labels[0]
    if "split" not in mapping and "split" not in options.columns:
        rows = [dict(zip(columns, cells, strict=True)) for cells in whole]
        if (split := find_split_column(columns, rows)) and split not in mapping.values():
            mapping["split"] = split
    return mapping


def _holds_words(columns: list[str], mapping: Mapping[str, str], sample: list[list[str]]) -> bool:
    """Whether the texts stand in the table as lists of words."""
    if "tokens" not in mapping:
        return False
    return are_words(read_json(sample[0][columns.index(mapping["tokens"])]))


def _longest(columns: list[str], free: list[str], sample: list[list[str]]) -> str:
    """The column with the most prose, else the most of anything."""
    sizes = {}
    for column in free:
        cells = [row[columns.index(column)] for row in sample]
        prose = sum(len(cell) for cell in cells if not _NO_PROSE.fullmatch(cell.strip()))
        sizes[column] = (prose, sum(map(len, cells)))
    return max(free, key=lambda column: sizes[column])


def _like_labels(
    columns: list[str], mapping: Mapping[str, str], sample: list[list[str]]
) -> list[str]:
    """The columns of no known name with few, short, repeated values: those that always say something, and not always
    the same, if there are any."""
    found: dict[str, bool] = {}
    taken = {column for role, column in mapping.items() if role != "label"}
    for place, column in enumerate(columns):
        if column in taken or is_known(column):
            continue
        values = [cells[place] for cells in sample]
        kinds = set(values)
        few = len(kinds) <= max(2, len(values) // 3)
        if few and 0 < max(map(len, values)) <= _MAX_LABEL:
            found[column] = len(kinds) > 1 and "" not in kinds
    return [column for column, is_good in found.items() if is_good == any(found.values())]


def _guesses(
    columns: list[str], sample: list[list[str]], mapping: Mapping[str, str], options: ReadOptions
) -> tuple[str, ...]:
    """What to say where nothing but its values says that a column is the label, and others have such values, too."""
    label = mapping.get("label")
    if label is None or "label" in options.columns:
        return ()
    again = [
        name
        for name in columns
        if _AGAIN.fullmatch(name.removeprefix(label)) and name.startswith(label)
    ]
    if again or is_known(label):
        return (a_guess(label, again),) if again else ()
    whole = [cells for cells in sample if len(cells) == len(columns)]
    others = [
        name
        for name in _like_labels(columns, mapping, whole)
        if name != label and len({cells[columns.index(name)] for cells in whole}) < len(whole)
    ]
    return (a_guess(label, others),) if others else ()


# -- the labels -----------------------------------------------------------------------------------


def with_labels_merged(table: Table, task: str, options: ReadOptions) -> Table:
    """The table with one column for the labels, where it has a column for each."""
    if task != "sentiment":
        return table
    front = _front(table.rows)
    found = find_one_hot(table.columns, [row[1] for row in front if isinstance(row, tuple)])
    chosen = options.columns.get("label")
    if not found or set(found) & set(options.columns.values()):
        return replace(table, rows=chain(front, table.rows))
    columns, rows = merged(table.columns, front, table.rows, found)
    if chosen is not None:
        return replace(table, columns=columns, rows=rows)
    said = _(
        "columns that say 0 or 1, each taken for a label (a guess): %(names)s",
        names=", ".join(found)[:1000],
    )
    return replace(
        table, columns=columns, rows=rows, unused=(*table.unused, said), label=columns[-1]
    )


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
) -> str | None:
    """Text is text, and what pandas and spreadsheets make of whole numbers and of nothing is a whole number and
    nothing; the word for nothing is named."""
    missing = None
    for role, column in mapping.items():
        cell = values[column]
        if isinstance(cell, bool) or (role in _TEXTS and not isinstance(cell, str)):
            values[column] = _word(cell)
        elif role == "label" and isinstance(cell, str) and task == "sentiment":
            if cell.strip() in options.label_map:
                continue
            if match := _WHOLE.fullmatch(cell.strip()):
                values[column] = match[1]
            elif cell.strip() in _MISSING:
                values[column] = ""
                missing = _("“%(word)s”, taken for no label", word=cell.strip())
    return missing
