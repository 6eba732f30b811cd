"""Lists that Python and numpy have printed into cells."""

import csv
import io
from typing import Any

import pytest

from app.formats import READERS, ReadOptions, Record, RowProblem
from app.formats.literals import parse_literal
from tests.unit.formats.reading import entities, labels


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("['B-PER', 'O']", ["B-PER", "O"]),
        ("['B-PER' 'O'\n 'O']", ["B-PER", "O", "O"]),
        ('["it\'s" \'a "b"\', "c"]', ["it's", 'a "b"', "c"]),
        ("array(['B-PER', 'O'], dtype=object)", ["B-PER", "O"]),
        ("[0 3 4]", [0, 3, 4]),
        ("[]", []),
        ("[(0, 3, 'PER')]", [(0, 3, "PER")]),
        ("[{'start': 0, 'end': 3, 'label': 'PER'}]", [{"start": 0, "end": 3, "label": "PER"}]),
    ],
)
def test_what_python_prints_is_read(cell: str, expected: Any) -> None:
    assert parse_literal(cell) == expected


@pytest.mark.parametrize(
    "cell",
    [
        "['a', ...]",
        "['a' ... 'b']",
        "[open('x')]",
        "[" * 5000 + "]" * 5000,
        "['a'",
        "[nan]",
        "[" + "1," * 200_000 + "]",
        "['\\x00']",
        "{[]: 1}",
    ],
)
def test_what_is_no_literal_is_refused_in_words(cell: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse_literal(cell)


def table(task: str, *rows: list[str], **options: Any) -> list[Record | RowProblem]:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    data = io.BytesIO(text.getvalue().encode())
    return list(READERS["csv"].read(data, task, ReadOptions(**options)))


def test_tokens_and_tags_of_a_table_that_pandas_wrote() -> None:
    (item,) = table(
        "ner", ["tokens", "ner_tags"], ["['Ada', \"isn't\", 'home']", "['B-PER' 'O' 'O']"]
    )
    assert entities(item) == [("Ada", "PER")]
    assert isinstance(item, Record)
    assert item.text == "Ada isn't home"


def test_spans_and_labels_of_a_table_that_pandas_wrote() -> None:
    (item,) = table("ner", ["text", "entities"], ["Ada left.", "[(0, 3, 'PER')]"])
    assert entities(item) == [("Ada", "PER")]
    (item,) = table("sentiment", ["text", "labels"], ["Ada left.", "['good', 'short']"])
    assert labels(item) == ["good", "short"]
    (item,) = table("ner", ["text", "entities"], ["Ada left.", "[(0, 3, 'PER'"])
    assert isinstance(item, RowProblem)
    assert "list that Python printed" in item.message
