"""Texts of formats that only have words: joining them by one rule, or finding them in the text that is given.

The rule: one space between two words, none where both neighbours are CJK characters or punctuation.
"""

import re
from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Any

_CJK = re.compile(
    "[\u2e80-\u30ff\u3100-\u312f\u31a0-\u31ff\u3400-\u9fff\uf900-\ufaff\uff01-\uff65\U00020000-\U0003ffff]"
)

Tokens = tuple[tuple[int, int], ...]


def join(words: Sequence[str], glued: Sequence[bool] = ()) -> tuple[str, Tokens]:
    """(text, token offsets) of words; `glued[i]`: no space behind word i, whatever the rule says."""
    pieces: list[str] = []
    tokens = []
    at = 0
    for number, word in enumerate(words):
        if number and not (glued and glued[number - 1]) and not _touch(words[number - 1], word):
            pieces.append(" ")
            at += 1
        pieces.append(word)
        tokens.append((at, at + len(word)))
        at += len(word)
    return "".join(pieces), tuple(tokens)


def _touch(before: str, after: str) -> bool:
    return bool(_CJK.match(before[-1:]) and _CJK.match(after[:1]))


def locate(words: Sequence[str], text: str) -> Tokens | None:
    """Where the words stand in the text, one after the other; None where one is not found."""
    tokens = []
    at = 0
    for word in words:
        start = text.find(word, at)
        # Only white space may be passed over: else a word was found too far on.
        if start < 0 or text[at:start].strip():
            return None
        at = start + len(word)
        tokens.append((start, at))
    return tuple(tokens)


def are_tokens(value: Any, text: str, count: int) -> bool:
    """Whether a value out of a file is that many pairs of start and end, in order, in the text."""
    if not isinstance(value, list) or len(value) != count:
        return False
    end = 0
    for pair in value:
        if not (isinstance(pair, list) and len(pair) == 2 and all(type(n) is int for n in pair)):
            return False
        if not end <= pair[0] < pair[1] <= len(text):
            return False
        end = pair[1]
    return True


def code_points(text: str) -> Callable[[int], int | None]:
    """From offsets in UTF-16 units, which Java and JavaScript count, to code points; None inside a character or
    beyond the text."""
    if len(text) * 2 == len(text.encode("utf-16-le", "surrogatepass")):
        return lambda unit: unit if 0 <= unit <= len(text) else None
    place_of = {}
    unit = 0
    for place, character in enumerate(text):
        place_of[unit] = place
        unit += 1 + (character > "\uffff")
    place_of[unit] = len(text)
    return place_of.get


def utf_16_units(text: str) -> Callable[[int], int]:
    """From code points to offsets in UTF-16 units: the reverse of `code_points`."""
    wide = [place for place, character in enumerate(text) if character > "\uffff"]
    return lambda place: place + bisect_left(wide, place)
