"""Rows with named columns: the right one is the label, and nothing of a row is lost in silence."""

import io
import json
from typing import Any

import pytest

from app.errors import InvalidInput
from app.formats import READERS, ReadOptions, Record, RowProblem, guess_format, preview
from tests.unit.formats.reading import Item, entities, labels, problem, read_row, read_rows


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"label": None, "labels": ["calm"]}, ["calm"]),
        ({"label": "", "labels": "calm"}, ["calm"]),
        ({"labels": [], "label": "calm"}, ["calm"]),
        ({"label": "calm", "labels": ["sad"]}, ["calm"]),
        ({"label": None, "category": "shoes"}, None),
        ({"label": 1.0}, ["1"]),
        ({"label": 1.5}, ["1.5"]),
        ({"label": True}, ["True"]),
        ({"label": 0}, ["0"]),
        ({"label": [3, 7]}, ["3", "7"]),
        ({"spans": [{"start": 0, "end": 1, "label": "X"}], "label": "calm"}, ["calm"]),
        ({"entities": [[0, 1, "X"]], "sentiment": "calm"}, ["calm"]),
        ({"intent": "ask"}, ["ask"]),
        ({"tags": ["travel", "food"]}, None),
        ({"tags": "travel", "label": "calm"}, ["calm"]),
        ({"label": '{"choices": ["calm", "sad"]}'}, ["calm", "sad"]),
        ({"label": "{calm}"}, ["{calm}"]),
    ],
)
def test_labels_of_a_text(row: dict[str, Any], expected: list[str] | None) -> None:
    assert labels(read_row("sentiment", {"text": "fine", **row})) == expected


@pytest.mark.parametrize("value", [[0, 1, 0], [1, 1], [0.0, 1.0], [True, False]])
def test_one_hot_labels_are_refused_in_words(value: list[Any]) -> None:
    assert "write the labels' names" in problem("sentiment", {"text": "a", "labels": value})


@pytest.mark.parametrize("value", [{"a": 1, "b": 0.4}, {"x": "y"}, {}, [{"label": "a"}]])
def test_a_label_that_is_not_understood_is_not_no_label(value: Any) -> None:
    assert problem("sentiment", {"text": "a", "label": value})


def test_nan_is_missing() -> None:
    lines = b'{"text": "a", "label": NaN, "n": NaN}\n{"text": "b", "label": "calm"}\n'
    for name, data in (("jsonl", lines), ("json", b"[" + lines.replace(b"}\n{", b"},{") + b"]")):
        items = read(name, "sentiment", data)
        assert [labels(item) for item in items] == [None, ["calm"]]


def read(name: str, task: str, data: bytes, **options: Any) -> list[Item]:
    return list(READERS[name].read(io.BytesIO(data), task, ReadOptions(**options)))


@pytest.mark.parametrize(
    ("value", "what"),
    [
        (3, "a number"),
        (True, "true or false"),
        (["a"], "a list"),
        ({"a": 1}, "an object"),
        (None, "empty"),
        (" ", "empty"),
    ],
)
def test_what_is_no_text_is_called_what_it_is(value: Any, what: str) -> None:
    assert what in problem("sentiment", {"text": value, "label": "calm"})


def test_everything_beside_the_text_is_kept() -> None:
    row = {
        "text": "a",
        "url": "u",
        "info": {"deep": [1, {"er": None}]},
        "tags2": ["t"],
        "meta": {"source": "x", "n": {"a": 1}},
    }
    assert read_row("ner", row).meta == {
        "source": "x",
        "n": {"a": 1},
        "url": "u",
        "info": {"deep": [1, {"er": None}]},
        "tags2": ["t"],
    }
    assert read_row("ner", {"text": "a", "meta": "a note"}).meta == {"meta": "a note"}
    assert read_row("ner", {"text": "a", "b": None, "meta": {"c": None}}).meta == {"c": None}


def test_what_cannot_be_kept_is_named() -> None:
    row = {"text": "a", "vector": [0.123456789] * 20_000, "source": "y", "meta": {"source": "x"}}
    item = read_row("ner", row)
    assert item.meta == {"source": "x"}
    assert set(item.unused) == {"vector", "source"}


def test_an_id_is_a_word_or_a_number() -> None:
    assert read_row("ner", {"text": "a", "id": 7.0}).external_id == "7"
    item = read_row("ner", {"text": "a", "id": {"$oid": "x"}})
    assert item.external_id is None
    assert item.meta == {"id": {"$oid": "x"}}


def test_a_column_that_was_chosen_and_is_not_there_is_named() -> None:
    item = read_row("sentiment", {"text": "a"}, columns={"label": "sentimnt"})
    assert "sentimnt" in item.unused[0]
    assert "no “body”" in problem("sentiment", {"text": "a"}, columns={"text": "body"})


def test_the_label_that_was_chosen_is_the_label() -> None:
    row = {"text": "a", "label": "calm", "topic": "shoes"}
    assert labels(read_row("sentiment", row, columns={"label": "topic"})) == ["shoes"]
    item = read_row("sentiment", row, columns={"label": ""})
    assert item.annotation is None
    assert item.meta == {"label": "calm", "topic": "shoes"}


