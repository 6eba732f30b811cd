"""How much of a file is in memory at once, and how much may come out of what is packed.

A few kilobytes can stand for gigabytes: what counts here is the size after unpacking, met on the way and never
believed from the file itself.
"""

import gzip
import io
import json
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import IO, Any, TypeVar

import orjson

from app.errors import InvalidInput
from app.i18n import gettext as _
from app.storable import MAX_DEPTH, unstorable
from app.tasks.base import MAX_TEXT

Item = TypeVar("Item")

MAX_ROW = 16 << 20
"""Characters of one row or line: a text has a million at most, its tokens and labels may say as much again."""
MAX_VALUES = 2_000_000
"""Values in the JSON of one row: an empty list is 2 characters, but 64 bytes of memory."""
MAX_COLUMNS = 2_000
MAX_UNPACKED = 8 << 30
"""Bytes that a packed file may hold."""
MAX_RATIO = 200
"""Bytes that come out of a packed one: natural text is packed to a third or a tenth …"""
_ANY_RATIO = 64 << 20
"""… and so many bytes may always come out: a small file may well repeat itself."""


_DIGITS, _DIGITS_BYTES = re.compile(r"[0-9]{19}"), re.compile(rb"[0-9]{19}")


def check_unpacked(unpacked: int, packed: int) -> None:
    """Raises InvalidInput where too much has come out of what was read so far."""
    if unpacked > MAX_UNPACKED:
        raise InvalidInput.at(
            "file",
            _(
                "The file holds more than %(n)s GiB when it is unpacked: split it.",
                n=MAX_UNPACKED >> 30,
            ),
        )
    if unpacked > _ANY_RATIO and unpacked > MAX_RATIO * packed:
        raise InvalidInput.at(
            "file",
            _(
                "The file holds more than %(n)s times its size when it is unpacked. No text is packed so small: "
                "it is damaged, or made to fill the memory.",
                n=MAX_RATIO,
            ),
        )


class Gunzipped(gzip.GzipFile):
    """What is in a gzip file, as far as it is within the bounds. Reading raises InvalidInput."""

    def __init__(self, stream: IO[bytes]) -> None:
        super().__init__(fileobj=stream)
        self._packed = stream

    def read(self, size: int | None = -1) -> bytes:
        return self._checked(super().read, size)

    def read1(self, size: int = -1) -> bytes:
        return self._checked(super().read1, size)

    def _checked(self, read: Any, size: int | None) -> bytes:
        try:
            data: bytes = read(size)
        except (OSError, EOFError, zlib.error) as error:
            raise InvalidInput.at(
                "file", _("The compressed file is damaged: %(error)s", error=error)
            ) from error
        check_unpacked(self.tell(), self._packed.tell())
        return data


def batched(
    items: Iterable[Item], *, count: int, weight: int, weigh: Callable[[Item], int]
) -> Iterator[list[Item]]:
    """Items in lists of at most `count`, and fewer where they are heavy."""
    batch: list[Item] = []
    heavy = 0
    for item in items:
        batch.append(item)
        heavy += weigh(item)
        if len(batch) >= count or heavy >= weight:
            yield batch
            batch, heavy = [], 0
    if batch:
        yield batch


def text_problem(text: str) -> str | None:
    """What to say of a text that is too long to be an example."""
    if len(text) <= MAX_TEXT:
        return None
    return _("The text is longer than %(n)s characters: split it.", n=f"{MAX_TEXT:,}")


def read_lines(lines: io.TextIOBase, *, first: int = 1) -> Iterator[str]:
    """The lines of a text, each with its end. Raises InvalidInput for one that is longer than a row may be."""
    number = first
    while line := lines.readline(MAX_ROW + 1):
        if len(line) > MAX_ROW:
            raise too_long(number)
        yield line
        number += 1


def too_long(number: int) -> InvalidInput:
    """What to raise for a row over the bound."""
    return InvalidInput.at(
        f"row {number}",
        _("Row %(n)s is longer than %(m)s million characters.", n=number, m=MAX_ROW >> 20),
    )


def check_dense(text: str | bytes) -> None:
    """Raises ValueError for JSON of more values than a row may have."""
    is_long, is_dense = len(text) > MAX_ROW, False
    if len(text) > MAX_VALUES:
        marks: tuple[Any, ...] = (",", "[", "{") if isinstance(text, str) else (b",", b"[", b"{")
        is_dense = sum(text.count(mark) for mark in marks) > MAX_VALUES
    if is_long or is_dense:
        raise ValueError(_("It holds more than one row may hold."))


def parse_json(text: str | bytes) -> Any:
    """The value of a JSON text that came in a file. Raises ValueError with a sentence."""
    check_dense(text)
    value = orjson.loads(text)
    has_digits = _has_digits(text)
    if (has_digits or _is_suspect(text)) and (reason := unstorable(value)):
        raise ValueError(reason)
    if has_digits:
        # orjson makes a float of an integer over 64 bits, which would bend an id in silence.
        json.loads(text, parse_int=_integer)
    return value


def _has_digits(text: str | bytes) -> bool:
    """Whether a number of it may have more than 64 bits."""
    found = _DIGITS.search(text) if isinstance(text, str) else _DIGITS_BYTES.search(text)
    return found is not None


def _is_suspect(text: str | bytes) -> bool:
    """Whether what orjson reads of it may hold a NUL, or be nested too deeply. It refuses half a surrogate pair, and
    numbers that are not finite, by itself."""
    if isinstance(text, bytes):
        return b"\\u0000" in text or text.count(b"[") + text.count(b"{") > MAX_DEPTH
    return "\\u0000" in text or text.count("[") + text.count("{") > MAX_DEPTH


def _integer(digits: str) -> int:
    number = int(digits) if len(digits) <= 20 else 1 << 64
    if reason := unstorable(number):
        raise ValueError(reason)
    return number
