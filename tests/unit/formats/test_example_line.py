"""The stored line of an example: the same bytes for the same example, and all of it comes back."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.formats import WRITERS
from app.formats.base import Record
from app.formats.example import (
    StoredExample,
    example_of,
    id_of,
    read_line,
    record_of,
    write_line,
    write_text,
)

LINE = (
    '{"id":7,"external_id":"r-12","split":"train","inputs":{"text":"Ada hat’s.","tokens":[[0,3]]},'
    '"annotation":{"spans":[{"start":0,"end":3,"label":"PER"}]},"meta":{"a":1,"b":{"x":1,"y":[2]}}}\n'
).encode()
SPANS = {"spans": [{"start": 0, "end": 3, "label": "PER"}]}
names = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | names,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(names, values, max_size=4)


def test_the_line_has_always_been_the_same() -> None:
    inputs = {"text": "Ada hat’s.", "tokens": [[0, 3]]}
    example = StoredExample(inputs, "train", 7, "r-12", SPANS, {"b": {"y": [2], "x": 1}, "a": 1})
    assert write_line(example) == LINE
    assert id_of(LINE) == 7
    bare = StoredExample({"text": "a"}, "test", 1)
    assert write_line(bare) == (
        b'{"id":1,"external_id":null,"split":"test","inputs":{"text":"a","tokens":null},'
        b'"annotation":null,"meta":{}}\n'
    )
    assert write_text("train", {"tokens": None, "text": "a"}) == (
        b'{"split":"train","inputs":{"text":"a","tokens":null}}\n'
    )


def test_all_inputs_of_an_example_are_in_its_line() -> None:
    pair = {"text": "Is it?", "second": "It is.", "about": {"b": 1, "a": 2}}
    line = write_line(StoredExample(pair, "train", 1))
    assert (
        b'"inputs":{"text":"Is it?","tokens":null,"about":{"a":2,"b":1},"second":"It is."}' in line
    )
    turns = {"turns": [{"role": "user", "content": "Hm?"}], "system": "Be brief."}
    assert read_line(write_line(StoredExample(turns))).inputs == turns


def test_the_jsonl_writer_writes_the_line() -> None:
    writer = WRITERS["jsonl"]
    record = record_of(read_line(LINE))
    assert b"".join(writer.write([record], "ner", conversation=lambda _record: [])) == LINE
    pair = Record("Is it?", others={"second": "It is."}, row=3)
    assert record_of(example_of(pair)) == pair


@pytest.mark.parametrize("line", [b"[]", b"7", b"{}", b'{"text": "a"}', b"nothing"])
def test_what_is_no_example_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError, match=r"example|JSON|char"):
        read_line(line)


@given(others=objects, meta=objects, annotation=st.none() | objects, own=st.none() | names)
def test_what_is_written_is_read_back(
    others: dict[str, Any], meta: dict[str, Any], annotation: dict[str, Any] | None, own: str | None
) -> None:
    inputs = {**others, "text": "Ada.", "tokens": [[0, 3]]}
    example = StoredExample(inputs, "test", 5, own, annotation, meta)
    assert read_line(write_line(example)) == example


@given(meta=objects, others=objects)
def test_the_order_of_names_says_nothing(meta: dict[str, Any], others: dict[str, Any]) -> None:
    def turned(value: Any) -> Any:
        """The value as jsonb may give it back: its names in another order."""
        if isinstance(value, dict):
            return {name: turned(value[name]) for name in reversed(value)}
        return [turned(item) for item in value] if isinstance(value, list) else value

    inputs = {"text": "Ada.", **others}
    line = write_line(StoredExample(inputs, "train", 1, meta=meta))
    assert write_line(StoredExample(turned(inputs), "train", 1, meta=turned(meta))) == line
    assert orjson.loads(line)["meta"] == meta
