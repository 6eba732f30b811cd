"""WebAnno TSV 3: layers of spans with stacked, long and partial annotations, escapes, and semantic predicates."""

import io
from typing import Any

import pytest

from app.errors import InvalidInput
from app.formats import READERS, ReadOptions, Record, RowProblem

NER = "#T_SP=de.tudarmstadt.ukp.dkpro.core.api.ner.type.NamedEntity|identifier|value\n"
POS = "#T_SP=de.tudarmstadt.ukp.dkpro.core.api.lexmorph.type.pos.POS|PosValue\n"
OWN = "#T_SP=webanno.custom.Drug|\n"


def read(
    layers: str, body: str, task: str = "ner", *, version: str = "3.3", **options: Any
) -> list[Record | RowProblem]:
    data = f"#FORMAT=WebAnno TSV {version}\n{layers}\n\n{body}".encode()
    return list(READERS["webanno"].read(io.BytesIO(data), task, ReadOptions(**options)))


def only(items: list[Record | RowProblem]) -> Record:
    (item,) = items
    assert isinstance(item, Record), item
    return item


def entities(item: Record | RowProblem) -> list[tuple[str, str]]:
    assert isinstance(item, Record), item
    spans = (item.annotation or {})["spans"]
    return [(item.text[span["start"] : span["end"]], span["label"]) for span in spans]


TWO = """\
#Sentence.id=s1
#Text=Mia Ruiz left .
1-1\t0-3\tMia\tNNP\t*[1]|*[2]\tPER[1]|STAR[2]\t
1-2\t4-8\tRuiz\tNNP\t*[1]\tPER[1]\t
1-3\t9-13\tleft\tVBD\t_\t_\t
1-4\t14-15\t.\t.\t_\t_\t

#Text=New York
2-1\t16-19\tNew\tNNP\thttp://x/Q60[3]\tLOC[3]\t
2-2\t20-24\tYork\tNNP\thttp://x/Q60[3]\tLOC[3]\t
"""


def test_sentences_with_stacked_and_long_annotations() -> None:
    first, second = read(POS + NER, TWO)
    assert entities(first) == [("Mia Ruiz", "PER"), ("Mia", "STAR")]
    assert entities(second) == [("New York", "LOC")]
    assert isinstance(first, Record)
    assert isinstance(second, Record)
    assert (first.external_id, first.row, first.unused) == ("s1", 7, ("POS",))
    assert first.tokens == ((0, 3), (4, 8), (9, 13), (14, 15))
    assert second.unused == ("POS", "NamedEntity.identifier")


def test_another_layer_can_be_chosen_and_names_what_is_not_read() -> None:
    body = "#Text=aspirin\n1-1\t0-7\taspirin\t*\t_\tCHEM\t\n"
    item = only(read(OWN + NER, body))
    assert (entities(item), item.unused) == ([("aspirin", "CHEM")], ("Drug",))
    item = only(read(OWN + NER, body, columns={"label": "Drug"}))
    assert (entities(item), item.unused) == ([("aspirin", "Drug")], ("NamedEntity",))
    with pytest.raises(InvalidInput, match="no layer of spans “Nothing”"):
        read(OWN + NER, body, columns={"label": "Nothing"})


def test_parts_of_tokens_escapes_and_lines() -> None:
    body = (
        "#Text=a\\\\b\\tc\n#Text=plays\n"
        "1-1\t0-5\ta\\\\b\\tc\t_\t*\t\n1-2\t6-11\tplays\t_\t_\t\n1-2.1\t6-10\tplay\t_\tX\\|Y \\[1\\]\\_\t\n"
    )
    item = only(read(NER, body))
    assert item.text == "a\\b\tc\nplays"
    assert entities(item) == [("a\\b\tc", "NamedEntity"), ("play", "X|Y [1]_")]
    assert item.tokens == ((0, 5), (6, 11))


@pytest.mark.parametrize("end", [3, 2])
def test_offsets_are_utf_16_or_what_the_words_prove(end: int) -> None:
    body = f"#Text=😊 Mia\n1-1\t5-{4 + end}\t😊\t_\t_\t\n1-2\t{5 + end}-{8 + end}\tMia\t_\tPER\t\n"
    assert entities(only(read(NER, body))) == [("Mia", "PER")]


def test_version_3_1_escapes_as_java_does() -> None:
    body = '#Text=\\"\\u00e9\\ud83d\\ude0a\n1-1\t0-4\t\\"\\u00e9\\ud83d\\ude0a\t_\tX\t\n'
    assert entities(only(read(NER, body, version="3.1"))) == [('"é😊', "X")]


def test_what_goes_over_the_end_of_a_sentence_or_has_no_length_is_said() -> None:
    body = (
        "#Text=Hi\n1-1\t0-2\tHi\t*[7]\tX[7]\t\n\n"
        "#Text=Mia\n2-1\t3-6\tMia\t*[7]\tX[7]\t\n2-1.1\t6-6\t\t*\tY\t\n"
    )
    first, second = read(NER, body)
    assert entities(first) == [("Hi", "X")]
    assert entities(second) == [("Mia", "X")]
    assert isinstance(second, Record)
    assert second.unused == (
        "that one NamedEntity goes on from the sentence before",
        "NamedEntity of no length",
    )


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("1-1\t0-3\tMia\n", "3 columns"),
        ("1-1\t0-3\tMai\t_\t_\t\n", "do not stand"),
        ("1-1\t0-99\tMia\t_\t_\t\n", "do not stand"),
        ("Mia\tPER\n", "does not start"),
        ("", "no visible word"),
    ],
)
def test_lines_that_do_not_fit_are_wrong_rows(row: str, message: str) -> None:
    bad, good = read(NER, f"#Text=Mia\n{row}\n#Text=Bo\n2-1\t4-6\tBo\t_\tPER\t\n")
    assert isinstance(bad, RowProblem)
    assert message in bad.message
    assert entities(good) == [("Bo", "PER")]


def test_semantic_predicates_and_their_slots() -> None:
    package = "de.tudarmstadt.ukp.dkpro.core.api.semantics.type"
    layers = (
        f"#T_SP={package}.SemArg|\n"
        f"#T_SP={package}.SemPred|ROLE_{package}.SemPred:arguments_{package}.SemArgLink|{package}.SemArg|category\n"
    )
    body = """\
#Text=Mia sold the car
1-1\t0-3\tMia\t*\t_\t_\t_\t
1-2\t4-8\tsold\t_\tA0;A1\t1-1;1-3[2]\tsell.01\t
1-3\t9-12\tthe\t*[2]\t_\t_\t_\t
1-4\t13-16\tcar\t*[2]\t_\t_\t_\t
"""
    item = only(read(layers, body, "srl"))
    assert item.unused == ()
    assert item.annotation == {
        "predicates": [
            {
                "start": 4,
                "end": 8,
                "sense": "sell.01",
                "arguments": [
                    {"start": 0, "end": 3, "role": "ARG0"},
                    {"start": 9, "end": 16, "role": "ARG1"},
                ],
            }
        ]
    }
