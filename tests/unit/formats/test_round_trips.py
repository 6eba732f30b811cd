"""What is exported can be imported again and gives the same annotations, whatever the text holds."""

import io
import zipfile
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.formats import READERS, WRITERS, ReadOptions, Record
from app.tasks import TASKS

LABELS = ("PER", "组织", "time-of day")
ROLES = ("ARG0", "ARG1", "ARGM-TMP", "C-ARG1", "R-ARG0")
ANY_TEXT = st.text(
    st.one_of(
        st.characters(exclude_categories=("Cs",), exclude_characters="\x00"),
        st.sampled_from("aZ ,;|\t\n\r\"'\\{}[]好的👩‍👩‍👧🇪🇸é"),
    ),
    min_size=1,
    max_size=40,
).filter(str.strip)
# What a column can hold: words without white space, and none that could be taken for a mark of the format.
WORDS = st.lists(
    st.text("abcXYZ019好天气é🎬'-", min_size=1, max_size=5).filter(lambda w: set(w) - set("-'")),
    min_size=1,
    max_size=12,
)
TAGS = {"conll2003", "conll_iob1", "conll_bioes", "conll_bmes", "conll_bilou", "conll_io"}
READS = {
    **dict.fromkeys(TAGS, "conll"),
    **dict.fromkeys(("doccano", "doccano_relations"), "jsonl"),
    "label_studio": "json",
    "messages": "jsonl",
    "alpaca": "json",
    "sharegpt": "json",
    "trl_chat": "jsonl",
    "huggingface": "parquet",
}
IN_COLUMNS = {*TAGS, "conll2005", "conll2009", "conll2012", "conllu", "up"}
ONE_WORD = {"conll2009"}
"""Formats whose arguments are single words."""
SLOW = {"docbin"}
"""Each file takes a process of its own: `test_docbin` tries many examples at once."""
NOT_READ = {"trl"}
"""Its prompt is the instruction and the text as one."""
each_export = pytest.mark.parametrize(
    ("task", "name"),
    [
        (task, name)
        for task, kind in TASKS.items()
        for name in kind.export_formats
        if name not in SLOW | NOT_READ
    ],
)


@st.composite
def ranges(draw: st.DrawFn, length: int) -> list[tuple[int, int]]:
    """Ranges of 0 … length that lie apart."""
    cuts = sorted(draw(st.sets(st.integers(0, length), max_size=6)))
    return list(pairwise(cuts))[:: draw(st.sampled_from([1, 2]))]


@st.composite
def payloads(draw: st.DrawFn, task: str, length: int) -> dict[str, Any] | None:
    if draw(st.integers(0, 9)) == 0:
        return None
    if task == "sentiment":
        return {"labels": [draw(st.sampled_from(("positive", "消极", 'a "b", c')))]}
    if task == "ner":
        spans = draw(ranges(length))
        return {
            "spans": [
                {"start": a, "end": b, "label": draw(st.sampled_from(LABELS[:2]))} for a, b in spans
            ]
        }
    predicates = []
    for start, end in draw(ranges(length)):
        sense = draw(st.sampled_from((None, "give.01", "take_up.12")))
        arguments = [
            {"start": a, "end": b, "role": draw(st.sampled_from(ROLES))}
            for a, b in draw(ranges(length))
            if b <= start or end <= a
        ]
        predicates.append({"start": start, "end": end, "sense": sense, "arguments": arguments})
    return {"predicates": predicates}


@st.composite
def records(draw: st.DrawFn, task: str, name: str) -> list[Record]:
    """Some records of a task, such as the format can hold them."""
    found = []
    for number in range(1, draw(st.integers(1, 4)) + 1):
        tokens: tuple[tuple[int, int], ...] | None = None
        if name in IN_COLUMNS:
            words = draw(WORDS)
            text = " ".join(words)
            starts = [sum(len(w) + 1 for w in words[:i]) for i in range(len(words))]
            tokens = tuple((a, a + len(w)) for a, w in zip(starts, words, strict=True))
            payload = on_tokens(draw(payloads(task, len(words))), tokens, name)
        else:
            text = draw(ANY_TEXT)
            payload = visible(draw(payloads(task, len(text))), text)
        found.append(Record(text, tokens, canonical(task, payload), row=number))
    return found


