"""The formats of other tools, to the character, and what each cannot say."""

import io
import json

import pytest

from app.formats import READERS, WRITERS, ReadOptions, Record
from tests.unit.formats.writing import entities, predicate, write

MIA = entities("👍 Mia Ruiz left Lima.", ("Mia Ruiz", "PER"), ("Lima", "LOC"))
LEFT = predicate("Mia left Lima.", "left", "leave.01", ("Mia", "ARG0"), ("Lima", "ARG1"))


def test_label_studio_counts_utf_16_units() -> None:
    item = entities(MIA.text, ("Mia Ruiz", "PER"), external_id="r-1", split="test", meta={"a": 1})
    assert json.loads(write("label_studio", "ner", item)) == [
        {
            "data": {
                "text": "👍 Mia Ruiz left Lima.",
                "external_id": "r-1",
                "split": "test",
                "meta": {"a": 1},
            },
            "annotations": [
                {
                    "result": [
                        {
                            "id": "7-1",
                            "from_name": "label",
                            "to_name": "text",
                            "type": "labels",
                            "value": {"start": 3, "end": 11, "text": "Mia Ruiz", "labels": ["PER"]},
                        }
                    ]
                }
            ],
        }
    ]


def test_label_studio_has_choices_for_the_labels_of_a_text() -> None:
    (task,) = json.loads(
        write("label_studio", "sentiment", Record("Fine.", None, {"labels": ["a", "b"]}, row=2))
    )
    (result,) = task["annotations"][0]["result"]
    assert (result["type"], result["value"]) == ("choices", {"choices": ["a", "b"]})


def test_doccano_has_a_list_or_objects_of_spans() -> None:
    assert json.loads(write("doccano", "ner", MIA)) == {
        "text": MIA.text,
        "label": [[2, 10, "PER"], [16, 20, "LOC"]],
    }
    assert json.loads(write("doccano_relations", "ner", MIA)) == {
        "text": MIA.text,
        "entities": [
            {"id": 1, "label": "PER", "start_offset": 2, "end_offset": 10},
            {"id": 2, "label": "LOC", "start_offset": 16, "end_offset": 20},
        ],
        "relations": [],
    }
    item = Record("Fine.", None, {"labels": ["a"]}, row=2)
    assert json.loads(write("doccano", "sentiment", item)) == {"text": "Fine.", "label": ["a"]}


@pytest.mark.parametrize("name", ["label_studio", "doccano"])
def test_an_answer_without_a_label_is_said_to_be_lost(name: str) -> None:
    assert WRITERS[name].check(Record("Fine.", None, {"labels": []}), "sentiment")
    assert not WRITERS[name].check(Record("Fine.", None, {"labels": ["a"]}), "sentiment")


@pytest.mark.parametrize(
    ("name", "tags"),
    [
        ("conll2003", "B-A I-A I-A B-A B-C O"),
        ("conll_iob1", "I-A I-A I-A B-A I-C O"),
        ("conll_bioes", "B-A I-A E-A S-A S-C O"),
        ("conll_bmes", "B-A M-A E-A S-A S-C O"),
        ("conll_bilou", "B-A I-A L-A U-A U-C O"),
        ("conll_io", "I-A I-A I-A I-A I-C O"),
    ],
)
def test_tag_schemes(name: str, tags: str) -> None:
    item = entities("New York City Lima Mia .", ("New York City", "A"), ("Lima", "A"), ("Mia", "C"))
    lines = write(name, "ner", item).decode().splitlines()[2:-1]
    assert lines == [
        f"{word} -X- -X- {tag}" for word, tag in zip(item.text.split(), tags.split(), strict=True)
    ]
    notes = WRITERS[name].check(item, "ner")
    assert [note.partition(":")[0] for note in notes] == (
        ["“Lima” (A) follows an entity of its own type"] if name == "conll_io" else []
    )


def test_conllu_has_tags_in_misc_and_says_where_no_blank_is() -> None:
    item = entities("Mia left Lima.", ("Mia", "PER"), ("Lima", "LOC"), external_id="s-1")
    assert write("conllu", "ner", item).decode() == (
        "# sent_id = s-1\n"
        "# text = Mia left Lima.\n"
        "1\tMia\t_\t_\t_\t_\t_\t_\t_\tNER=B-PER\n"
        "2\tleft\t_\t_\t_\t_\t_\t_\t_\tNER=O\n"
        "3\tLima\t_\t_\t_\t_\t_\t_\t_\tNER=B-LOC|SpaceAfter=No\n"
        "4\t.\t_\t_\t_\t_\t_\t_\t_\tNER=O\n\n"
    )
    assert "cannot be read back" in WRITERS["conllu"].check(entities("a", ("a", "x|y")), "ner")[0]


