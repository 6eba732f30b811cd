"""Columns that say a split and are called something else: `set`, `subset`, `fold`, `is_test`.

Such a name may as well say something else, so the first rows decide: where one of them has a word for a split, the
column is one, and another word in it is wrong.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from app.formats.base import is_split
from app.formats.headers import fold

_NAMES = frozenset(
    ("set", "subset", "partition", "fold", "data_split", "dataset_split", "dataset", "split_name", "usage", "phase")
)  # fmt: skip
_FLAGS = {
    "is_test": "test",
    "istest": "test",
    "is_validation": "validation",
    "is_valid": "validation",
    "is_val": "validation",
    "is_dev": "validation",
    "is_train": "train",
    "is_training": "train",
    "istrain": "train",
}
"""Columns that say yes or no of one split, the one that is hardest to leak from first."""
_YES, _NO = frozenset({"1", "true", "yes", "1.0"}), frozenset({"0", "false", "no", "0.0"})


def find_split_column(columns: Iterable[str], rows: Iterable[Mapping[str, Any]]) -> str | None:
    """The column that says the split of the rows, the first of which are given, if one does."""
    wanted = {name for name in columns if fold(name) in _NAMES or fold(name) in _FLAGS}
    if not wanted:
        return None
    sample = list(rows)
    for column in wanted:
        values = [row.get(column) for row in sample]
        if fold(column) in _NAMES and any(map(is_split, values)):
            return column
    flags = [name for name in _FLAGS for column in wanted if fold(column) == name]
    for flag in flags:
        column = next(column for column in wanted if fold(column) == flag)
        said = {_flag(row.get(column)) for row in sample} - {""}
        if said and said <= _YES | _NO:
            return column
    return None


def read_split_column(column: str, row: Mapping[str, Any]) -> Any:
    """What a row says of its split. Of a test set that is marked with yes and no, all else is to train on; of
    several such columns the first that says yes decides."""
    if fold(column) not in _FLAGS:
        return row.get(column)
    said = {fold(name): _flag(row[name]) for name in row if fold(name) in _FLAGS}
    unknown = next((word for word in said.values() if word not in _YES | _NO | {""}), None)
    if unknown is not None:
        return unknown
    if yes := next((name for name in _FLAGS if said.get(name) in _YES), None):
        return _FLAGS[yes]
    if not any(said.values()):
        return None
    denied = {_FLAGS[name] for name, word in said.items() if word in _NO}
    return next((split for split in ("train", "test", "validation") if split not in denied), None)


def _flag(value: Any) -> str:
    return "" if value is None or value != value else str(value).strip().lower()
