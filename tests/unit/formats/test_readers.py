"""Awkward files: encodings, line ends, tag schemes, wrong rows."""

import gzip
import io
import tarfile
import zipfile
from typing import Any

import pytest

from app.errors import InvalidInput
from app.formats import READERS, ReadOptions, Record, RowProblem, guess_format, preview
from app.formats.frames import Roleset, read_frames


def read(name: str, task: str, data: str | bytes, **options: Any) -> list[Record | RowProblem]:
    raw = data.encode() if isinstance(data, str) else data
    return list(READERS[name].read(io.BytesIO(raw), task, ReadOptions(**options)))


def texts(items: list[Record | RowProblem]) -> list[str]:
    return [item.text for item in items if isinstance(item, Record)]


def entities(items: list[Record | RowProblem]) -> list[list[tuple[str, str]]]:
    return [
        [(item.text[s["start"] : s["end"]], s["label"]) for s in (item.annotation or {})["spans"]]
        for item in items
        if isinstance(item, Record)
    ]


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16", "utf-16-le", "big5"]
)
def test_the_encoding_is_detected(encoding: str) -> None:
    lines = "這家餐館的湯非常好喝，服務也很周到。\n我們等了很久才上菜，下次不會再來了。\n" * 20
    assert texts(read("text", "sentiment", lines.encode(encoding)))[:1] == [
        "這家餐館的湯非常好喝，服務也很周到。"
    ]


def test_an_encoding_that_does_not_fit_names_its_row() -> None:
    items = read("text", "sentiment", "fine\ncaf\xe9\n".encode("latin-1"), encoding="utf-8")
    assert texts(items) == ["fine"]
    assert isinstance(items[1], RowProblem)
    assert items[1].row == 2
    assert "0xE9" in items[1].message


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_and_quoted_line_breaks(end: str) -> None:
    data = f'text,label{end}"two\nlines, and ""quotes""",good{end}plain,bad{end}'
    assert texts(read("csv", "sentiment", data)) == ['two\nlines, and "quotes"', "plain"]


def test_wrong_rows_are_numbered_and_the_others_are_read() -> None:
    items = read("csv", "sentiment", "text,label\nfine,good\nonly one\n,bad\nlast,bad\n")
    assert texts(items) == ["fine", "last"]
    assert [(i.row, i.column) for i in items if isinstance(i, RowProblem)] == [
        (3, None),
        (4, "text"),
    ]


def test_of_columns_without_names_the_label_is_the_one_that_always_speaks() -> None:
    rows = [f"gj04\t{n % 2}\t{'' if n % 2 else '*'}\tSentence {n} goes here." for n in range(8)]
    items = read("csv", "sentiment", "\n".join(rows))
    assert texts(items)[0] == "Sentence 0 goes here."
    assert [i.annotation for i in items[:2] if isinstance(i, Record)] == [
        {"labels": ["0"]},
        {"labels": ["1"]},
    ]


def test_columns_are_chosen_and_labels_renamed() -> None:
    items = read(
        "csv",
        "sentiment",
        "a;b;c\n7;1;fine soup\n",
        columns={"text": "c", "label": "b", "external_id": "a"},
        label_map={"1": "positive"},
    )
    assert isinstance(items[0], Record)
    assert items[0].annotation == {"labels": ["positive"]}
    assert items[0].external_id == "7"


@pytest.mark.parametrize(
    "tags",
    [
        ["I-PER", "I-PER", "O", "I-LOC", "B-LOC"],  # IOB1
        ["B-PER", "I-PER", "O", "B-LOC", "B-LOC"],  # IOB2
        ["B-PER", "E-PER", "O", "S-LOC", "S-LOC"],  # BIOES and BMES
        ["B-PER", "L-PER", "O", "U-LOC", "U-LOC"],  # BILOU
    ],
)
def test_every_tag_scheme_says_the_same(tags: list[str]) -> None:
    words = ["Ada", "Bell", "left", "Rome", "Oslo"]
    data = "-DOCSTART- O\n\n" + "".join(
        f"{word} {tag}\n" for word, tag in zip(words, tags, strict=True)
    )
    assert entities(read("conll", "ner", data)) == [
        [("Ada Bell", "PER"), ("Rome", "LOC"), ("Oslo", "LOC")]
    ]


OUTER, INNER = ("Bank of Rome", "ORG"), ("Rome", "LOC")


@pytest.mark.parametrize(
    ("columns", "options", "found"),
    [
        ("{word} {inner} {outer}", {}, [OUTER, INNER]),
        ("{number} {word} {outer} {inner}", {}, [OUTER, INNER]),
        ("{word} NN {inner} {outer}", {}, [OUTER]),
        ("{word} NN {inner} {outer}", {"tag_columns": "all"}, [OUTER, INNER]),
        ("{word} {inner} {outer}", {"tag_columns": "last"}, [OUTER]),
    ],
)
def test_columns_of_tags_are_layers_unless_parts_of_speech_stand_between(
    columns: str, options: dict[str, str], found: list[tuple[str, str]]
) -> None:
    tags = [("Bank", "B-ORG", "O"), ("of", "I-ORG", "O"), ("Rome", "I-ORG", "B-LOC")]
    data = "".join(
        columns.format(number=number, word=word, outer=outer, inner=inner) + "\n"
        for number, (word, outer, inner) in enumerate(tags, 1)
    )
    assert entities(read("conll", "ner", data, **options)) == [found]


