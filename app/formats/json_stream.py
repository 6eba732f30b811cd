"""The values of a JSON file, one after the other, however large the file is."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from io import TextIOBase
from typing import Any

from app.errors import InvalidInput
from app.formats.base import is_split
from app.formats.bounds import check_dense, too_long
from app.formats.encoding import unreadable
from app.formats.headers import find
from app.formats.json_tables import table_rows
from app.i18n import gettext as _
from app.storable import MAX_DEPTH, too_deep, unstorable

_PIECE = 1 << 16
_SPACE = re.compile(r"[ \t\r\n]*")
_LONGEST_ESCAPE = 12
_ARRAYS = ("data", "examples", "rows", "items", "common_examples")
"""The names under which objects hold the array of rows, the most telling first."""
_PERHAPS = "annotations"
"""A row may hold such an array as well."""


def _constant(name: str) -> float | None:
    """NaN is how tables say that a value is missing."""
    return None if name == "NaN" else float(name)


_decoder = json.JSONDecoder(parse_constant=_constant)


def repeated_name(pairs: list[tuple[str, Any]]) -> str | None:
    """A name that an object has more than once; None if it has none. JSON does not say which value is meant."""
    seen: set[str] = set()
    for name, _value in pairs:
        if name in seen:
            return name
        seen.add(name)
    return None


def say_repeated(name: str) -> str:
    """What to say of such an object."""
    return _(
        "The name “%(name)s” stands twice in one object: nobody knows which is meant.",
        name=name[:100],
    )


@dataclass(frozen=True, slots=True)
class Value:
    """A row of a JSON file."""

    value: Any
    split: str | None = None
    """The name of the array that it stands in, where that is a split's."""
    beside: tuple[str, ...] = ()
    """What the object that holds the rows says beside them, told with its first or its last row."""
    problem: str | None = None
    """What is wrong with it."""


def parse_python_json(text: str) -> Any:
    """The value of JSON as Python writes it, with NaN for what is missing. Raises ValueError."""
    check_dense(text)
    try:
        value = _decoder.decode(text)
    except RecursionError:
        raise ValueError(too_deep()) from None
    if reason := unstorable(value):
        raise ValueError(reason)
    return value


def read_values(
    lines: TextIOBase, encoding: str, *, is_row: Callable[[Any], bool] = lambda value: False
) -> Iterator[Value]:
    """The rows of a JSON file: the elements of an array, also of one that an object holds, or values that follow one
    another, as in JSON lines. Raises InvalidInput with line and column.

    Of an object, all arrays that are named as splits are read, else the one with the most telling name; an object for
    which `is_row` says so is a row itself. Only one value is in memory at a time. An object that is larger than a row
    may be is not read as a whole: what is in it is taken as it comes.
    """
    source = _Source(lines, encoding)
    match source.peek():
        case "":
            raise InvalidInput.at("file", _("The file is empty."))
        case "[":
            yield from _elements(source)
            source.expect_end()
        case "{":
            yield from _objects(source, is_row)
        case _:
            raise InvalidInput.at("file", _("The file must hold an array of objects."))


def _elements(source: "_Source") -> Iterator[Value]:
    source.take("[")
    if source.peek() == "]":
        source.take("]")
        return
    while True:
        yield Value(source.value(), problem=source.problem)
        if source.peek() == "]":
            source.take("]")
            return
        source.take(",")


def _objects(source: "_Source", is_row: Callable[[Any], bool]) -> Iterator[Value]:
    try:
        first = source.value()
    except _TooLong:
        yield from _arrays_inside(source)
        source.expect_end()
        return
    problem = source.problem
    if source.peek():  # JSON lines under another name
        yield Value(first, problem=problem)
        while source.peek():
            yield Value(source.value(), problem=source.problem)
        return
    for item in _of_object(first, is_row) if isinstance(first, dict) else [Value(first)]:
        if problem and item.value is not first:  # it is somewhere in the object that holds the rows
            raise InvalidInput.at("file", problem)
        yield replace(item, problem=problem)


def _of_object(held: dict[str, Any], is_row: Callable[[Any], bool]) -> Iterator[Value]:
    if not is_row(held) or isinstance(held.get(find("text", held) or ""), list | dict):
        inner = next(iter(held.values()), None)
        if (
            len(held) == 1 and isinstance(inner, dict) and not is_row(inner)
        ):  # Rasa's `rasa_nlu_data`
            yield from _of_object(inner, is_row)
            return
        if (rows := table_rows(held, is_row)) is not None:
            yield from map(Value, rows)
            return
    arrays = [name for name, value in held.items() if _is_rows(value)]
    names = [name for name in arrays if is_split(name)]
    alone = not names and is_row(held)
    names = (
        names
        or [
            name
            for name in _ARRAYS
            if name in arrays or (isinstance(held.get(name), list) and not alone)
        ][:1]
    )
    if not names and not alone:
        names = [_PERHAPS] if _PERHAPS in arrays else arrays if len(arrays) == 1 else []
    if not names:
        yield Value(held)
        return
    beside = tuple(name for name, value in held.items() if name not in names and value)
    for name in names:
        for value in held[name]:
            yield Value(value, name if is_split(name) else None, beside)
            beside = ()


