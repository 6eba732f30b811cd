"""Files that people have and no manual describes: they are read as they are meant, or refused in words."""

import io
import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from app.errors import InvalidInput
from app.formats import READERS, ReadOptions, Record, RowProblem, guess_format, preview
from tests.unit.formats.reading import entities, labels, read_row

ADA = "Ada met Bo."


def read(name: str, content: bytes, task: str = "sentiment", **options: Any) -> list[Any]:
    return list(READERS[name].read(io.BytesIO(content), task, ReadOptions(**options)))


def parquet(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


def test_maps_of_parquet_are_kept_beside_the_text() -> None:
    tags = pa.array([[("k", 1), ("j", 2)], [], None], pa.map_(pa.string(), pa.int64()))
    table = pa.table({"text": ["a", "b", "c"], "label": ["x", "y", "x"], "tags": tags})
    items = read("parquet", parquet(table))
    assert [item.meta for item in items] == [{"tags": {"k": 1, "j": 2}}, {}, {}]


def test_parquet_without_rows_is_empty_and_not_damaged() -> None:
    schema = pa.schema([("text", pa.string()), ("label", pa.string())])
    assert read("parquet", parquet(schema.empty_table())) == []
    sink = io.BytesIO()
    with pq.ParquetWriter(sink, schema) as writer:
        for texts in (["a"], [], ["b"]):
            writer.write_table(pa.table({"text": texts, "label": texts}, schema=schema))
    assert [item.text for item in read("parquet", sink.getvalue())] == ["a", "b"]


TRAIN_DATA = '''"""Ours."""
import spacy

LABEL = "PER"
TRAIN_DATA = [
    ("Ada met Bo.", {"entities": [(0, 3, "PER"), (8, 10, "PER")]}),
    # and one without
    ("Nobody came.", {"entities": []}),
]
'''


def test_training_data_in_a_python_file_is_read_and_never_run() -> None:
    data = TRAIN_DATA.encode()
    assert guess_format("train.py", data, "ner") == "python"
    items = read("python", data, "ner")
    assert [entities(item) for item in items] == [[("Ada", "PER"), ("Bo", "PER")], []]
    assert [item.row for item in items] == [6, 8]
    cats = b'DATA = [("Fine.", {"cats": {"good": 1.0, "bad": 0.0}})]'
    assert labels(read("python", cats)[0]) == ["good"]
    objects = b"rows = [{'text': 'Fine.', 'label': 'good'}]"
    assert labels(read("python", objects)[0]) == ["good"]


def test_python_that_computes_is_a_wrong_row() -> None:
    data = b"DATA = [('Fine.', {'cats': {'good': 1}}), (open('x').read(), {'cats': {'good': 1}})]"
    good, wrong = read("python", data)
    assert isinstance(good, Record)
    assert isinstance(wrong, RowProblem)
    assert "more than words" in wrong.message


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"print('hello')\n", "no list of examples"),
        (b"DATA = [('a', {}\n", "not Python: line 1"),
        (b"DATA = [" + b"1," * 500_000 + b"]", "too large"),
        (b"DATA = " + b"[" * 9_000 + b"]" * 9_000, "not Python"),
    ],
)
def test_python_without_examples_is_refused(content: bytes, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        read("python", content, "ner")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("{hello} she said, and left the room.\n", "text"),
        ("{laughs} That was good.\n{sighs} Well, well.\n", "text"),
        ("[laughs] That was good, I think.\nAnd so on it went.\n", "text"),
        ('{"text": "Fine."}\n', "jsonl"),
        ('{\n  "data": [\n', "json"),
        ('[{"text": "Fine."}]', "json"),
        ('["a", "b"]', "json"),
        ("[\n  [", "json"),
    ],
)
def test_a_bracket_alone_is_no_json(content: str, expected: str) -> None:
    assert guess_format("notes.txt", content.encode(), "sentiment") in (
        {expected, "json", "jsonl"} if expected != "text" else {"text"}
    )


def test_a_name_that_stands_twice_in_an_object_makes_a_wrong_row() -> None:
    lines = [
        '{"text": "A.", "label": "good", "label": "bad"}',
        '{"text": "B: \\"label\\": x.", "label": "good"}',
        '{"text": "C.", "label": "good", "info": {"a" : 1, "a" : 2}}',
    ]
    for name, content in (("jsonl", "\n".join(lines)), ("json", f"[{', '.join(lines)}]")):
        first, second, third = read(name, content.encode())
        assert isinstance(first, RowProblem)
        assert "“label” stands twice" in first.message
        assert labels(second) == ["good"]
        assert isinstance(third, RowProblem)
        assert "“a” stands twice" in third.message
    held = f'{{"data": [{lines[0]}]}}'
    with pytest.raises(InvalidInput, match="“label” stands twice"):
        read("json", held.encode())


def test_doccano_calls_the_text_data() -> None:
    row = {"id": 3, "data": ADA, "label": [[0, 3, "PER"]]}
    item = read_row("ner", row)
    assert (item.text, entities(item), item.external_id) == (ADA, [("Ada", "PER")], "3")
    assert labels(read_row("sentiment", {"id": 3, "data": ADA, "label": ["good"]})) == ["good"]