def test_chinese_characters_in_columns_are_joined_without_spaces() -> None:
    items = read("conll", "ner", "我 O\n在 O\n上 B-LOC\n海 I-LOC\n")
    assert texts(items) == ["我在上海"]
    assert entities(items) == [[("上海", "LOC")]]


def test_a_sentence_with_a_ragged_line_is_refused_by_its_line() -> None:
    items = read("conll", "ner", "Ada B-PER\nleft\n\nRome B-LOC\n")
    assert [(i.row) for i in items if isinstance(i, RowProblem)] == [2]
    assert texts(items) == ["Rome"]


PROPBANK = """\
tale/1 0 0 Ada NNP * - - - - * (ARG0*)
tale/1 0 1 gave VBD * give give.01 - - * (V*)
tale/1 0 2 Bo NNP * - - - - * (ARG2*)
tale/1 0 3 a DT * - - - - * (ARG1*
tale/1 0 4 map NN * - - - - * *)
"""
CONLL_2005 = """\
Ada - - (A0*)
gave 01 give (V*)
Bo - - (A2*)
a - - (A1*
map - - *)
"""
GIVING = {
    "start": 4,
    "end": 8,
    "sense": "give.01",
    "arguments": [
        {"start": 0, "end": 3, "role": "ARG0"},
        {"start": 9, "end": 11, "role": "ARG2"},
        {"start": 12, "end": 17, "role": "ARG1"},
    ],
}


def test_conll_2005_brackets_are_spans_with_propbank_roles() -> None:
    (item,) = read("conll2005", "srl", CONLL_2005)
    assert isinstance(item, Record)
    assert item.text == "Ada gave Bo a map"
    assert item.annotation == {"predicates": [GIVING]}


def test_conll_2009_roles_stand_on_heads() -> None:
    rows = [
        ["1", "Ada", *["_"] * 10, "_", "_", "A0"],
        ["2", "gave", *["_"] * 10, "Y", "give.01", "_"],
        ["3", "maps", *["_"] * 10, "_", "_", "A1"],
    ]
    (item,) = read("conll2009", "srl", "".join("\t".join(row) + "\n" for row in rows))
    assert isinstance(item, Record)
    assert item.annotation is not None
    (predicate,) = item.annotation["predicates"]
    assert predicate["sense"] == "give.01"
    assert [a["role"] for a in predicate["arguments"]] == ["ARG0", "ARG1"]


@pytest.mark.parametrize(
    ("name", "head", "task", "expected"),
    [
        ("a.csv", b"text,label\n", "sentiment", "csv"),
        ("a.txt", b"one\ntwo\n", "sentiment", "text"),
        ("a.jsonl", b'{"text": "x"}\n', "ner", "jsonl"),
        ("a.data", b'[{"text": "x"}]', "ner", "json"),
        ("a.txt", b"Ada B-PER\nleft O\n", "ner", "conll"),
        ("a.gold_conll", b"", "srl", "propbank"),
        ("a.csv.gz", gzip.compress(b"text,label\n", mtime=0), "sentiment", "csv"),
        ("a", b"PAR1....", "srl", "parquet"),
    ],
)
def test_the_format_is_guessed(name: str, head: bytes, task: str, expected: str) -> None:
    assert guess_format(name, head, task) == expected


def test_a_preview_shows_columns_and_does_not_close_the_file() -> None:
    stream = io.BytesIO(b"review,stars\nfine,5\npoor,1\n")
    found = preview(stream, "csv", "sentiment", ReadOptions())
    assert not stream.closed
    assert found.columns == {"review": ["fine", "poor"], "stars": ["5", "1"]}
    assert [record.text for record in found.records] == ["fine", "poor"]


FRAME = """<?xml version="1.0"?>
<frameset><predicate lemma="give"><roleset id="give.01" name="transfer">
<roles><role n="0" f="PAG" descr="giver"/><role n="1" f="PPT" descr="thing given"/></roles>
</roleset></predicate></frameset>"""


def zipped(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def tarred(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data.encode()))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("give.xml", FRAME.encode()),
        ("frames.zip", zipped({"frames/give.xml": FRAME})),
        ("frames.tar.gz", tarred({"frames/give.xml": FRAME})),
    ],
)
def test_frames_are_read_alone_and_from_archives(name: str, data: bytes) -> None:
    (roleset,) = read_frames(io.BytesIO(data), name)
    assert isinstance(roleset, Roleset)
    assert roleset.id == "give.01"
    assert roleset.roles == (("ARG0", "giver"), ("ARG1", "thing given"))


def test_a_broken_frame_file_costs_only_itself() -> None:
    found = list(
        read_frames(io.BytesIO(zipped({"bad.xml": "<frameset>", "give.xml": FRAME})), "f.zip")
    )
    assert sorted(type(item).__name__ for item in found) == ["Roleset", "RowProblem"]


def test_entities_of_xml_are_not_expanded() -> None:
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa">]>' + FRAME.split("?>", 1)[1].replace("giver", "&a;")
    found = list(read_frames(io.BytesIO(bomb.encode()), "give.xml"))
    assert [type(item) for item in found] == [RowProblem]


def test_an_unknown_encoding_is_refused() -> None:
    with pytest.raises(InvalidInput, match="no encoding"):
        read("text", "sentiment", "x", encoding="klingon")
