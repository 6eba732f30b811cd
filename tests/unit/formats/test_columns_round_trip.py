"""What the columns formats write with comments is read back the same, whatever its words look like."""

import io
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.formats import READERS, WRITERS, ReadOptions, Record, guess_format

NASTY = """
# O o I-95 E-mail B-PER PER-B B_PER -DOCSTART- #begin #end #text #tag=1 document 1 2 1-2 3.1 = == * ** (V* (V*) (A0* - _
-X- Y text tokens
meta split global.columns sent_id " ' { } [1] | B-A|B-B ; \\ \\t 好 。 é 👩‍👩‍👧 #FORMAT=WebAnno blood . U.S.
"""
WORDS = st.lists(
    st.sampled_from([*NASTY.split(), "\ufeff", "\u200b"])
    | st.text("aO-#|_.*", min_size=1, max_size=4),
    min_size=1,
    max_size=6,
)
GAPS = st.sampled_from(["", " ", "  ", "\n", "\t", "\u3000", "\xa0"])
SENSES = st.sampled_from(
    [None, "give.01", "U.S..x", "a.b.02", "=.01", "*.01", "give", "_.01", "x."]
)
ROLES = st.sampled_from(["ARG0", "R-ARG1", "ARGM-TMP", "agent", "V", "_", "a b", "(x", "施事"])
LABELS = st.sampled_from(
    ["PER", "B-PER", "PER-B", "O", "o", "_", "-", "a b", "A|B", "A|B-C", "NP", "e-mail"]
)
ENDS = {"conll2003": "ner", "conll2005": "srl", "conll2009": "srl"}


def place(tokens: list[tuple[int, int]], at: int, length: int) -> dict[str, int]:
    first = at % len(tokens)
    last = min(first + length, len(tokens) - 1)
    return {"start": tokens[first][0], "end": tokens[last][1]}


@st.composite
def sentences(draw: st.DrawFn, name: str) -> Record:
    """A sentence with an annotation on its tokens."""
    text, tokens = draw(GAPS), []
    for word in draw(WORDS):
        tokens.append((len(text), len(text) + len(word)))
        text += word + draw(GAPS)
    number = st.integers(0, 5)
    annotation: dict[str, Any]
    if name == "conll2003":
        found = {draw(number) % len(tokens): draw(LABELS) for _ in range(draw(number))}
        spans = [place(tokens, at, 0) | {"label": found[at]} for at in sorted(found)]
        annotation = {"spans": spans}
    else:
        predicates = []
        for at in sorted({draw(number) % len(tokens) for _ in range(draw(number))}):
            length = 0 if name == "conll2009" else draw(st.integers(0, 2))
            arguments = [
                place(tokens, draw(number), length) | {"role": draw(ROLES)}
                for _ in range(draw(st.integers(0, 2)))
            ]
            arguments.sort(key=lambda a: (a["start"], a["end"]))
            predicates.append(
                place(tokens, at, 0) | {"sense": draw(SENSES), "arguments": arguments}
            )
        annotation = {"predicates": predicates}
    return Record(
        text,
        tuple(tokens),
        annotation,
        draw(st.sampled_from([None, "a", " a ", "x\ny", '"q"', "k = v"])),
        draw(st.sampled_from([{}, {"a": [1, None]}, {"comments": "O", "text": "x"}])),
        split=draw(st.sampled_from([None, "test"])),
    )


def write(name: str, items: list[Record]) -> bytes:
    writer = WRITERS[name]
    return b"".join(writer.write(items, ENDS[name], conversation=lambda record: [], comments=True))


def told(record: Record) -> tuple[Any, ...]:
    """All that a record says of its example."""
    return (
        record.text,
        record.tokens,
        record.annotation,
        record.external_id,
        record.meta,
        record.split,
    )


@pytest.mark.parametrize("name", ENDS)
@settings(max_examples=300, deadline=None, derandomize=True)
@given(data=st.data())
def test_sentences_are_read_back_the_same(name: str, data: st.DataObject) -> None:
    items = data.draw(st.lists(sentences(name), min_size=1, max_size=3))
    items = [item for item in items if item.text.strip("\ufeff\u200b \n\t\u3000\xa0")]
    fine = [item for item in items if not WRITERS[name].check(item, ENDS[name])]
    # What a format cannot say of a sentence is said beforehand, and does no harm to the others.
    raw = write(name, items)
    reader = guess_format(f"a.{WRITERS[name].extension}", raw, ENDS[name]) if items else name
    assert not items or reader == {"conll2003": "conll"}.get(name, name)
    back = (
        list(READERS[reader].read(io.BytesIO(raw), ENDS[name], ReadOptions(encoding="utf-8")))
        if items
        else []
    )
    assert len(back) == len(items)
    for item, found in zip(items, back, strict=True):
        assert isinstance(found, Record), found
        assert (found.text, found.tokens) == (item.text, item.tokens)
        if item in fine:
            assert told(found) == told(item)


def test_sentences_whose_texts_look_like_the_format_itself() -> None:
    texts = [
        "Blood type O",
        "Drive on the I-95",
        "# text = O",
        "-DOCSTART- O",
        "1 2 3",
        "#begin document",
    ]
    items = [Record(text, annotation={"spans": []}) for text in texts]
    back = list(READERS["conll"].read(io.BytesIO(write("conll2003", items)), "ner", ReadOptions()))
    assert [item.text for item in back if isinstance(item, Record)] == texts