def test_conllu_is_what_the_library_of_that_name_reads() -> None:
    conllu = pytest.importorskip("conllu")
    (sentence,) = conllu.parse(write("conllu", "ner", MIA, comments=True).decode())
    assert sentence.metadata["text"] == MIA.text
    assert [token["form"] for token in sentence] == ["👍", "Mia", "Ruiz", "left", "Lima", "."]
    assert [token["misc"]["NER"] for token in sentence] == [
        "O",
        "B-PER",
        "I-PER",
        "O",
        "B-LOC",
        "O",
    ]
    assert sentence[4]["misc"]["SpaceAfter"] == "No"
    (sentence,) = conllu.parse(write("up", "srl", LEFT).decode())
    assert [token["up:pred"] for token in sentence] == ["_", "leave.01", "_", "_"]
    assert sentence[1]["up:argspans"] == "A0:1-1|A1:3-3"


def test_conll2012_has_brackets_documents_and_an_empty_coreference() -> None:
    item = entities(
        "Mia Ruiz left Lima.",
        ("Mia Ruiz", "PER"),
        ("Ruiz", "NAME"),
        ("Lima", "LOC"),
        meta={"document": "mail/1", "part": "2", "speaker": "Bo"},
    )
    rows = [
        line.split()
        for line in write("conll2012", "ner", item, LEFT).decode().splitlines()
        if line and line[0] != "#"
    ]
    assert [row[10] for row in rows[:5]] == ["(PER*", "(NAME))", "*", "(LOC)", "*"]
    assert rows[0] == ["mail/1", "2", "0", "Mia", "-", "*", "-", "-", "-", "Bo", "(PER*", "-"]
    text = write("conll2012", "srl", item, LEFT).decode()
    assert text.startswith("#begin document (mail/1); part 002\n")
    assert "\n\n#end document\n#begin document (-); part 000\n" in text
    assert text.endswith("\n\n#end document\n")
    assert "-\t0\t1\tleft\t-\t*\tleave\t01\t-\t-\t*\t(V*)\t-\n" in text


def test_webanno_has_escapes_parts_of_tokens_and_numbers() -> None:
    item = entities("👍 a|b\tRuizes", ("a|b", "X_[1]"), ("Ruiz", "PER"), external_id="s-1")
    assert write("webanno", "ner", item).decode() == (
        "#FORMAT=WebAnno TSV 3.3\n"
        "#T_SP=de.tudarmstadt.ukp.dkpro.core.api.ner.type.NamedEntity|identifier|value\n\n\n"
        "#Sentence.id=s-1\n"
        "#Text=👍 a|b\\tRuizes\n"
        "1-1\t0-2\t👍\t_\t_\t\n"
        "1-2\t3-4\ta\t*[1]\tX\\_\\[1\\][1]\t\n"
        "1-3\t4-5\t|\t*[1]\tX\\_\\[1\\][1]\t\n"
        "1-4\t5-6\tb\t*[1]\tX\\_\\[1\\][1]\t\n"
        "1-5\t7-13\tRuizes\t_\t_\t\n"
        "1-5.1\t7-11\tRuiz\t*\tPER\t\n\n"
    )


def test_webanno_has_slots_for_arguments() -> None:
    lines = write("webanno", "srl", LEFT, LEFT).decode().splitlines()
    assert "1-2\t4-8\tleft\t_\tARG0;ARG1\t1-1;1-3\tleave.01\t" in lines
    assert "2-3\t24-28\tLima\t*\t_\t_\t_\t" in lines


def test_a_role_that_comes_back_otherwise_is_said() -> None:
    item = predicate("Mia left.", "left", "leave.01", ("Mia", "A0"))
    for name in ("conll2005", "conll2009", "conll2012", "up", "webanno"):
        assert WRITERS[name].check(item, "srl") == ["The role “A0” is read back as “ARG0”."]
    assert not WRITERS["brat"].check(item, "srl")


def test_what_has_no_place_is_said() -> None:
    assert WRITERS["brat"].leaves_out == ("meta data", "tokens", "external ids")
    assert WRITERS["webanno"].leaves_out == ("meta data",)
    item = entities("Mia left.", ("Mia", "PER"), external_id="a\nb")
    assert WRITERS["webanno"].check(item, "ner") == ["Its id has a line break, and is not written."]


def test_an_entity_in_brackets_does_not_make_tags_brackets() -> None:
    data = write("conllu", "ner", MIA, entities("Lima.", ("Lima", "(z)")), comments=True)
    first, second = READERS["conllu"].read(io.BytesIO(data), "ner", ReadOptions())
    assert isinstance(first, Record)
    assert isinstance(second, Record)
    assert first.annotation == MIA.annotation
    assert second.annotation == {"spans": [{"start": 0, "end": 4, "label": "(z)"}]}