def _is_rows(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict | list)


def _arrays_inside(source: "_Source") -> Iterator[Value]:
    source.take("{")
    read: str | None = None
    beside: list[str] = []
    last: Value | None = None
    while True:
        name = source.value()
        source.take(":")
        wanted = is_split(name) and (read is None or is_split(read))
        if source.peek() == "[" and (wanted or (read is None and name in (*_ARRAYS, _PERHAPS))):
            read = name
            for item in _elements(source):
                if last is not None:
                    yield last
                last = replace(item, split=name if is_split(name) else None)
        else:
            beside.append(str(name))
            source.skip()
        if source.peek() == "}":
            source.take("}")
            break
        source.take(",")
    if read is None:
        raise InvalidInput.at("file", _("The file must hold an array of objects."))
    if last is not None:
        yield replace(last, beside=tuple(beside))


class _TooLong(InvalidInput):
    """A value that is larger than a row may be."""


class _Source:
    """A text that is decoded from its front; what was taken is forgotten."""

    def __init__(self, lines: TextIOBase, encoding: str) -> None:
        self._lines, self._encoding = lines, encoding
        self._read = 0
        self._text = ""
        self._at = 0
        self._line, self._column = 1, 1
        """Where `_at` is in the file."""
        self._ended = False
        self._decoder = json.JSONDecoder(
            parse_constant=_constant, object_pairs_hook=self._make_object
        )
        self.problem: str | None = None
        """What is wrong with the last value."""

    def _make_object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) < len(pairs):
            self.problem = say_repeated(repeated_name(pairs) or "")
        return made

    def peek(self) -> str:
        """The next character that is no white space; empty at the end."""
        while True:
            found = _SPACE.match(self._text, self._at)
            self._at = found.end() if found else self._at
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._fill(_PIECE):
                return ""

    def take(self, character: str) -> None:
        """Pass over this character. Raises InvalidInput if it is another one."""
        if self.peek() != character:
            raise self._wrong(self._at, _("“%(character)s” is expected here", character=character))
        self._at += 1

    def value(self) -> Any:
        """The next value. Raises InvalidInput."""
        self.peek()
        size = _PIECE
        while True:
            self.problem = None
            try:
                value, end = self._decoder.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                if self._is_cut(error) and self._fill(size):
                    size *= 2
                    self._check_size()
                    continue
                raise self._wrong(error.pos, error.msg) from None
            except RecursionError:
                problem = _("it is nested more than %(n)s levels deep", n=MAX_DEPTH)
                raise self._wrong(self._at, problem) from None
            except ValueError as error:  # a number of thousands of digits
                raise self._wrong(self._at, str(error)) from None
            if end == len(self._text) and self._fill(_PIECE):
                continue  # a number may go on behind what has been read so far
            self._at = end
            return value

    def skip(self) -> None:
        """Pass over the next value, an array's elements one by one."""
        if self.peek() == "[":
            for _value in _elements(self):
                pass
        else:
            self.value()

    def _is_cut(self, error: json.JSONDecodeError) -> bool:
        """Whether what is wrong may be nothing but the end of what has been read so far."""
        return error.msg.startswith("Unterminated") or error.pos > len(self._text) - _LONGEST_ESCAPE

    def _check_size(self) -> None:
        """Raises _TooLong before a value is decoded that is too long, or of too many parts."""
        try:
            check_dense(self._text[self._at :])
        except ValueError:
            raise _TooLong(too_long(self._position(self._at)[0]).message) from None

    def expect_end(self) -> None:
        """Raises InvalidInput if anything follows."""
        if self.peek():
            raise self._wrong(self._at, _("something follows the end of the data"))

    def _fill(self, size: int) -> bool:
        if self._ended:
            return False
        piece = self._lines.read(size)
        if not piece:
            self._ended = True
            return False
        if problem := unreadable(piece, self._encoding, before=self._read):
            raise InvalidInput.at("file", problem)
        self._read += len(piece)
        self._line, self._column = self._position(self._at)
        self._text = self._text[self._at :] + piece
        self._at = 0
        return True

    def _position(self, at: int) -> tuple[int, int]:
        before = self._text[:at]
        breaks = before.count("\n")
        if breaks:
            return self._line + breaks, at - before.rindex("\n")
        return self._line, self._column + at

    def _wrong(self, at: int, problem: str) -> InvalidInput:
        line, column = self._position(at)
        return InvalidInput.at(
            "file",
            _(
                "The file is not JSON: line %(line)s, column %(column)s: %(error)s",
                line=line,
                column=column,
                error=problem,
            ),
        )
