"""spaCy's files: what spaCy itself finds in those that are written, and what is read of its own."""

import io
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import InvalidInput
from app.formats import READERS, WRITERS, ReadOptions, Record, RowProblem, docbin, guess_format
from app.formats.base import NO_FACTS
from app.tasks import TASKS
from tests.unit.formats.test_read_back_exactly import records, told
from tests.unit.formats.writing import entities, write

spacy = pytest.importorskip("spacy", reason="the extra “spacy” is not installed")
FACTS = replace(NO_FACTS, schema={"labels": [{"name": "positive"}, {"name": "negative"}]})


def read(data: bytes, task: str, **options: Any) -> list[Record | RowProblem]:
    return list(READERS["docbin"].read(io.BytesIO(data), task, ReadOptions(**options)))


def opened(data: bytes) -> list[Any]:
    """The documents as spaCy opens them."""
    found = spacy.tokens.DocBin().from_bytes(data)
    return list(found.get_docs(spacy.blank("xx").vocab))


def test_spacy_finds_the_text_the_entities_and_the_spans() -> None:
    text = "👍  Mia Ruiz\n\tleft Lima.\n"
    item = entities(text, ("Mia Ruiz", "PERSON"), ("Ruiz", "NAME"), ("Lima", "GPE"))
    (doc,) = opened(write("docbin", "ner", item))
    assert doc.text == text
    assert [(ent.text, ent.label_) for ent in doc.ents] == [("Mia Ruiz", "PERSON"), ("Lima", "GPE")]
    assert [(s.text, s.label_) for s in doc.spans["sc"]] == [
        ("Mia Ruiz", "PERSON"),
        ("Ruiz", "NAME"),
        ("Lima", "GPE"),
    ]
    assert [token.text for token in doc][:4] == ["👍", " ", "Mia", "Ruiz"]


def test_nothing_found_is_not_the_same_as_nobody_looked() -> None:
    nothing, nobody = opened(write("docbin", "ner", entities("Hi."), Record("Hi.", row=8)))
    assert (nothing.has_annotation("ENT_IOB"), nobody.has_annotation("ENT_IOB")) == (True, False)
    first, second = read(write("docbin", "ner", entities("Hi."), Record("Hi.", row=8)), "ner")
    assert isinstance(first, Record)
    assert isinstance(second, Record)
    assert (first.annotation, second.annotation) == ({"spans": []}, None)


def test_labels_are_categories_with_a_score_for_each_that_there_is() -> None:
    items = [Record("a", None, {"labels": names}, row=1) for names in (["negative"], [])]
    data = b"".join(
        WRITERS["docbin"].write(items, "sentiment", conversation=lambda record: [], facts=FACTS)
    )
    assert [doc.cats for doc in opened(data)] == [
        {"positive": 0.0, "negative": 1.0},
        {"positive": 0.0, "negative": 0.0},
    ]
    assert [item.annotation for item in read(data, "sentiment") if isinstance(item, Record)] == [
        {"labels": ["negative"]},
        {"labels": []},
    ]


@pytest.mark.parametrize("task", ["ner", "sentiment"])
@settings(max_examples=2, deadline=None, derandomize=True)
@given(data=st.data())
def test_what_is_written_is_read_back_the_same(task: str, data: st.DataObject) -> None:
    drawn = data.draw(st.lists(records(task), min_size=15, max_size=15))
    items = [item for several in drawn for item in several]
    raw = b"".join(
        WRITERS["docbin"].write(items, task, conversation=lambda record: [], facts=FACTS)
    )
    assert guess_format("a.spacy", raw, task) == guess_format("a", raw, task) == "docbin"
    back = read(raw, task)
    kind = TASKS[task]
    assert len(back) == len(items)
    for item, found in zip(items, back, strict=True):
        assert isinstance(found, Record)
        annotation = kind.dump(kind.canonical(kind.parse_payload(found.annotation or {})))
        same = told(replace(found, annotation=annotation, tokens=None), "docbin")
        wanted = told(replace(item, tokens=None), "docbin")
        if task == "sentiment":  # categories have no order
            for one in (same, wanted):
                one["annotation"] = sorted(one["annotation"]["labels"])
        assert same == wanted
        if item.tokens is not None and not WRITERS["docbin"].check(item, task):
            assert found.tokens == item.tokens


def test_what_spacy_knows_besides_is_named(tmp_path: Path) -> None:
    nlp = spacy.blank("en")
    doc = spacy.tokens.Doc(
        nlp.vocab, words=["Mia", "left"], tags=["NNP", "VBD"], lemmas=["Mia", "leave"]
    )
    doc.set_ents([spacy.tokens.Span(doc, 0, 1, "PERSON")])
    doc.spans["ruler"] = [spacy.tokens.Span(doc, 0, 1, "X")]
    doc.cats = {"news": 0.7}
    file = tmp_path / "a.spacy"
    spacy.tokens.DocBin(docs=[doc], store_user_data=True).to_disk(file)
    (item,) = read(file.read_bytes(), "ner", label_map={"PERSON": "PER"})
    assert isinstance(item, Record)
    assert item.annotation == {"spans": [{"start": 0, "end": 3, "label": "PER"}]}
    assert item.unused == ("tags", "lemmas", "spans: ruler", "categories")
    (problem,) = read(file.read_bytes(), "sentiment")
    assert isinstance(problem, RowProblem)
    assert "between 0 and 1" in problem.message


@pytest.mark.parametrize(
    "data", [b"text", zlib.compress(b"\x81\xa7version"), zlib.compress(b"\x81\xa7version\xa30.1")]
)
def test_other_files_are_refused(data: bytes) -> None:
    with pytest.raises(InvalidInput, match="no DocBin"):
        read(data, "ner")


def test_without_spacy_both_doors_say_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docbin.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InvalidInput, match="spaCy is not installed"):
        read(b"", "ner")
    with pytest.raises(InvalidInput, match="spaCy is not installed"):
        write("docbin", "ner", entities("Hi."))


def test_tokens_that_a_span_divides_are_named() -> None:
    item = entities("Miamia", ("Mia", "PER"), tokens=((0, 6),))
    assert WRITERS["docbin"].check(item, "ner")
    assert not WRITERS["docbin"].check(entities("Mia", ("Mia", "PER"), tokens=((0, 3),)), "ner")
