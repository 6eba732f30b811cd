"""WebAnno TSV 3, which WebAnno and INCEpTION write: one layer of spans for NER, semantic predicates for SRL.

https://inception-project.github.io/releases/36.3/docs/user-guide.html#sect_formats_webannotsv3
"""

import re
from collections.abc import Iterator, Sequence
from typing import IO, Any

from app.errors import InvalidInput
from app.formats.base import Head, ReadOptions, Record, RowProblem
from app.formats.bounds import read_lines, text_problem
from app.formats.encoding import open_text
from app.formats.propositions import long_role
from app.formats.webanno_lines import (
    ITEM,
    NUMBERS,
    Block,
    Layer,
    Mark,
    Unit,
    read_blocks,
    read_marks,
    read_units,
    slots,
    text_of,
    unescaped,
)
from app.i18n import gettext as _
from app.i18n import mark
from app.storable import unstorable

_FORMAT = re.compile(r"#FORMAT=WebAnno TSV 3\.(\d+)\s*")
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
        lines, encoding = open_text(stream, options.encoding, language=options.language)
        numbered = enumerate(read_lines(lines), 1)
        version = _FORMAT.match(next(numbered, (1, ""))[1])
        if version is None:
            raise InvalidInput.at(
                "file", _("The file does not begin with “#FORMAT=WebAnno TSV 3.…”.")
            )
        layers: list[Layer] = []
        sentences = read_blocks(numbered, layers, encoding)
        reader = _SentenceReader(layers, task, options, int(version[1]))
        for item in sentences:
            yield item if isinstance(item, RowProblem) else reader.read(item)


class _SentenceReader:
    """Reads the sentences of a file, one after the other."""

    def __init__(self, layers: list[Layer], task: str, options: ReadOptions, version: int) -> None:
        self._layers = layers
        self._task = task
        self._options = options
        self._is_java = version < 2
        self._last: set[tuple[str, str | None]] = set()
        """Layers and numbers of the annotations that reach the end of the last sentence: one may go on in the next."""

    def read(self, block: Block) -> Record | RowProblem:
        """The example of a sentence."""
        text = "\n".join(text_of(line, is_java=self._is_java) for line in block.texts)
        if reason := unstorable([text, block.id]):
            return RowProblem(block.row, reason)
        units = read_units(block, text, self._layers, is_java=self._is_java)
        if isinstance(units, RowProblem):
            return units
        if problem := text_problem(text):
            return RowProblem(block.row, problem)
        if not text.strip() or not units:
            return RowProblem(block.row, _("The sentence has no visible word."))
        read = self._read_layers()
        marks = {layer.name: read_marks(layer, units) for layer in read}
        unused = [*self._unread(units, read), *self._crossing(marks, units)]
        if not read:
            annotation = None
        elif self._task == "srl":
            annotation = self._predicates(read, marks, units, unused)
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
        named = [
            n for name in (wanted, *_VALUES) for n in layer.values() if layer.features[n] == name
        ]
        if named:
            return named[0]
        return next(iter(layer.values()), None)

    def _unread(self, units: Sequence[Unit], read: list[Layer]) -> list[str]:
        """The layers, and the features of read ones, that this sentence has and are not read."""
        names = []
        for layer in self._layers:
            kept = {self._feature(layer)}
            if self._task == "srl":
                kept |= {place for n in layer.roles() for place in (n, n + 1)}
            for n in range(layer.width):
                if layer not in read:
                    name, silent = layer.name, {"_", ""}
                elif n in kept or not layer.features:
                    continue
                else:
                    name = f"{layer.name}.{layer.features[n].rpartition(':')[2]}"
                    silent = {"_", "", "*"}
                cells = (NUMBERS.sub("", unit.cells[layer.column - 3 + n]) for unit in units)
                if not {part for cell in cells for part in cell.split("|")} <= silent:
                    names.append(name)
        return names

    def _crossing(self, marks: dict[str, list[Mark]], units: Sequence[Unit]) -> list[str]:
        """Says of which layers an annotation goes on from the sentence before: each part is read by itself."""
        all_marks = [
            (layer, found) for layer, spans in marks.items() for found in spans if found.number
        ]
        start, end = units[0].start, max(unit.end for unit in units)
        first = {(layer, found.number) for layer, found in all_marks if found.start == start}
        crossing = sorted({layer for layer, _number in first & self._last})
        self._last = {(layer, found.number) for layer, found in all_marks if found.end == end}
        return [
            _("that one %(layer)s goes on from the sentence before", layer=name)
            for name in crossing
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
        units: Sequence[Unit],
        unused: list[str],
    ) -> dict[str, Any]:
        layer = next(layer for layer in read if layer.name == _PREDICATE)
        feature = self._feature(layer)
        # An argument is named by its number, or by its unit if it lies on that alone.
        places: dict[str, Mark | Unit] = {unit.name: unit for unit in units}
        for other in self._layers:
            if other.kind == "SP":
                places |= {f"[{m.number}]": m for m in read_marks(other, units) if m.number}
        predicates = []
        for found in marks[_PREDICATE]:
            arguments = []
            for role, target in slots(layer, found):
                item = ITEM.fullmatch(target)
                argument = item and places.get(f"[{item[2]}]" if item[2] else item[1])
                if not argument or argument.start == argument.end or role in ("*", "_"):
                    unused.append(_("arguments without a role or outside the sentence"))
                    continue
                name = long_role(unescaped(role))
                arguments.append({"start": argument.start, "end": argument.end, "role": name})
            if found.start == found.end:
                unused.append(_("%(layer)s of no length", layer=layer.name))
                continue
            sense = None if feature is None else found.values[feature]
            predicates.append(
                {"start": found.start, "end": found.end, "sense": sense, "arguments": arguments}
            )
        return {"predicates": predicates}
