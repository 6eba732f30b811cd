"""Tables with a column for each label, 1 where a text has it: as Jigsaw's comments and GoEmotions are published.

    comment_text,toxic,obscene,insult
    "You fool",1,0,1

The columns become one: {"toxic": 1, "obscene": 0, "insult": 1}.
"""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

from app.formats.base import RowProblem
from app.formats.headers import find, is_known
from app.i18n import gettext as _

_BETWEEN = " + "
_MAX_SHOWN = 5
_YES, _NO = frozenset({"1", "1.0", "true"}), frozenset({"0", "0.0", "false"})
_NO_LABELS = ("is_", "has_", "was_", "num_", "n_")
"""How names begin of columns that say yes or no of something else."""
Cells = list[Any]
Rows = Iterator[tuple[int, Cells] | RowProblem]


def find_one_hot(columns: Sequence[str], sample: Sequence[Cells]) -> list[str]:
    """The columns that have a label each: three or more that say 0 and 1 alone, or two of which each row has one,
    where no other column is called a label. None if there are none."""
    whole = [list(map(_word, cells)) for cells in sample if len(cells) == len(columns)]
    if not whole or find("label", columns):
        return []
    found = [
        column
        for place, column in enumerate(columns)
        if _is_name(column) and {cells[place] for cells in whole} <= _YES | _NO
    ]
    rows = [[cells[columns.index(column)] in _YES for column in found] for cells in whole]
    if len(found) < 2 or not any(map(any, rows)):
        return []
    return found if len(found) > 2 or all(sum(row) == 1 for row in rows) else []


def name_of(found: Sequence[str]) -> str:
    """What the one column is called that they become."""
    more = [_("%(n)s more", n=len(found) - _MAX_SHOWN)] if len(found) > _MAX_SHOWN else []
    return _BETWEEN.join([*found[:_MAX_SHOWN], *more])


def merged(
    columns: Sequence[str], front: Sequence[Any], rows: Rows, found: Sequence[str]
) -> tuple[list[str], Rows]:
    """(columns, rows) with one column at the end in place of those."""
    places = [columns.index(column) for column in found]
    kept = [place for place in range(len(columns)) if place not in set(places)]
    names = [*(columns[place] for place in kept), name_of(found)]

    def merge(row: tuple[int, Cells] | RowProblem) -> tuple[int, Cells] | RowProblem:
        if isinstance(row, RowProblem) or len(row[1]) < len(columns):
            return row
        number, cells = row
        said: dict[str, int] = {}
        for place in places:
            word = _word(cells[place])
            if word not in _YES | _NO:
                return RowProblem(
                    number,
                    _(
                        "The column of a label must say 0 or 1, not “%(value)s”.",
                        value=word[:100],
                    ),
                    columns[place],
                )
            said[columns[place]] = int(word in _YES)
        return number, [*(cells[place] for place in kept), said, *cells[len(columns) :]]

    return names, (merge(row) for row in chain(front, rows))


def _word(cell: Any) -> str:
    return "" if cell is None else str(cell).strip().lower()


def _is_name(column: str) -> bool:
    lowered = column.lower()
    return not (column.isdecimal() or lowered.startswith(_NO_LABELS) or is_known(column))
