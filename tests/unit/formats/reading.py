"""Reading rows that a test writes down."""

import io
import json
from typing import Any

from app.formats import READERS, ReadOptions, Record, RowProblem

Item = Record | RowProblem


def read_rows(task: str, *rows: Any, **options: Any) -> list[Item]:
    """The rows as lines of JSON, and as an array: both readers take them alike."""
    found = [
        list(READERS[name].read(io.BytesIO(data.encode()), task, ReadOptions(**options)))
        for name, data in (
            ("jsonl", "".join(json.dumps(row) + "\n" for row in rows)),
            ("json", json.dumps(list(rows))),
        )
    ]
    assert found[0] == found[1]
    return found[0]


def read_row(task: str, row: Any, **options: Any) -> Record:
    """The one row, which is right."""
    (item,) = read_rows(task, row, **options)
    assert isinstance(item, Record), item
    return item


def problem(task: str, row: Any, **options: Any) -> str:
    """What is wrong with the one row."""
    (item,) = read_rows(task, row, **options)
    assert isinstance(item, RowProblem), item
    return item.message


def entities(item: Item) -> list[tuple[str, str]] | None:
    """(words, label) of each; None where the row is not labelled."""
    assert isinstance(item, Record), item
    if item.annotation is None:
        return None
    return [(item.text[s["start"] : s["end"]], s["label"]) for s in item.annotation["spans"]]


def labels(item: Item) -> list[str] | None:
    assert isinstance(item, Record), item
    return None if item.annotation is None else item.annotation["labels"]