PROPS = """Ada    -    (A0*)
gave   give (V*)
Bo     -    (A2*)
a      -    (A1*
map    -    {}
.      -    *
"""


@pytest.mark.parametrize(
    ("cell", "wrong"), [("*)", None), ("*", "(A1*"), ("*))", "*))"), ("(A3*", "(A1*")]
)
def test_a_bracket_without_its_other_half_is_named(cell: str, wrong: str | None) -> None:
    (item,) = read("conll2005", PROPS.format(cell).encode(), "srl")
    if wrong is None:
        assert isinstance(item, Record)
        assert item.annotation is not None
        return
    assert isinstance(item, RowProblem)
    assert f"“{wrong}” in column 3" in item.message


# -- Chinese data sets' own JSON ------------------------------------------------------------------

LEAF = "浙商银行企业信贷部叶老桂博士"


@pytest.mark.parametrize(
    "row",
    [
        {"text": LEAF, "label": {"name": {"叶老桂": [[9, 11]]}, "company": {"浙商银行": [[0, 3]]}}},
        {
            "text": LEAF,
            "entities": [
                {"start_idx": 9, "end_idx": 11, "type": "name", "entity": "叶老桂"},
                {"start_idx": 0, "end_idx": 3, "type": "company", "entity": "浙商银行"},
            ],
        },
        {
            "text": LEAF,
            "entity_list": [
                {"entity_index": {"begin": 9, "end": 12}, "entity_type": "name", "entity": "叶老桂"},
                {"entity_index": {"begin": 0, "end": 4}, "entity_type": "company", "entity": "浙商银行"},
            ],
        },
        {
            "originalText": LEAF,
            "entities": [
                {"label_type": "name", "overlap": 0, "start_pos": 9, "end_pos": 12},
                {"label_type": "company", "overlap": 0, "start_pos": 0, "end_pos": 4},
            ],
        },
    ],
)  # fmt: skip
def test_entities_of_chinese_data_sets(row: dict[str, Any]) -> None:
    found = entities(read_row("ner", row))
    assert found is not None
    assert sorted(found) == [("叶老桂", "name"), ("浙商银行", "company")]


def test_rows_of_such_a_file_come_one_a_line() -> None:
    data = json.dumps({"text": LEAF, "label": {"name": {"叶老桂": [[9, 11]]}}}).encode()
    assert guess_format("train.json", data + b"\n" + data, "ner") in ("json", "jsonl")
    assert len(read("json", data + b"\n" + data, "ner")) == 2


@pytest.mark.parametrize(
    "held",
    [
        {"columns": ["text", "label"], "index": [0, 1], "data": [["A.", "x"], ["B.", "y"]]},
        {"text": {"0": "A.", "1": "B."}, "label": {"0": "x", "1": "y"}},
        {"text": ["A.", "B."], "label": ["x", "y"]},
        {"7": {"text": "A.", "label": "x"}, "8": {"text": "B.", "label": "y"}},
        {"rasa_nlu_data": {"common_examples": [{"text": "A.", "intent": "x"}, {"text": "B.", "intent": "y"}]}},
    ],
)  # fmt: skip
def test_a_whole_table_in_one_object(held: dict[str, Any]) -> None:
    items = read("json", json.dumps(held).encode())
    assert [(item.text, labels(item)) for item in items] == [("A.", ["x"]), ("B.", ["y"])]
    if "7" in held:
        assert [item.external_id for item in items] == ["7", "8"]


WORDS = """Sentence #,Word,POS,Tag
Sentence: 1,Ada,NNP,B-PER
,Byron,NNP,I-PER
,left,VBD,O
Sentence: 2,Bo,NNP,B-PER
"""


def test_a_table_of_one_word_a_row() -> None:
    items = read("csv", WORDS.encode(), "ner")
    assert [item.text for item in items] == ["Ada Byron left", "Bo"]
    assert [entities(item) for item in items] == [[("Ada Byron", "PER")], [("Bo", "PER")]]
    assert [item.external_id for item in items] == ["Sentence: 1", "Sentence: 2"]
    assert items[0].unused == ("columns of a word each: only word and tag are read",)
    shown = preview(io.BytesIO(WORDS.encode()), "csv", "ner", ReadOptions())
    assert [item.text for item in read("csv", WORDS.encode(), "ner", columns=shown.mapping)] == [
        "Ada Byron left",
        "Bo",
    ]
    broken = WORDS.replace(",left,VBD,O", ",left,VBD")
    wrong, good = read("csv", broken.encode(), "ner")
    assert isinstance(wrong, RowProblem)
    assert entities(good) == [("Bo", "PER")]


def test_a_label_column_that_stands_twice_is_named() -> None:
    first, _second = read("csv", b"text,label,label\nA.,x,z\nB.,y,\n")
    assert first.unused == ("“label (2)” as the label: “label” was taken, which is a guess",)
