"""What the pages of a Parquet file unpack to, out of their own headers.

The file's footer says so too, but nobody checks that it is true; what a page header says is what is allocated for it.
A header is a Thrift struct in the compact protocol:
https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

_HEADER_BYTES = (1 << 12, 1 << 16, 1 << 20)
"""How much is read for a header: its statistics may hold long texts."""
_BOOLEANS, _BYTE, _INTEGERS, _DOUBLE, _BINARY, _LISTS, _MAP, _STRUCT = (
    (1, 2), 3, (4, 5, 6), 7, 8, (9, 10), 11, 12,
)  # fmt: skip
_MAX_DEPTH = 8
_COUNTED_IN = (5, 7, 8)
"""The fields of a header that are the header of a data page, of a dictionary, and of a data page of version 2; the
first field of each is how many values the page has."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a column."""

    packed: int
    unpacked: int
    """Bytes, both without the header."""
    values: int
    """Nulls and the elements of lists count."""
    is_dictionary: bool


def pages(stream: IO[bytes], start: int, size: int) -> Iterator[Page]:
    """The pages of a column chunk. Raises ValueError where they are in disorder."""
    at, end = start, start + size
    while at < end:
        header, length = _header(stream, at)
        page = Page(
            packed=header.get((3,), -1),
            unpacked=header.get((2,), -1),
            values=max(header.get((field, 1), 0) for field in _COUNTED_IN),
            is_dictionary=(7, 1) in header,
        )
        if page.packed < 0 or page.unpacked < 0 or page.values < 0:
            raise ValueError(f"the page at byte {at} has no size")
        yield page
        at += length + page.packed
    if at != end:
        raise ValueError("the last page reaches over the end of its column")


def _header(stream: IO[bytes], at: int) -> tuple[dict[tuple[int, ...], int], int]:
    """The integers of a page header by their field numbers, and how long it is."""
    for size in _HEADER_BYTES:
        stream.seek(at)
        reader = _Compact(stream.read(size))
        try:
            found: dict[tuple[int, ...], int] = {}
            reader.struct((), found)
        except IndexError:
            continue
        return found, reader.at
    raise ValueError(f"the page header at byte {at} has no end")


class _Compact:
    """Walks through a struct in Thrift's compact protocol. Raises IndexError at the end of what there is."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0

    def struct(self, path: tuple[int, ...], found: dict[tuple[int, ...], int]) -> None:
        """Note the integers of the struct and of those in it."""
        if len(path) > _MAX_DEPTH:
            raise ValueError("a page header is nested too deeply")
        field = 0
        while kind := self._byte():
            delta, kind = kind >> 4, kind & 15
            field = field + delta if delta else self._zigzag()
            if kind in _INTEGERS:
                found[(*path, field)] = self._zigzag()
            elif kind == _STRUCT:
                self.struct((*path, field), found)
            else:
                self._skip(kind, len(path))

    def _skip(self, kind: int, depth: int, *, in_list: bool = False) -> None:
        if kind in _BOOLEANS:
            self.at += in_list
        elif kind == _BYTE:
            self.at += 1
        elif kind in _INTEGERS:
            self._varint()
        elif kind == _DOUBLE:
            self.at += 8
        elif kind == _BINARY:
            length = self._varint()
            self.at += length
        elif kind == _STRUCT:
            self.struct((0,) * (depth + 1), {})
        elif kind in _LISTS and depth < _MAX_DEPTH:
            head = self._byte()
            count = head >> 4 if head >> 4 < 15 else self._varint()
            for _ in range(count):
                self._skip(head & 15, depth + 1, in_list=True)
                self._data[self.at - 1]  # a list that is longer than the data ends here
        else:
            raise ValueError(f"a page header has a field of the unknown type {kind}")

    def _byte(self) -> int:
        value = self._data[self.at]
        self.at += 1
        return value

    def _varint(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7
            if shift > 63:
                raise ValueError("a page header holds a number without end")

    def _zigzag(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)