# -- files ---------------------------------------------------------------------------------------------


def test_arrays_that_are_named_as_splits_are_all_read() -> None:
    row = {"label": "calm"}
    held = {
        "train": [{"text": "a", **row}],
        "dev": [{"text": "b", **row}],
        "test": [{"text": "c", "split": "train", **row}],
        "version": 2,
    }
    items = read("json", "sentiment", json.dumps(held).encode())
    assert [(item.text, item.split) for item in items if isinstance(item, Record)] == [
        ("a", "train"),
        ("b", "validation"),
        ("c", "train"),
    ]
    assert [item.unused for item in items if isinstance(item, Record)] == [("version",), (), ()]


def test_splits_of_a_large_object_are_all_read(monkeypatch: pytest.MonkeyPatch) -> None:
    from app.formats import bounds

    monkeypatch.setattr(bounds, "MAX_ROW", 1 << 17)
    rows = [{"text": f"Sentence {n}."} for n in range(9_000)]
    held = {"about": {"n": 1}, "train": rows, "more": [1, 2], "test": rows[:3]}
    items = read("json", "ner", json.dumps(held).encode())
    assert [item.split for item in items if isinstance(item, Record)] == ["train"] * 9_000 + [
        "test"
    ] * 3
    assert isinstance(items[-1], Record)
    assert items[-1].unused == ("about", "more")


@pytest.mark.parametrize(
    "held",
    [
        {"text": "Lea", "annotations": [{"label": "PER", "start_offset": 0, "end_offset": 3}]},
        {"classes": ["PER"], "annotations": [["Lea", {"entities": [[0, 3, "PER"]]}]]},
        {"examples": [{"content": "Lea", "annotations": [{"start": 0, "end": 3, "tag": "PER"}]}]},
        {"sentences": [{"text": "Lea", "spans": [[0, 3, "PER"]]}]},
        {"text": "Lea", "spans": [[0, 3, "PER"]], "items": ["a"]},
    ],
)
def test_an_object_is_a_row_or_holds_rows(held: dict[str, Any]) -> None:
    (item,) = read("json", "ner", json.dumps(held).encode())
    assert entities(item) == [("Lea", "PER")]


@pytest.mark.parametrize(
    ("value", "said"),
    [("1" * 30, "64 bits"), ('"half \\ud83d"', "surrogate"), ("[" * 70 + "]" * 70, "64 levels")],
)
def test_a_value_that_cannot_be_stored_is_a_wrong_row(value: str, said: str) -> None:
    row = f'{{"text": "a", "label": "calm", "more": {value}}}'
    good = '{"text": "b", "label": "calm"}'
    (wrong, right) = read("json", "sentiment", f"[{row}, {good}]".encode())
    assert isinstance(wrong, RowProblem)
    assert said in wrong.message
    assert isinstance(right, Record)


def test_line_separators_inside_a_text_end_no_line() -> None:
    data = '{"text": "a\u2028b"}\n{"text": "c\u0085d"}\n'.encode()
    for name in ("json", "jsonl"):
        assert [item.text for item in read(name, "ner", data) if isinstance(item, Record)] == [
            "a\u2028b",
            "c\u0085d",
        ]


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("a.jsonl", b'[\n {"text": "a"}\n]\n', "json"),
        ("a.jsonl", b'{"text": "a"}\n{"text": "b"}\n', "jsonl"),
        ("a.jsonl", b'["a", {"entities": []}]\n["b", {"entities": []}]\n', "jsonl"),
        ("a.txt", b'{\n "data": [\n  {"text": "a"}\n ]\n}\n', "json"),
        ("a.txt", b'{"text": "a"}\n{"text": "b"}\n', "jsonl"),
    ],
)
def test_an_array_is_no_json_lines_whatever_its_name(name: str, data: bytes, expected: str) -> None:
    assert guess_format(name, data, "ner") == expected


def test_the_columns_of_json_can_be_chosen_in_the_preview() -> None:
    data = b'{"said": "a", "n": [1]}\n{"said": "b", "more": 1}\n'
    found = preview(io.BytesIO(data), "jsonl", "sentiment", ReadOptions())
    assert found.columns == {"said": ["a", "b"], "n": ["[1]"], "more": ["1"]}
    assert "said" in found.problems[0].message
    chosen = ReadOptions(columns={"text": "said", "label": "more"})
    assert [r.text for r in preview(io.BytesIO(data), "jsonl", "ner", chosen).records] == ["a"]


def test_the_preview_takes_for_the_label_what_the_reader_takes() -> None:
    data = b'{"text": "Lea", "label": "news", "spans": [[0, 3, "PER"]]}\n'
    found = preview(io.BytesIO(data), "jsonl", "ner", ReadOptions())
    assert found.mapping["label"] == "spans"
    again = ReadOptions(columns=found.mapping)
    assert entities(preview(io.BytesIO(data), "jsonl", "ner", again).records[0]) == [("Lea", "PER")]


