"""The lines of WebAnno TSV 3: the layers of its head, its sentences, and what the cells of a sentence say.

A sentence has its text (`#Text=`), then a line a token: `1-2`, its offsets in the document in UTF-16 units, its words,
and the cells of the layers that the file's head names. `1-2.1` is a part of a token. `PER[3]|LOC` are two annotations,
of which the first has the number 3 on all its tokens. Backslashes escape what has a meaning.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from app.errors import InvalidInput
from app.formats.base import RowProblem
from app.formats.bounds import MAX_ROW, too_long
from app.formats.encoding import unreadable
from app.formats.tokens import code_points, utf_16_units
from app.i18n import gettext as _

_LAYER = re.compile(r"#T_(SP|CH|RL)=([^|]*[^|.](?:\|.*)?)")
_UNIT = re.compile(r"(\d{1,9}-\d{1,9})(\.\d{1,9})?")
_OFFSETS = re.compile(r"(\d{1,12})-(\d{1,12})")
ITEM = re.compile(r"((?:\\.|[^\\])*?)(?:\[(\d+)\])?", re.DOTALL)
_STACKED, _SLOTS = re.compile(r"(?:\\.|[^|])+", re.DOTALL), re.compile(r"(?:\\.|[^;])+", re.DOTALL)
NUMBERS = re.compile(r"(?<!\\)\[\d+\](?=\||$)")
_ESCAPE = re.compile(r"\\(->|.)", re.DOTALL)
_JAVA_ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|.)", re.DOTALL)
_CHARACTERS = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "b": "\b"}


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer of the file's head, and where its columns begin."""

    kind: str
    """SP (spans), CH (chains) or RL (relations)."""
    type: str
    features: tuple[str, ...]
    column: int

    @property
    def name(self) -> str:
        return self.type.rpartition(".")[2]

    @property
    def width(self) -> int:
        return max(1, len(self.features))

    def roles(self) -> list[int]:
        """The places of slots for roles; behind each stands that of their targets."""
        return [n for n, name in enumerate(self.features) if name.startswith("ROLE_")]

    def values(self) -> list[int]:
        """The places of the other features."""
        slots = {place for n in self.roles() for place in (n, n + 1)}
        return [n for n in range(len(self.features)) if n not in slots]


@dataclass(slots=True)
class Unit:
    """A token, or a part of one."""

    name: str
    start: int
    end: int
    cells: list[str]
    is_token: bool


@dataclass(slots=True)
class Block:
    """The lines of one sentence."""

    row: int
    texts: list[str] = field(default_factory=list)
    rows: list[tuple[int, str]] = field(default_factory=list)
    id: str | None = None


@dataclass(slots=True)
class Mark:
    """An annotation of a layer: its place in the text, the values of its features, and its number if it has one."""

    start: int
    end: int
    values: list[str | None]
    number: str | None


def read_blocks(
    numbered: Iterator[tuple[int, str]], layers: list[Layer], encoding: str
) -> Iterator[Block | RowProblem]:
    """The sentences; the layers of the file's head are put into `layers` before the first."""
    block = Block(1)
    bad: RowProblem | None = None
    has_begun = False
    size = 0
    for number, line in numbered:
        size += len(line)
        if size > MAX_ROW:
            raise too_long(block.row)
        line = line.rstrip("\n")
        if block.rows and line.startswith(("#Text=", "#Sentence.id=")):
            yield bad or block
            block, bad, size, has_begun = Block(number), None, 0, True
        if problem := unreadable(line, encoding):
            bad = bad or RowProblem(number, problem)
        elif line.startswith("#T_") and not (has_begun or block.texts):
            layers.append(_layer(line, layers))
        elif line.startswith("#Sentence.id=") and not block.texts:
            block.id = line.partition("=")[2]
        elif line.startswith("#Text=") and not block.rows:
            block.row = block.row if block.texts else number
            block.texts.append(line.partition("=")[2])
        elif line.strip():
            block.rows.append((number, line))
        elif block.rows or block.texts or bad:
            yield bad or block
            block, bad, size, has_begun = Block(number + 1), None, 0, True
    if block.rows or block.texts or bad:
        yield bad or block


def _layer(line: str, layers: list[Layer]) -> Layer:
    match = _LAYER.fullmatch(line.strip())
    if match is None:
        raise InvalidInput.at(
            "file", _("The file's head names no layer in “%(line)s”.", line=line[:100])
        )
    kind = match[1]
    name, *features = (item for item in match[2].split("|") if item)
    column = layers[-1].column + layers[-1].width if layers else 3
    return Layer(kind, name, tuple(features), column)


