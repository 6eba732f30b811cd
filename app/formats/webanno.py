"""WebAnno TSV 3, which WebAnno and INCEpTION write: one layer of spans for NER, semantic predicates for SRL.

https://inception-project.github.io/releases/36.3/docs/user-guide.html#sect_formats_webannotsv3. A sentence has its text
(`#Text=`), then a line a token: `1-2`, its offsets in the document in UTF-16 units, its words, and the cells of the
layers that the file's head names. `1-2.1` is a part of a token. `PER[3]|LOC` are two annotations, of which the first
has the number 3 on all its tokens.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import IO, Any

from app.errors import InvalidInput
from app.formats.base import Head, ReadOptions, Record, RowProblem
from app.formats.bounds import MAX_ROW, read_lines, text_problem, too_long
from app.formats.encoding import open_text, unreadable
from app.formats.propositions import long_role
from app.formats.tokens import code_points
from app.i18n import gettext as _
from app.i18n import mark
from app.storable import unstorable

_FORMAT = re.compile(r"#FORMAT=WebAnno TSV 3\.(\d+)\s*")
_LAYER = re.compile(r"#T_(SP|CH|RL)=([^|]*[^|.](?:\|.*)?)")
_UNIT = re.compile(r"(\d{1,9}-\d{1,9})(\.\d{1,9})?")
_OFFSETS = re.compile(r"(\d{1,12})-(\d{1,12})")
_ITEM = re.compile(r"((?:\\.|[^\\])*?)(?:\[(\d+)\])?", re.DOTALL)
_STACKED, _SLOTS = re.compile(r"(?:\\.|[^|])+", re.DOTALL), re.compile(r"(?:\\.|[^;])+", re.DOTALL)
_NUMBERS = re.compile(r"(?<!\\)\[\d+\](?=\||$)")
_ESCAPE = re.compile(r"\\(->|.)", re.DOTALL)
_JAVA_ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|.)", re.DOTALL)
_CHARACTERS = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "b": "\b"}
_LINGUISTIC = (
    ".api.lexmorph.",
    ".api.segmentation.",
    ".api.syntax.",
    ".api.metadata.",
    ".api.coref.",
)
"""Packages of DKPro's own layers that are no entities: parts of speech, lemmas, dependencies."""
_VALUES = "value", "label", "type", "category"
"""Names of features that say what an annotation is."""
_NAMED_ENTITY, _PREDICATE, _ARGUMENT = "NamedEntity", "SemPred", "SemArg"


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
    """An annotation of a layer: its place in the text, the values of its features, and the first of its units."""

    start: int
    end: int
    values: list[str | None]
    unit: str
    number: str | None


class WebAnnoReader:
    """Reads each sentence of a document as an example."""

    name = "webanno"
    title = mark("WebAnno TSV 3 (WebAnno, INCEpTION)")
    tasks = frozenset({"ner", "srl"})

    def sniff(self, head: Head, task: str) -> float:
        return 1.0 if _FORMAT.match(head.text) else 0.0

    def read(
        self, stream: IO[bytes], task: str, options: ReadOptions
    ) -> Iterator[Record | RowProblem]:
        lines, encoding = open_text(stream, options.encoding)
        numbered = enumerate(read_lines(lines), 1)
        version = _FORMAT.match(next(numbered, (1, ""))[1])
        if version is None:
            raise InvalidInput.at(
                "file", _("The file does not begin with “#FORMAT=WebAnno TSV 3.…”.")
            )
        layers: list[Layer] = []
        sentences = _blocks(numbered, layers, encoding)
        reader = _SentenceReader(layers, task, options, int(version[1]))
        for item in sentences:
            yield item if isinstance(item, RowProblem) else reader.read(item)