def test_words_that_are_the_text_are_so_in_the_preview() -> None:
    data = b'{"id": "0", "tokens": ["Lea", "ran"], "ner_tags": ["B-PER", "O"]}\n'
    found = preview(io.BytesIO(data), "jsonl", "ner", ReadOptions())
    assert found.mapping["text"] == "tokens"
    assert found.mapping["label"] == "ner_tags"
    (again,) = read("jsonl", "ner", data, columns=found.mapping)
    assert isinstance(again, Record)
    assert (again.text, again.tokens) == ("Lea ran", ((0, 3), (4, 7)))
    assert entities(again) == [("Lea", "PER")]


def test_rows_of_a_tool_have_no_columns_to_choose() -> None:
    data = b'{"text": "Lea", "spans": [[0, 3, "PER"]], "answer": "reject"}\n'
    found = preview(io.BytesIO(data * 2), "jsonl", "ner", ReadOptions())
    assert found.columns == {}
    assert [record.unused for record in found.records] == [("spans (reject)",)] * 2


def test_a_file_that_is_no_json_is_refused() -> None:
    with pytest.raises(InvalidInput):
        read("json", "ner", b'"a text"')


def test_tags_that_fit_no_words_make_a_wrong_row_and_no_unlabelled_one() -> None:
    rows = (
        b'{"tokens": ["Ann", "met"], "ner_tags": ["B-PER"]}\n'
        b'{"tokens": ["Ann", "met"], "ner_tags": ["B-PER", null]}\n'
        b'{"tokens": ["", "met"], "ner_tags": ["B-PER", "O"]}\n'
    )
    assert all(isinstance(item, RowProblem) for item in read("jsonl", "ner", rows))


@pytest.mark.parametrize(
    "row",
    [
        b'{"text": "a", "n": {"x": [18446744073709551616]}}',
        b'{"text": "a", "n": {"x": "\\ud83d"}}',
        b'{"text": "a\\ud83d"}',
    ],
)
@pytest.mark.parametrize("name", ["json", "jsonl"])
def test_a_preview_names_what_cannot_be_stored(name: str, row: bytes) -> None:
    data = b"[" + row + b"]" if name == "json" else row + b"\n"
    found = preview(io.BytesIO(data), name, "sentiment", ReadOptions())
    assert (len(found.records), len(found.problems)) == (0, 1)


GUESS = "“{}” as the label: “{}” was taken, which is a guess"


def test_of_several_columns_that_could_be_the_label_the_others_are_named() -> None:
    row = {"text": "Fine.", "sentiment": "good", "category": "film"}
    item = read_row("sentiment", row)
    assert labels(item) == ["good"]
    assert item.unused == (GUESS.format("category", "sentiment"),)
    assert item.meta == {"category": "film"}
    chosen = read_row("sentiment", row, columns={"label": "category"})
    assert (labels(chosen), chosen.unused) == (["film"], ())
    # A column that has another form is no candidate, and neither is an empty one.
    assert read_row("sentiment", row | {"category": None}).unused == ()
    assert read_row("sentiment", row | {"category": [{"start": 0}]}).unused == ()


def test_of_two_columns_of_tags_the_other_is_named() -> None:
    words = {
        "tokens": ["Ada", "left"],
        "ner_tags": ["B-PER", "O"],
        "fine_ner_tags": ["B-poet", "O"],
    }
    item = read_row("ner", words)
    assert entities(item) == [("Ada", "PER")]
    assert item.unused == (GUESS.format("fine_ner_tags", "ner_tags"),)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"set": "dev"}, "validation"),
        ({"subset": "train"}, "train"),
        ({"Partition": "TEST"}, "test"),
        ({"fold": "test"}, "test"),
        ({"fold": 3}, None),
        ({"subset": "news"}, None),
        ({"is_test": 1}, "test"),
        ({"is_test": False}, "train"),
        ({"is_train": 0}, "test"),
        ({"is_train": True, "is_test": False}, "train"),
        ({"is_train": 0, "is_test": 0}, "validation"),
        ({"is_dev": 1, "is_test": 0}, "validation"),
    ],
)
def test_columns_that_say_the_split_in_other_words(row: dict[str, Any], expected: str) -> None:
    item = read_row("sentiment", {"text": "Fine."} | row)
    assert item.split == expected
    content = f"text,{','.join(row)}\nFine.,{','.join(map(str, row.values()))}\n"
    (cell,) = READERS["csv"].read(io.BytesIO(content.encode()), "sentiment", ReadOptions())
    assert isinstance(cell, Record)
    assert cell.split == expected


def test_a_word_that_is_no_split_is_wrong_where_the_column_says_splits() -> None:
    rows = [{"text": "A.", "set": "train"}, {"text": "B.", "set": "hidden"}]
    first, second = read_rows("sentiment", *rows)
    assert isinstance(first, Record)
    assert isinstance(second, RowProblem)
    assert "“hidden” is no split" in second.message


def test_ents_are_entities() -> None:
    row = {"text": "Ada left.", "ents": [{"start": 0, "end": 3, "label": "PER"}], "title": None}
    assert entities(read_row("ner", row)) == [("Ada", "PER")]
