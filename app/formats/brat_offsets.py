"""Where brat's text-bound annotations stand in a text.

Its offsets count code points of the file. Tools that write its format count otherwise: a line break of two characters
as one, UTF-16 units, bytes. The words that stand behind the offsets say which it is.
"""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.formats.tokens import code_points

Place = tuple[int, int]
_Convention = Callable[[str], Callable[[int], int | None]]


@dataclass(frozen=True, slots=True)
class Fragments:
    """The pieces of one annotation, as the file counts them, and its words; None where it does not say them."""

    pieces: tuple[Place, ...]
    words: str | None
    row: int
    """Its line in the file."""


def place_all(found: Sequence[Fragments], text: str) -> list[tuple[Place, ...]] | Fragments:
    """Where the pieces of each stand, in code points, or the first that stands nowhere. All count in the same way.
    Pieces with nothing but white space between them are one."""
    wrong: list[Fragments] = []
    for convention in _CONVENTIONS:
        place_of = convention(text)
        places = [_place(one, text, place_of) for one in found]
        missing = next((one for one, p in zip(found, places, strict=True) if p is None), None)
        if missing is None:
            return [_joined(pieces, text) for pieces in places if pieces is not None]
        wrong.append(missing)
    return wrong[0]


def _place(
    found: Fragments, text: str, place_of: Callable[[int], int | None]
) -> tuple[Place, ...] | None:
    pieces = []
    for a, b in found.pieces:
        start, end = place_of(a), place_of(b)
        if start is None or end is None or not start < end <= len(text):
            return None
        pieces.append((start, end))
    there = "".join(text[start:end] for start, end in pieces)
    if found.words is not None and _visible(found.words) != _visible(there):
        return None
    return tuple(pieces)


def _visible(words: str) -> str:
    """The words without white space, which brat writes as blanks."""
    return "".join(words.split())


def _joined(pieces: tuple[Place, ...], text: str) -> tuple[Place, ...]:
    joined: list[Place] = []
    for start, end in sorted(pieces):
        if joined and not text[joined[-1][1] : start].strip():
            joined[-1] = joined[-1][0], max(end, joined[-1][1])
        else:
            joined.append((start, end))
    return tuple(joined)


def _characters(text: str) -> Callable[[int], int | None]:
    return lambda offset: offset


def _one_line_break(text: str) -> Callable[[int], int | None]:
    """CRLF counts as one."""
    breaks = [n - k for k, n in enumerate(_all(text, "\r\n"))]
    return lambda offset: offset + bisect_left(breaks, offset)


def _all(text: str, what: str) -> list[int]:
    found, at = [], text.find(what)
    while at >= 0:
        found.append(at)
        at = text.find(what, at + len(what))
    return found


def _bytes(text: str) -> Callable[[int], int | None]:
    """Bytes of UTF-8; None inside a character."""
    place_of, at = {}, 0
    for place, character in enumerate(text):
        place_of[at] = place
        at += len(character.encode("utf-8", "surrogatepass"))
    place_of[at] = len(text)
    return place_of.get


_CONVENTIONS: tuple[_Convention, ...] = (_characters, _one_line_break, code_points, _bytes)
