"""The tokeniser: borders that people and models can live with."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.tasks.tokenize import tokenize


def words(text: str) -> list[str]:
    return [text[start:end] for start, end in tokenize(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello, world!", ["Hello", ",", "world", "!"]),
        ("don't pay 3.14", ["don't", "pay", "3.14"]),
        ("北京大学很好。", ["北", "京", "大", "学", "很", "好", "。"]),
        ("用 GPT 写 code", ["用", "GPT", "写", "code"]),
        ("a\u3000b\u200bc\tz", ["a", "b", "\u200b", "c", "z"]),
        ("e\u0301te\u0301", ["e\u0301te\u0301"]),
        ("👨‍👩‍👧🇨🇳👍🏽", ["👨‍👩‍👧", "🇨🇳", "👍🏽"]),
        ("", []),
        (" \n\t", []),
    ],
)
def test_tokens_of(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@given(st.text())
def test_tokens_are_in_order_apart_and_cover_everything_visible(text: str) -> None:
    end = 0
    for start, stop in tokenize(text):
        assert not text[end:start].strip(), "visible characters between tokens"
        assert end <= start < stop
        assert not any(c.isspace() for c in text[start:stop])
        end = stop
    assert not text[end:].strip()


@given(st.text(alphabet=st.characters(codec="utf-8"), min_size=1))
def test_no_token_starts_with_a_common_combining_mark_that_belongs_to_the_one_before(
    text: str,
) -> None:
    for (_start, end), (start, _end) in zip(tokenize(text), tokenize(text)[1:], strict=False):
        if end == start:
            assert not 0x300 <= ord(text[start]) <= 0x36F, unicodedata.name(text[start])
