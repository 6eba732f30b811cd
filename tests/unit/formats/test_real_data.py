"""Real files of the field, with the counts that their sources state. Skips where the data is not at hand."""

import os
from pathlib import Path
from typing import Any

import pytest

from app.formats import READERS, ReadOptions, Record, RowProblem, guess_format, preview

FOLDER = Path(os.environ.get("ANNOTUNE_TEST_DATA") or Path(__file__).parents[4] / "shared" / "data")


def load(path: str, task: str, **options: Any) -> tuple[list[Record], list[RowProblem]]:
    """The records and the wrong rows of a file, in the format that is guessed for it."""
    file = FOLDER / path
    if not file.exists():
        pytest.skip(f"{path} is not in the folder of real data (ANNOTUNE_TEST_DATA)")
    with file.open("rb") as stream:
        name = guess_format(file.name, stream.read(1 << 16), task)
        stream.seek(0)
        items = list(READERS[name].read(stream, task, ReadOptions(**options)))
    return (
        [item for item in items if isinstance(item, Record)],
        [item for item in items if isinstance(item, RowProblem)],
    )


def count(records: list[Record], key: str) -> int:
    return sum(len((record.annotation or {}).get(key, ())) for record in records)


@pytest.mark.parametrize(
    ("path", "task", "examples", "spans"),
    [
        ("sst2/dev.tsv", "sentiment", 872, None),
        ("waimai_10k/waimai_10k.csv.gz", "sentiment", 11_987, None),
        ("shopping_xls/neg.xls.gz", "sentiment", 10_428, None),
        ("wnut17/wnut17train.conll.gz", "ner", 3_394, None),
        ("wnut17/emerging.dev.conll.gz", "ner", 1_009, None),
        ("cluener/train.json.gz", "ner", 10_748, 23_971),
    ],
)
def test_rows_and_entities(path: str, task: str, examples: int, spans: int | None) -> None:
    records, wrong = load(path, task)
    assert not wrong
    assert len(records) == examples
    assert all(record.annotation is not None for record in records) or path.endswith(".xls.gz")
    if spans is not None:
        assert count(records, "spans") == spans


def test_no_character_of_a_chinese_file_is_lost() -> None:
    import csv
    import gzip

    path = FOLDER / "waimai_10k/waimai_10k.csv.gz"
    records, _wrong = load("waimai_10k/waimai_10k.csv.gz", "sentiment")
    with gzip.open(path, "rt", encoding="utf-8-sig", newline="") as stream:
        assert [record.text for record in records] == [
            row["review"] for row in csv.DictReader(stream)
        ]


@pytest.mark.parametrize(
    ("path", "sentences", "predicates", "arguments"),
    [
        ("propbank_ewt/ewt-train.gold_conll.gz", 12_526, 40_429, 81_415),
        ("propbank_ewt/ewt-dev.gold_conll.gz", 1_968, 4_963, 9_583),
    ],
)
def test_predicates_and_arguments(
    path: str, sentences: int, predicates: int, arguments: int
) -> None:
    records, wrong = load(path, "srl")
    found = [p for record in records for p in (record.annotation or {})["predicates"]]
    assert not wrong
    assert len(records) == sentences
    assert len(found) == predicates
    assert sum(len(p["arguments"]) for p in found) == arguments


def test_every_span_of_a_real_file_lies_in_its_text() -> None:
    records, _wrong = load("cluener/train.json.gz", "ner")
    for record in records:
        for span in (record.annotation or {})["spans"]:
            assert 0 <= span["start"] < span["end"] <= len(record.text)


def test_a_preview_of_a_real_file_is_quick_and_leaves_the_file_open() -> None:
    path = FOLDER / "sst2/dev.tsv"
    if not path.exists():
        pytest.skip("the real data is not at hand")
    with path.open("rb") as stream:
        found = preview(stream, "csv", "sentiment", ReadOptions(), limit=5)
        assert not stream.closed
    assert len(found.records) == 5
    assert found.mapping == {"text": "sentence", "label": "label"}