def _blocks(
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


class _SentenceReader:
    """Reads the sentences of a file, one after the other."""

    def __init__(self, layers: list[Layer], task: str, options: ReadOptions, version: int) -> None:
        self._layers = layers
        self._task = task
        self._options = options
        self._is_java = version < 2
        self._numbers: set[tuple[str, str]] = set()
        """Layers and numbers of the annotations in the last sentence: one of them may go on in the next."""

    def read(self, block: Block) -> Record | RowProblem:
        """The example of a sentence."""
        text = "\n".join(self._text(line) for line in block.texts)
        if reason := unstorable([text, block.id]):
            return RowProblem(block.row, reason)
        units = self._units(block, text)
        if isinstance(units, RowProblem):
            return units
        if problem := text_problem(text):
            return RowProblem(block.row, problem)
        if not text.strip() or not units:
            return RowProblem(block.row, _("The sentence has no visible word."))
        read = self._read_layers()
        marks = {layer.name: _marks(layer, units) for layer in read}
        unused = [*self._unread(units, read), *self._crossing(marks)]
        if not read:
            annotation = None
        elif self._task == "srl":
            annotation = self._predicates(read, marks, unused)
        else:
            annotation = self._spans(read[0], marks[read[0].name], unused)
        return Record(
            text,
            tuple((unit.start, unit.end) for unit in units if unit.is_token),
            annotation,
            block.id,
            row=block.row,
            unused=tuple(dict.fromkeys(unused)),
        )

    def _text(self, escaped: str) -> str:
        if "\\" not in escaped:
            return escaped
        if not self._is_java:
            return _ESCAPE.sub(_character, escaped)
        # \ud83d\ude0a is what WebAnno TSV 3.1 writes for a character beyond U+FFFF.
        text = _JAVA_ESCAPE.sub(_java_character, escaped)
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")

    def _units(self, block: Block, text: str) -> list[Unit] | RowProblem:
        """The tokens and their parts. Offsets are UTF-16 units, except where the words prove them code points."""
        units = self._units_at(block, text, code_points(text))
        if isinstance(units, RowProblem) and not text.isascii():
            by_code_point = self._units_at(block, text, lambda offset: offset)
            return units if isinstance(by_code_point, RowProblem) else by_code_point
        return units

    def _units_at(
        self, block: Block, text: str, place_of: Callable[[int], int | None]
    ) -> list[Unit] | RowProblem:
        width = self._layers[-1].column + self._layers[-1].width if self._layers else 3
        base: int | None = None
        until = 0
        units: list[Unit] = []
        for number, line in block.rows:
            cells = line.split("\t")
            unit = _UNIT.fullmatch(cells[0])
            offsets = _OFFSETS.fullmatch(cells[1]) if len(cells) > 2 else None
            if unit is None or offsets is None:
                return RowProblem(
                    number, _("The line does not start with a token and its offsets.")
                )
            if len(cells) < width:
                return RowProblem(
                    number,
                    _(
                        "The line has %(n)s columns, but the file's head names %(m)s.",
                        n=len(cells),
                        m=width,
                    ),
                )
            base = int(offsets[1]) if base is None else base
            start, end = (place_of(int(offset) - base) for offset in offsets.groups())
            if start is None or end is None or text[start:end] != self._text(cells[2]):
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

    def _read_layers(self) -> list[Layer]:
        """The layers that the task reads: the one that was chosen, else by what they are."""
        spans = [layer for layer in self._layers if layer.kind == "SP"]
        if self._task == "srl":
            found = [layer for layer in spans if layer.name in (_PREDICATE, _ARGUMENT)]
            return found if any(layer.name == _PREDICATE for layer in found) else []
        wanted = self._options.columns.get("label", "").split("|")[0]
        if wanted:
            chosen = [layer for layer in spans if wanted in (layer.name, layer.type)][:1]
            if not chosen:
                raise InvalidInput.at(
                    "columns",
                    _(
                        "The file has no layer of spans “%(name)s”. It has these: %(names)s.",
                        name=wanted,
                        names=", ".join(layer.name for layer in spans) or "–",
                    ),
                )
            return chosen
        own = [layer for layer in spans if not any(word in layer.type for word in _LINGUISTIC)]
        return sorted(own, key=lambda layer: layer.name != _NAMED_ENTITY)[:1]

    def _feature(self, layer: Layer) -> int | None:
        wanted = self._options.columns.get("label", "").partition("|")[2]
        for name in (wanted, *_VALUES):
            if name in layer.features:
                return layer.features.index(name)
        return next(iter(layer.values()), None)

    def _unread(self, units: Sequence[Unit], read: list[Layer]) -> list[str]:
        """The layers, and the features of read ones, that this sentence has and are not read."""
        names = []
        for layer in self._layers:
            kept = set(range(layer.width)) if self._task == "srl" else {self._feature(layer)}
            for n in range(layer.width):
                if layer not in read:
                    name, silent = layer.name, {"_", ""}
                elif n in kept or not layer.features:
                    continue
                else:
                    name = f"{layer.name}.{layer.features[n].rpartition(':')[2]}"
                    silent = {"_", "", "*"}
                cells = (_NUMBERS.sub("", unit.cells[layer.column - 3 + n]) for unit in units)
                if not {part for cell in cells for part in cell.split("|")} <= silent:
                    names.append(name)
        return names

    def _crossing(self, marks: dict[str, list[Mark]]) -> list[str]:
        """Says of which layers an annotation goes on from the sentence before: each part is read by itself."""
        numbers = {
            (layer, found.number)
            for layer, spans in marks.items()
            for found in spans
            if found.number
        }
        crossing = {layer for layer, _number in numbers & self._numbers}
        self._numbers = numbers
        return [
            _("that one %(layer)s goes on from the sentence before", layer=layer)
            for layer in sorted(crossing)
        ]

    def _spans(self, layer: Layer, marks: list[Mark], unused: list[str]) -> dict[str, Any]:
        feature = self._feature(layer)
        spans = set()
        for found in marks:
            value = None if feature is None else found.values[feature]
            # An annotation without a value says as much as its layer's name.
            label = (value or "").strip() or layer.name
            if found.start == found.end:
                unused.append(_("%(layer)s of no length", layer=layer.name))
            else:
                label = self._options.label_map.get(label, label)
                spans.add((found.start, found.end, label))
        ordered = sorted(spans, key=lambda span: (span[0], -span[1], span[2]))
        return {"spans": [{"start": a, "end": b, "label": label} for a, b, label in ordered]}

    def _predicates(
        self,
        read: list[Layer],
        marks: dict[str, list[Mark]],
        unused: list[str],
    ) -> dict[str, Any]:
        layer = next(layer for layer in read if layer.name == _PREDICATE)
        feature = next(iter(layer.values()), None)
        by_number = {m.number: m for found in marks.values() for m in found if m.number}
        by_unit = {m.unit: m for m in marks.get(_ARGUMENT, ()) if not m.number}
        predicates = []
        for found in marks[_PREDICATE]:
            arguments = []
            for role, target in _slots(layer, found):
                item = _ITEM.fullmatch(target)
                argument = item and (by_number.get(item[2]) if item[2] else by_unit.get(item[1]))
                if not argument or argument.start == argument.end or role in ("*", "_"):
                    unused.append(_("arguments without a role or outside the sentence"))
                    continue
                name = long_role(_unescaped(role))
                arguments.append({"start": argument.start, "end": argument.end, "role": name})
            if found.start == found.end:
                unused.append(_("%(layer)s of no length", layer=layer.name))
                continue
            sense = None if feature is None else found.values[feature]
            predicates.append(
                {"start": found.start, "end": found.end, "sense": sense, "arguments": arguments}
            )
        return {"predicates": predicates}


def _slots(layer: Layer, found: Mark) -> Iterator[tuple[str, str]]:
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


def _unescaped(value: str) -> str:
    return _ESCAPE.sub(lambda match: _CHARACTERS.get(match[1], match[1]), value)


def _marks(layer: Layer, units: Sequence[Unit]) -> list[Mark]:
    """The annotations of a span layer. Those with one number are one; those without stand on their unit alone."""
    marks: list[Mark] = []
    by_number: dict[str, Mark] = {}
    roles = layer.roles()
    targets = [n + 1 for n in roles]
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
                value
                if n in roles or n in targets
                else None
                if value in ("*", "_", "")
                else _unescaped(value)
                for n, (value, _number) in enumerate(items)
            ]
            found = Mark(unit.start, unit.end, values, unit.name, number)
            marks.append(found)
            if number is not None:
                by_number[number] = found
    return marks


def _stack(cell: str, *, numbered: bool) -> list[tuple[str, str | None]]:
    """The annotations in a cell, each with its number."""
    found: list[tuple[str, str | None]] = []
    for part in _STACKED.findall(cell):
        item = _ITEM.fullmatch(part) if numbered else None
        found.append((item[1], item[2]) if item else (part, None))
    return found
