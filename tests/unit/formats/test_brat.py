"""brat's standoff: what is read of a document, what is named as not read, and what is written."""

import io
import zipfile
from typing import Any

import pytest

from app.errors import InvalidInput
from app.formats import READERS, ReadOptions, Record, RowProblem, guess_format
from tests.unit.formats.writing import entities, predicate, write

TEXT = "Mia Lopez and Bo Lopez left Lima.\nShe went to Rio\nde Janeiro.\n"


def packed(**files: str | bytes) -> bytes:
    """A zip; `__` in a name stands for the slash, the last `_` for the dot."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as file:
        for name, content in files.items():
            stem, _, ending = name.replace("__", "/").rpartition("_")
            file.writestr(f"{stem}.{ending}", content)
    return data.getvalue()


def read(data: bytes, task: str = "ner", **options: Any) -> list[Record | RowProblem]:
    return list(READERS["brat"].read(io.BytesIO(data), task, ReadOptions(**options)))


def only(data: bytes, task: str = "ner", **options: Any) -> Record:
    (item,) = read(data, task, **options)
    assert isinstance(item, Record), item
    return item


def words(item: Record) -> list[tuple[str, str]]:
    spans = (item.annotation or {})["spans"]
    return [(item.text[span["start"] : span["end"]], span["label"]) for span in spans]


def test_entities_over_a_line_break_are_one_and_others_in_pieces_are_named() -> None:
    ann = (
        "T1\tPerson 14 22\tBo Lopez\n"
        "T2\tPlace 46 49;50 60\tRio de Janeiro\n"
        "T3\tPerson 0 3;17 22\tMia Lopez\n"
        "\n"
        "R1\tFamily Arg1:T1 Arg2:T3\t\n"
        "*\tEquiv T1 T3\n"
        "A1\tKnown T1\n"
        "N1\tReference T2 Wikidata:Q8678\tRio de Janeiro\n"
        "#1\tAnnotatorNotes T1\tnot sure\n"
    )
    item = only(packed(a_txt=TEXT, a_ann=ann))
    assert words(item) == [("Bo Lopez", "Person"), ("Rio\nde Janeiro", "Place")]
    assert (item.text, item.external_id, item.row) == (TEXT, "a", 1)
    assert item.unused == (
        "spans in several pieces: Person",
        "relations: Family",
        "relations: Equiv",
        "attributes: Known",
        "links: Reference",
        "notes: AnnotatorNotes",
    )


EVENTS = (
    "T1\tPerson 0 9\tMia Lopez\n"
    "T2\tleave.01 23 27\tleft\n"
    "T3\tPlace 28 32\tLima\n"
    "T4\tPredicate 38 42\twent\n"
    "T5\tPerson 14 22\tBo Lopez\n"
    "E1\tleave.01:T2 ARG0:T1 ARG02:T5 ARG1:T3\n"
    "E2\tPredicate:T4 ARGM-TMP:E1\n"
)


def test_events_are_predicates() -> None:
    item = only(packed(a_txt=TEXT, a_ann=EVENTS), "srl")
    assert item.annotation == {
        "predicates": [
            {
                "start": 23,
                "end": 27,
                "sense": "leave.01",
                "arguments": [
                    {"start": 0, "end": 9, "role": "ARG0"},
                    {"start": 14, "end": 22, "role": "ARG0"},
                    {"start": 28, "end": 32, "role": "ARG1"},
                ],
            },
            {"start": 38, "end": 42, "sense": None, "arguments": []},
        ]
    }
    assert item.unused == ("arguments that are events: ARGM-TMP",)


def test_for_entities_what_an_event_is_seen_by_is_one_too_and_events_are_named() -> None:
    item = only(packed(a_txt=TEXT, a_ann=EVENTS), label_map={"Person": "PER"})
    assert words(item)[:2] == [("Mia Lopez", "PER"), ("Bo Lopez", "PER")]
    assert item.unused == ("events: leave.01", "events: Predicate")


def test_entities_alone_say_nothing_of_predicates() -> None:
    item = only(packed(a_txt=TEXT, a_ann="T1\tPerson 0 9\tMia Lopez\n"), "srl")
    assert (item.annotation, item.unused) == (None, ("entities: Person",))


def test_an_empty_file_says_that_there_is_nothing_and_none_that_nobody_looked() -> None:
    first, second = read(packed(a_txt=TEXT, a_ann="", b_txt=TEXT))
    assert isinstance(first, Record)
    assert isinstance(second, Record)
    assert (first.annotation, second.annotation) == ({"spans": []}, None)


def test_folders_say_the_split_and_files_of_brat_say_nothing() -> None:
    data = packed(
        data__dev__a_txt=TEXT,
        data__dev__a_ann="T1\tPerson 0 3\tMia\n",
        data__annotation_conf="[entities]\nPerson\n",
        data__README_md="about",
    )
    item = only(data)
    assert (item.split, item.external_id) == ("validation", "data/a")
    assert item.unused == ("file “data/README.md”",)


@pytest.mark.parametrize(
    ("text", "offsets"),
    [
        ("👍 Mia", "2 5"),  # code points
        ("👍 Mia", "3 6"),  # UTF-16
        ("👍 Mia", "5 8"),  # bytes
        ("Hi\r\nthere\r\nMia", "11 14"),
        ("Hi\r\nthere\r\nMia", "9 12"),  # line breaks as one
    ],
)
def test_the_words_say_what_the_numbers_count(text: str, offsets: str) -> None:
    item = only(packed(a_txt=text.encode(), a_ann=f"T1\tPerson {offsets}\tMia\n"))
    assert (item.text, words(item)) == (text, [("Mia", "Person")])


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("T1\tPerson 0 3\tBo", "Line 1: “Bo” does not stand at 0 to 3"),
        ("T1\tPerson 0 300\tMia", "Line 1: “Mia” does not stand"),
        ("T1\tPerson 5 5", "Line 1: 5 to 5 does not lie"),
        ("Mia Person", "“Mia Person” is no annotation"),
        ("T1 Person 0 3 Mia", "is no annotation"),
        ("E1\tGo:T9", "There is no annotation T9"),
        ("T1\tPerson 0 3\tMia\nT1\tPerson 0 3\tMia", "Line 2: There are two annotations T1"),
    ],
)
def test_lines_that_do_not_fit_name_their_document(line: str, message: str) -> None:
    bad, good = read(packed(a_txt=TEXT, a_ann=line, b_txt=TEXT))
    assert isinstance(bad, RowProblem)
    assert bad.message.startswith("“a.ann”: ")
    assert message in bad.message
    assert isinstance(good, Record)


def test_annotations_without_a_text_are_wrong_rows() -> None:
    bad, good = read(packed(a_ann="", b_txt=TEXT))
    assert isinstance(bad, RowProblem)
    assert "“a.ann” has no text" in bad.message
    assert isinstance(good, Record)


def test_an_ann_file_alone_is_refused_with_the_reason() -> None:
    data = b"T1\tPerson 0 3\tMia\n"
    assert guess_format("a.ann", data, "ner") == "brat"
    assert guess_format("a.txt", data, "ner") == "brat"
    with pytest.raises(InvalidInput, match=r"holds no text. Pack it with its \.txt"):
        read(data)


def test_a_zip_of_pairs_is_recognised() -> None:
    assert guess_format("corpus.zip", packed(a_txt=TEXT, a_ann=""), "srl") == "brat"


def test_entities_are_written_in_a_piece_a_line() -> None:
    item = entities(TEXT, ("Mia Lopez", "PER"), ("Rio\nde Janeiro", "LOC"), split="train")
    with zipfile.ZipFile(io.BytesIO(write("brat", "ner", item))) as file:
        assert {name: file.read(name).decode() for name in file.namelist()} == {
            "train/000007.txt": TEXT,
            "train/000007.ann": "T1\tPER 0 9\tMia Lopez\nT2\tLOC 46 49;50 60\tRio de Janeiro\n",
            "annotation.conf": "[entities]\nLOC\nPER\n\n[relations]\n\n[events]\n\n[attributes]\n",
        }


def test_predicates_are_written_as_events() -> None:
    item = predicate(TEXT, "left", None, ("Mia Lopez", "ARG0"), ("Lima", "ARG1"))
    with zipfile.ZipFile(io.BytesIO(write("brat", "srl", item))) as file:
        assert file.read("000007.ann").decode() == (
            "T1\tPredicate 23 27\tleft\nT2\tArgument 0 9\tMia Lopez\nT3\tArgument 28 32\tLima\n"
            "E1\tPredicate:T1 ARG0:T2 ARG1:T3\n"
        )
        assert "Predicate\tARG0*:<ANY>, ARG1*:<ANY>\n" in file.read("annotation.conf").decode()