def text_of(escaped: str, *, is_java: bool) -> str:
    """A text as it was before WebAnno escaped it, in version 3.1 as Java does."""
    if "\\" not in escaped:
        return escaped
    if not is_java:
        return _ESCAPE.sub(_character, escaped)
    # \ud83d\ude0a is what WebAnno TSV 3.1 writes for a character beyond U+FFFF.
    text = _JAVA_ESCAPE.sub(_java_character, escaped)
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def read_units(
    block: Block, text: str, layers: Sequence[Layer], *, is_java: bool
) -> list[Unit] | RowProblem:
    """The tokens and their parts. Offsets are UTF-16 units, except where the words prove them code points."""
    first = len(text) - len(text.lstrip())
    before = utf_16_units(text)(first)
    units = _units_at(code_points(text), before, block, text, layers, is_java)
    if isinstance(units, RowProblem) and not text.isascii():
        by_code_point = _units_at(lambda offset: offset, first, block, text, layers, is_java)
        return units if isinstance(by_code_point, RowProblem) else by_code_point
    return units


def _units_at(
    place_of: Callable[[int], int | None],
    before: int,
    block: Block,
    text: str,
    layers: Sequence[Layer],
    is_java: bool,
) -> list[Unit] | RowProblem:
    width = layers[-1].column + layers[-1].width if layers else 3
    base: int | None = None
    until = 0
    units: list[Unit] = []
    for number, line in block.rows:
        cells = line.split("\t")
        unit = _UNIT.fullmatch(cells[0])
        offsets = _OFFSETS.fullmatch(cells[1]) if len(cells) > 2 else None
        if unit is None or offsets is None:
            return RowProblem(number, _("The line does not start with a token and its offsets."))
        if len(cells) < width:
            return RowProblem(
                number,
                _(
                    "The line has %(n)s columns, but the file's head names %(m)s.",
                    n=len(cells),
                    m=width,
                ),
            )
        # The first token is the text's first visible word: blanks may stand before it.
        base = int(offsets[1]) - before if base is None else base
        start, end = (place_of(int(offset) - base) for offset in offsets.groups())
        if start is None or end is None or text[start:end] != text_of(cells[2], is_java=is_java):
            return RowProblem(
                number,
                _(
                    "The words “%(words)s” do not stand at these offsets in the text.",
                    words=cells[2],
                ),
            )
        is_token = unit[2] is None
        if is_token and not until <= start < end:
            return RowProblem(number, _("The token is empty, or lies over the one before."))
        until = end if is_token else until
        units.append(Unit(cells[0], start, end, cells[3:], is_token))
    return units


def slots(layer: Layer, found: Mark) -> Iterator[tuple[str, str]]:
    """(role, target) of what fills the slots of an annotation."""
    for place in layer.roles():
        roles, targets = (_SLOTS.findall(found.values[n] or "") for n in (place, place + 1))
        if targets != ["*"]:
            yield from zip(roles, targets, strict=False)


def _character(match: re.Match[str]) -> str:
    """What an escape stands for in a text; a backslash that escapes nothing is one."""
    said = match[1]
    return _CHARACTERS.get(said, said if said == "\\" or said < " " else match[0])


def _java_character(match: re.Match[str]) -> str:
    said = match[1]
    return chr(int(said[1:], 16)) if len(said) == 5 else _CHARACTERS.get(said, said)


def _value(cell: str) -> str | None:
    return None if cell in ("*", "_", "") else unescaped(cell)


def unescaped(value: str) -> str:
    """A value as it was before WebAnno escaped it."""
    return _ESCAPE.sub(lambda match: _CHARACTERS.get(match[1], match[1]), value)


def read_marks(layer: Layer, units: Sequence[Unit]) -> list[Mark]:
    """The annotations of a span layer. Those with one number are one; those without stand on their unit alone."""
    marks: list[Mark] = []
    by_number: dict[str, Mark] = {}
    targets = {n + 1 for n in layer.roles()}
    slots_at = {*layer.roles(), *targets}
    for unit in units:
        stacks = [
            _stack(unit.cells[layer.column - 3 + n], numbered=n not in targets)
            for n in range(layer.width)
        ]
        for index in range(max(map(len, stacks), default=0)):
            items = [stack[index] if index < len(stack) else ("_", None) for stack in stacks]
            if all(value in ("_", "") for value, _number in items):
                continue
            number = next((number for _value, number in items if number), None)
            if number is not None and number in by_number:
                known = by_number[number]
                known.start, known.end = min(known.start, unit.start), max(known.end, unit.end)
                continue
            values = [
                value if n in slots_at else _value(value)
                for n, (value, _number) in enumerate(items)
            ]
            found = Mark(unit.start, unit.end, values, number)
            marks.append(found)
            if number is not None:
                by_number[number] = found
    return marks


def _stack(cell: str, *, numbered: bool) -> list[tuple[str, str | None]]:
    """The annotations in a cell, each with its number."""
    found: list[tuple[str, str | None]] = []
    for part in _STACKED.findall(cell):
        item = ITEM.fullmatch(part) if numbered else None
        found.append((item[1], item[2]) if item else (part, None))
    return found
