"""Whatever an example holds, each format says it exactly, or says beforehand what it cannot say."""

import io
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.formats import READERS, WRITERS, ReadOptions, Record, guess_format
from app.tasks import TASKS
from app.tasks.base import TextInputs
from app.tasks.tokenize import tokenize

TEXTS = (
    "Blood type O",
    "Ada Lovelace met Bo.",
    "李明在北京大学工作。",
    "👩‍👩‍👧 Zoë\u0301 flew to São Paulo 🇧🇷!",
    "  leading, and trailing \u00a0",
    "two\nlines\r\nand\ta tab",
    "# text = O\n-DOCSTART- -X- O",
    "B-PER\tO\n\n1-2\t0-3\tx | y; [1] -> *",
    "نص عربي O",
    '"quoted" \\n \\\\ _ * (a) ; a=b',
    "\u2028x\u3000y\x0bz",
)
LABELS = (
    "PER", "Person-Name", "time of day", "组织", "A|B", "O", "I-X", "a:b", "c_d", "[1]", "*", "x;y", "(z)", "p\\q",
)  # fmt: skip
ROLES = ("ARG0", "ARGM-TMP", "C-ARG1", "R-ARG0", "A1", "施事", "a role", "x:y", "p|q", "x;y")
SENSES = (None, "give.01", "take_up.12", "a.b.02", "give", "two words.01", "Predicate", "_.01", "*")
METAS = ({}, {"source": "mail", "n": [1, None]}, {"document": "d/1", "part": "0"})
IDS = (None, "r-12", " a ", "x\ny", "k = v", "#1")
CONVERSATIONS = ("messages", "alpaca", "sharegpt", "trl", "trl_chat")
"""They say text and annotation alone."""
SLOW = ("docbin",)
"""Each file takes a process of its own: `test_docbin` tries many examples at once."""
NUMBERED = ("brat",)
"""They name an example by its number, which is read as its id."""
WITHOUT_SPLITS = ("webanno",)
SEVERAL_FILES = ("huggingface",)
"""A zip of files that are read one by one: `test_round_trips` does."""
ADDED = ("document", "part", "id")
"""Keys of meta that a format's own columns become: an example has a number in CSV, a document in CoNLL-2012."""
each = pytest.mark.parametrize(
    ("task", "name"),
    [
        (task, name)
        for task, kind in TASKS.items()
        for name in kind.export_formats
        if name not in (*CONVERSATIONS, *SEVERAL_FILES, *SLOW)
    ],
)


def places(text: str) -> st.SearchStrategy[dict[str, int]]:
    """Spans from the beginning or the middle of a word to its or another's end."""
    words = [match.span() for match in re.finditer(r"\w+|[^\w\s]", text)]

    def place(numbers: tuple[int, int, bool]) -> dict[str, int]:
        first, length, is_cut = numbers
        start, end = words[first % len(words)]
        last = words[min(first % len(words) + length, len(words) - 1)][1]
        return {"start": start + (is_cut and end - start > 1), "end": last}

    cut = st.sampled_from([False] * 9 + [True])
    return st.tuples(st.integers(0, 20), st.integers(0, 2), cut).map(place)


@st.composite
def annotations(draw: st.DrawFn, task: str, text: str) -> dict[str, Any]:
    if task == "sentiment":
        names = st.sampled_from(("positive", "very good", "消极", "a|b", "c-d", "1"))
        return {"labels": draw(st.lists(names, max_size=2, unique=True))}
    place = places(text)
    if task == "ner":
        spans = draw(st.lists(place, max_size=4))
        return {"spans": [span | {"label": draw(st.sampled_from(LABELS))} for span in spans]}
    predicates = []
    for head in draw(st.lists(place, max_size=3, unique_by=lambda p: (p["start"], p["end"]))):
        arguments = draw(st.lists(place, max_size=3))
        roles = [argument | {"role": draw(st.sampled_from(ROLES))} for argument in arguments]
        predicates.append(head | {"sense": draw(st.sampled_from(SENSES)), "arguments": roles})
    return {"predicates": predicates}


@st.composite
def records(draw: st.DrawFn, task: str) -> list[Record]:
    found = []
    for number in range(1, draw(st.integers(1, 3)) + 1):
        text = draw(st.sampled_from(TEXTS))
        kind = TASKS[task]
        payload = kind.parse_payload(draw(annotations(task, text)))
        annotation = kind.dump(kind.normalise(payload, TextInputs(text=text)))
        tokens = draw(
            st.sampled_from([None, tokenize(text), [m.span() for m in re.finditer(r"\S+", text)]])
        )
        found.append(
            Record(
                text,
                None if tokens is None else tuple(tokens),
                annotation,
                draw(st.sampled_from(IDS)),
                draw(st.sampled_from(METAS)),
                number,
                draw(st.sampled_from([None, "train", "validation", "test"])),
            )
        )
    return found


def write(name: str, task: str, items: list[Record]) -> bytes:
    pieces = WRITERS[name].write(items, task, conversation=lambda record: [], comments=True)
    return b"".join(pieces)


def told(item: Record, name: str) -> dict[str, Any]:
    """All that a format has to say of an example."""
    lost = WRITERS[name].leaves_out
    has_meta = "meta data" not in lost
    return {
        "text": item.text,
        "annotation": item.annotation,
        "tokens": None if "tokens" in lost else item.tokens,
        "external_id": None if "external ids" in lost else item.external_id,
        "split": None if name in WITHOUT_SPLITS else item.split,
        "meta": {k: v for k, v in item.meta.items() if has_meta and k not in ADDED},
    }


@each
@settings(max_examples=25, deadline=None, derandomize=True)
@given(data=st.data())
def test_what_is_written_is_read_back_the_same_or_said_to_be_lost(
    task: str, name: str, data: st.DataObject
) -> None:
    items = data.draw(records(task))
    raw = write(name, task, items)
    options = ReadOptions(encoding="utf-8")
    reader = guess_format(f"a.{WRITERS[name].extension}", raw, task)
    back = sorted(
        READERS[reader].read(io.BytesIO(raw), task, options),
        key=lambda item: getattr(item, "external_id", "") or "" if name in NUMBERED else 0,
    )
    assert len(back) == len(items)
    for item, found in zip(items, back, strict=True):
        is_fine = not WRITERS[name].check(item, task)
        assert isinstance(found, Record) or not is_fine, (found, item)
        if is_fine and isinstance(found, Record):
            kind = TASKS[task]
            assert found.annotation is not None
            canonical = kind.dump(kind.canonical(kind.parse_payload(found.annotation)))
            # Formats of words have some for texts whose source had none.
            tokens = None if item.tokens is None else found.tokens
            again = replace(found, annotation=canonical, tokens=tokens)
            assert told(again, name) == told(item, name)


@each
def test_each_format_says_of_an_example_without_any_label_that_there_is_none(
    task: str, name: str
) -> None:
    """No entities, no predicates, no label that fits: that is an answer, too."""
    key = {"sentiment": "labels", "ner": "spans", "srl": "predicates"}[task]
    item = Record("Blood type O", None, {key: []}, row=1)
    if WRITERS[name].check(item, task):
        return
    raw = write(name, task, [item])
    reader = guess_format(f"a.{WRITERS[name].extension}", raw, task)
    (found,) = READERS[reader].read(io.BytesIO(raw), task, ReadOptions())
    assert isinstance(found, Record)
    assert (found.text, found.annotation) == (item.text, item.annotation)
