"""Parquet files of others: types that JSON lacks, and the names of numbered labels."""

import datetime
import io
import json
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from app.formats import READERS, ReadOptions, Record, preview
from tests.unit.formats.reading import entities, labels


def written(table: pa.Table) -> io.BytesIO:
    sink = io.BytesIO()
    pq.write_table(table, sink)
    sink.seek(0)
    return sink


def read(table: pa.Table, task: str = "sentiment") -> list[Record]:
    items = list(READERS["parquet"].read(written(table), task, ReadOptions()))
    assert all(isinstance(item, Record) for item in items), items
    return [item for item in items if isinstance(item, Record)]


def with_features(table: pa.Table, **features: Any) -> pa.Table:
    info = json.dumps({"info": {"features": features}})
    return table.replace_schema_metadata({"huggingface": info})


PER = {"names": ["O", "B-PER", "I-PER"], "_type": "ClassLabel"}


def test_types_that_json_lacks_are_kept_as_text_and_bytes_are_named() -> None:
    noon = datetime.datetime(2024, 1, 31, 12)  # noqa: DTZ001 - a column without a zone
    table = pa.table(
        {
            "text": ["a"],
            "when": pa.array([noon], pa.timestamp("us")),
            "there": pa.array([noon], pa.timestamp("ms", tz="Nowhere/Unknown")),
            "price": pa.array([Decimal("1.50")]),
            "days": pa.array([[datetime.date(2024, 1, 31)]]),
            "more": pa.array([{"at": noon, "n": 1}]),
            "image": pa.array([{"bytes": b"\0", "path": "p"}]),
            "raw": pa.array([b"\0"]),
        }
    )
    (item,) = read(table)
    assert item.unused == ("image", "raw")
    assert item.meta == {
        "when": "2024-01-31T12:00:00",
        "there": "2024-01-31T12:00:00Z",
        "price": "1.50",
        "days": ["2024-01-31"],
        "more": {"at": "2024-01-31 12:00:00.000000", "n": 1},
    }


def test_labels_of_every_type() -> None:
    for column, expected in (
        (pa.array([True, None]), [["True"], None]),
        (pa.array([1.0, float("nan")]), [["1"], None]),
        (pa.array(["a", "b"]).dictionary_encode(), [["a"], ["b"]]),
    ):
        items = read(pa.table({"text": ["x", "y"], "label": column}))
        assert [labels(item) for item in items] == expected


def test_numbered_labels_have_the_names_of_the_schema() -> None:
    mood = {"names": ["calm", "sad"], "_type": "ClassLabel"}
    table = with_features(pa.table({"text": ["x", "y"], "label": [1, -1]}), label=mood)
    assert [labels(item) for item in read(table)] == [["sad"], None]


def test_numbered_tags_have_the_names_of_the_schema() -> None:
    table = pa.table({"tokens": [["Lea", "Bo", "ran"]], "ner_tags": [[1, 2, -100]]})
    for feature in (
        {"feature": PER, "_type": "List"},
        {"feature": PER, "_type": "Sequence", "length": -1},
        [PER],
    ):
        (item,) = read(with_features(table, ner_tags=feature), "ner")
        assert entities(item) == [("Lea Bo", "PER")]
        assert item.unused == ()


def test_spans_as_an_object_of_lists() -> None:
    spans = {"start": [0], "end": [3], "label": [1]}
    names = {"names": ["LOC", "PER"], "_type": "ClassLabel"}
    feature = {"feature": {"start": {"_type": "Value"}, "label": names}, "_type": "Sequence"}
    table = with_features(pa.table({"text": ["Lea ran"], "entities": [spans]}), entities=feature)
    assert entities(read(table, "ner")[0]) == [("Lea", "PER")]


def test_a_schema_that_says_nonsense_is_passed_over() -> None:
    for feature in (3, [], {"names": 3, "_type": "ClassLabel"}, {"_type": "List"}, [[[]]]):
        table = with_features(pa.table({"text": ["x"], "label": [0]}), label=feature)
        assert labels(read(table)[0]) == ["0"]


def test_columns_of_other_names_can_be_chosen() -> None:
    found = preview(
        written(pa.table({"said": ["x"], "mood": ["calm"]})), "parquet", "sentiment", ReadOptions()
    )
    assert found.columns == {"said": ["x"], "mood": ["calm"]}
    assert "said" in found.problems[0].message
