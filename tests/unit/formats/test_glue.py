"""GLUE's files: every task's layout, predictions, and what is said of wrong rows."""

import gzip
import io
from collections import Counter
from pathlib import Path

import pytest

from app.errors import InvalidInput
from app.formats.glue import TASKS, GlueRow, read_gold, read_predictions
from app.services.glue import score_files


def gold(task: str, text: str) -> list[GlueRow]:
    return list(read_gold(io.BytesIO(text.encode()), TASKS[task]))


def test_quotes_are_plain_characters_and_line_ends_may_be_windows() -> None:
    rows = gold("sst2", 'sentence\tlabel\r\n"half a quote \t0\r\n\r\na good one "\t1\r\n')
    assert [(r.row, r.index, r.text, r.label) for r in rows] == [
        (2, 0, '"half a quote ', "0"),
        (4, 1, 'a good one "', "1"),
    ]


@pytest.mark.parametrize(
    ("task", "text", "expected"),
    [
        ("cola", "gj04\t1\t\tThey left.\nbc01\t0\t*\tLeft they.\n", [(0, "1"), (1, "0")]),
        ("cola", "sentence\tlabel\tidx\nThey left.\t1\t7\n", [(7, "1")]),
        ("mrpc", "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n1\t2\t3\ta\tb\n", [(0, "1")]),
        (
            "qqp",
            "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n9\t1\t2\ta\tb\t0\n",
            [(0, "0")],
        ),
        ("stsb", "index\tsentence1\tsentence2\tscore\n4\ta\tb\t3.20\n", [(4, "3.20")]),
        ("mnli", "index\tsentence1\tsentence2\tgold_label\n0\ta\tb\tneutral\n", [(0, "neutral")]),
        ("rte", "index\tsentence1\tsentence2\tlabel\n5\ta\tb\tentailment\n", [(5, "entailment")]),
        ("rte", "sentence1\tsentence2\tlabel\tidx\na\tb\t1\t5\n", [(5, "not_entailment")]),
        ("wnli", "index\tsentence1\tsentence2\tlabel\n0\ta\tb\t1\n", [(0, "1")]),
    ],
)
def test_each_task_has_its_layout(task: str, text: str, expected: list[tuple[int, str]]) -> None:
    assert [(row.index, row.label) for row in gold(task, text)] == expected


@pytest.mark.parametrize(
    ("task", "text", "where", "hint"),
    [
        ("sst2", "", "file", "empty"),
        ("sst2", "a nice film\t1\n", "row 1", "sentence"),
        ("sst2", "sentence\tlabel\na\t1\nb\n", "row 3", "1 cells"),
        ("sst2", "sentence\tlabel\n \t1\n", "row 2", "empty"),
        ("cola", "a\t1\t\tgood\nb\t1\tgood\n", "row 2", "3 cells"),
        ("rte", "index\tsentence1\tsentence2\tlabel\n0\ta\tb\tmaybe\n", "row 2", "entailment"),
        ("rte", "index\tsentence1\tsentence2\tlabel\nx\ta\tb\t1\n", "row 2", "index"),
        ("stsb", "index\tscore\n0\tnan\n", "row 2", "number"),
        ("sst2", "sentence\tlabel\n" + "x" * 1_000_001, "row 2", "longer"),
    ],
)
def test_errors_name_the_row(task: str, text: str, where: str, hint: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        gold(task, text)
    assert caught.value.problems[0].where == where
    assert hint in caught.value.message


def test_damaged_files_are_told() -> None:
    with pytest.raises(InvalidInput, match="damaged"):
        list(read_gold(io.BytesIO(gzip.compress(b"sentence\tlabel\na\t1\n")[:-9]), TASKS["sst2"]))
    with pytest.raises(InvalidInput, match=r"Row 41.*utf-8"):
        list(
            read_gold(
                io.BytesIO("sentence\tlabel\n好\t1\n".encode() * 20 + b"\xff\t1\n"), TASKS["sst2"]
            )
        )


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("0\t1\n", "index"),
        ("index\tprediction\n0\t1\n0\t0\n", "twice"),
        ("index\tprediction\n0\t1\t1\n", "3 cells"),
        ("index\tprediction\n0\t1\n", "no prediction for the index 1"),
        ("index\tprediction\n0\t1\n1\t1\n2\t1\n", "such as 2"),
    ],
)
def test_predictions_must_fit(text: str, hint: str) -> None:
    labelled = io.BytesIO(b"sentence\tlabel\na\t1\nb\t0\n")
    with pytest.raises(InvalidInput) as caught:
        score_files("sst2", labelled, io.BytesIO(text.encode()))
    assert hint in caught.value.message


def test_predictions_may_come_in_any_order_and_as_words_or_numbers() -> None:
    labelled = b"index\tsentence1\tsentence2\tlabel\n3\ta\tb\tentailment\n4\ta\tb\tnot_entailment\n"
    said = b"index\tprediction\n4\t0\n3\tentailment\n"
    found = score_files("rte", io.BytesIO(labelled), io.BytesIO(said))
    assert (found.examples, found.scores) == (2, {"accuracy": 0.5})
    with pytest.raises(InvalidInput, match="no task"):
        score_files("squad", io.BytesIO(labelled), io.BytesIO(said))


def test_predictions_file_reads_numbers_for_similarity() -> None:
    said = read_predictions(io.BytesIO(b"index\tprediction\n0\t4.5\n"), TASKS["stsb"])
    assert said == {0: "4.5"}


@pytest.mark.parametrize(
    ("task", "name", "counts"),
    [
        ("sst2", "sst2/dev.tsv", {"1": 444, "0": 428}),
        ("cola", "cola/in_domain_dev.tsv", {"1": 365, "0": 162}),
        ("rte", "rte/train.tsv.gz", {"entailment": 1249, "not_entailment": 1241}),
        ("qnli", "qnli/dev.tsv.gz", {"not_entailment": 2761, "entailment": 2702}),
    ],
)
def test_real_files_are_read_whole(
    data_folder: Path, task: str, name: str, counts: dict[str, int]
) -> None:
    with (data_folder / name).open("rb") as stream:
        found = Counter(row.label for row in read_gold(stream, TASKS[task]))
    assert found == counts