def on_tokens(
    payload: dict[str, Any] | None, tokens: tuple[tuple[int, int], ...], name: str
) -> dict[str, Any] | None:
    """A payload over word numbers as one over characters."""

    def place(item: dict[str, Any]) -> dict[str, Any]:
        last = item["start"] if name in ONE_WORD else item["end"] - 1
        return item | {"start": tokens[item["start"]][0], "end": tokens[last][1]}

    if payload is None or "labels" in payload:
        return payload
    if "spans" in payload:
        return {"spans": [place(span) for span in payload["spans"]]}
    return {
        "predicates": [
            place(p)
            | {
                "arguments": [place(a) for a in p["arguments"]],
                "sense": p["sense"] or "say.01",
            }
            for p in payload["predicates"]
        ]
    }


def visible(payload: dict[str, Any] | None, text: str) -> dict[str, Any] | None:
    """The payload as it is stored: no span begins or ends with white space, or is nothing else."""

    def trimmed(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
        found = []
        for item in items:
            words = text[item["start"] : item["end"]]
            if words.strip():
                start = item["start"] + len(words) - len(words.lstrip())
                found.append(item | {"start": start, "end": start + len(words.strip())})
        return found

    if payload is None or "labels" in payload:
        return payload
    if "spans" in payload:
        return {"spans": trimmed(payload["spans"])}
    return {
        "predicates": [
            p | {"arguments": trimmed(p["arguments"])} for p in trimmed(payload["predicates"])
        ]
    }


def canonical(task: str, payload: dict[str, Any] | None) -> dict[str, Any] | None:
    if payload is None:
        return None
    kind = TASKS[task]
    return kind.dump(kind.canonical(kind.parse_payload(payload)))


def write(name: str, task: str, items: Iterable[Record]) -> bytes:
    kind = TASKS[task]

    def conversation(record: Record) -> list[dict[str, str]]:
        assert record.annotation is not None
        return kind.conversation({"text": record.text}, record.annotation, "Do it.")

    writer = WRITERS[name]
    return b"".join(writer.write(items, task, conversation=conversation, comments=True))


def read(name: str, task: str, data: bytes) -> list[Record]:
    reader, options = READERS[READS.get(name, name)], ReadOptions(encoding="utf-8")
    if name == "huggingface":
        with zipfile.ZipFile(io.BytesIO(data)) as folder:
            names = [name for name in folder.namelist() if name.endswith(".parquet")]
            found = [
                r for n in names for r in reader.read(io.BytesIO(folder.read(n)), task, options)
            ]
    else:
        found = list(reader.read(io.BytesIO(data), task, options))
    wrong = [item for item in found if not isinstance(item, Record)]
    assert not wrong
    return [item for item in found if isinstance(item, Record)]


@each_export
@settings(max_examples=60, deadline=None, derandomize=True)
@given(data=st.data())
def test_an_export_reads_back_as_the_same_annotations(
    task: str, name: str, data: st.DataObject
) -> None:
    items = data.draw(records(task, name))
    if name in {"messages", "alpaca", "sharegpt", "trl_chat", "webanno", *IN_COLUMNS}:
        # A conversation and a column of tags both say something of every text.
        items = [item for item in items if item.annotation is not None]
    if any(WRITERS[name].check(item, task) for item in items):
        return  # the format cannot hold it, and the export says so beforehand
    back = read(name, task, write(name, task, items))
    assert [item.text for item in back] == [item.text for item in items]
    assert [canonical(task, item.annotation) for item in back] == [
        item.annotation for item in items
    ]


@each_export
def test_an_export_of_the_same_records_is_the_same_bytes(task: str, name: str) -> None:
    payload = {
        "sentiment": {"labels": ["positive"]},
        "ner": {"spans": [{"start": 0, "end": 3, "label": "PER"}]},
        "srl": {
            "predicates": [
                {
                    "start": 4,
                    "end": 8,
                    "sense": "give.01",
                    "arguments": [{"start": 0, "end": 3, "role": "ARG0"}],
                }
            ]
        },
    }[task]
    item = Record("Ada gave Bo a map.", annotation=payload, row=1)
    first = write(name, task, [item])
    assert first == write(name, task, [item])
    assert read(name, task, first)[0].annotation == payload
