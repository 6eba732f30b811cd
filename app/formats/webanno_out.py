"""WebAnno TSV 3.3 written: an example is a sentence of one document, as INCEpTION and WebAnno import it.

    #FORMAT=WebAnno TSV 3.3
    #T_SP=de.tudarmstadt.ukp.dkpro.core.api.ner.type.NamedEntity|identifier|value


    #Sentence.id=s-1
    #Text=Mia Ruiz left
    1-1	0-3	Mia	*[1]	PER[1]
    1-2	4-8	Ruiz	*[1]	PER[1]
    1-3	9-13	left	_	_

Offsets count UTF-16 units of the document; a span that cuts a token stands on a part of it (`1-2.1`).
https://inception-project.github.io/releases/36.3/docs/user-guide.html#sect_formats_webannotsv3
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from app.formats.base import NO_FACTS, Message, Record, VersionFacts, Writer
from app.formats.propositions import long_role
from app.formats.tokens import utf_16_units
from app.formats.words import covering, off_borders, with_tokens
from app.i18n import gettext as _
from app.i18n import mark

_DKPRO = "de.tudarmstadt.ukp.dkpro.core.api"
_ENTITIES = f"#T_SP={_DKPRO}.ner.type.NamedEntity|identifier|value\n"
_SEMANTICS = f"{_DKPRO}.semantics.type"
_ROLES = (
    f"#T_SP={_SEMANTICS}.SemArg|\n"
    f"#T_SP={_SEMANTICS}.SemPred|ROLE_{_SEMANTICS}.SemPred:arguments_{_SEMANTICS}.SemArgLink"
    f"|{_SEMANTICS}.SemArg|category\n"
)
_TEXT = str.maketrans(
    {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\f": "\\f", "\b": "\\b"}
)
_RESERVED = re.compile(r"->|[\\\[\]|_;*]")
_CONTROL = str.maketrans({"\t": "\\t", "\n": "\\n", "\r": "\\r", "\f": "\\f", "\b": "\\b"})
_NO_LINE = re.compile(r"[\r\n]")

_Span = tuple[int, int]


class WebAnnoWriter(Writer):
    """Writes entities as the layer NamedEntity, propositions as SemPred and SemArg."""

    name = "webanno"
    title = mark("WebAnno TSV 3.3 (INCEpTION)")
    extension = "tsv"
    media_type = "text/tab-separated-values; charset=utf-8"
    leaves_out = (mark("meta data"),)

    def write(
        self,
        records: Iterable[Record],
        task: str,
        *,
        conversation: Callable[[Record], list[Message]],
        comments: bool = False,
        facts: VersionFacts = NO_FACTS,
    ) -> Iterator[bytes]:
        begin = numbered = 0
        layers = _ROLES if task == "srl" else _ENTITIES
        yield f"#FORMAT=WebAnno TSV 3.3\n{layers}\n\n".encode()
        for number, record in enumerate(records, 1):
            sentence = _Sentence(record, task, number, begin, numbered)
            yield sentence.written().encode()
            begin, numbered = sentence.end + 1, sentence.numbered

    def check(self, record: Record, task: str) -> list[str]:
        sentence = _Sentence(record, task, 1, 0, 0)
        notes = sentence.notes
        if record.external_id and not _is_line(record.external_id):
            notes.append(_("Its id has a line break, and is not written."))
        return notes


@dataclass(slots=True, eq=False)
class _Mark:
    """An annotation: the units that it lies on, its value, what fills its slots, and its number where one is needed."""

    units: list[_Span]
    value: str = "*"
    roles: list[tuple[str, "_Mark"]] = field(default_factory=list)
    number: int | None = None


@dataclass(slots=True)
class _Layer:
    """A layer's annotations, by the units that they lie on."""

    columns: Callable[[_Mark], list[str]]
    """What its columns say of an annotation, without its number …"""
    numbered: tuple[bool, ...]
    """… which stands behind those that are true here."""
    on: dict[_Span, list[_Mark]] = field(default_factory=dict)

    def add(self, found: _Mark) -> None:
        for unit in found.units:
            self.on.setdefault(unit, []).append(found)

    def cells(self, unit: _Span) -> list[str]:
        """The cells of a unit's line."""
        stacks = []
        for found in self.on.get(unit, ()):
            number = f"[{found.number}]" if found.number else ""
            columns = zip(self.columns(found), self.numbered, strict=True)
            stacks.append([cell + number * is_numbered for cell, is_numbered in columns])
        return ["|".join(column) for column in zip(*stacks, strict=True)] or ["_"] * len(
            self.numbered
        )


class _Sentence:
    """One example in the document: where it begins there, and how many annotations were numbered before it."""

    def __init__(self, record: Record, task: str, number: int, begin: int, numbered: int) -> None:
        self.notes: list[str] = []
        self._record = self._covered(with_tokens(record))
        self._number, self._begin, self.numbered = number, begin, numbered
        self._unit_of = utf_16_units(record.text)
        self.end = begin + self._unit_of(len(record.text))
        annotation = record.annotation or {}
        if task == "srl":
            self._layers = self._propositions(annotation.get("predicates", ()))
        else:
            self._layers = [self._entities(annotation.get("spans", ()))]
        parts = {unit for layer in self._layers for unit in layer.on}
        self._names = self._name(parts - set(self._record.tokens or ()))
        for layer in self._layers:
            self._give_numbers(layer)

    def written(self) -> str:
        """The sentence's lines."""
        own = self._record.external_id
        lines = [f"#Sentence.id={own}\n"] if own is not None and _is_line(own) else []
        text = self._record.text
        lines.append(f"#Text={text.translate(_TEXT)}\n")
        for (start, end), name in self._names.items():
            offsets = f"{self._begin + self._unit_of(start)}-{self._begin + self._unit_of(end)}"
            cells = [cell for layer in self._layers for cell in layer.cells((start, end))]
            words = text[start:end].translate(_TEXT)
            lines.append("\t".join((name, offsets, words, *cells)) + "\t\n")
        return "".join(lines) + "\n"

    def _covered(self, record: Record) -> Record:
        """The record with tokens on all visible words, as the format has them."""
        tokens = covering(record)
        own = set(record.tokens or ())
        self.notes += [
            _("“%(words)s” is in none of its tokens, and becomes one.", words=record.text[a:b])
            for a, b in tokens
            if (a, b) not in own
        ]
        return replace(record, tokens=tuple(tokens))

    def _units(self, span: dict[str, Any], label: str) -> list[_Span]:
        """The tokens, or parts of them, that a span lies on; none, and a note, if its border is in none."""
        units = [
            (max(start, span["start"]), min(end, span["end"]))
            for start, end in self._record.tokens or ()
            if start < span["end"] and span["start"] < end
        ]
        if units and (units[0][0], units[-1][1]) == (span["start"], span["end"]):
            return units
        self.notes.append(off_borders(self._record, span, label))
        return []

    def _entities(self, spans: Iterable[dict[str, Any]]) -> _Layer:
        layer = _Layer(lambda found: ["*", found.value], numbered=(True, True))
        for span in spans:
            if units := self._units(span, span["label"]):
                layer.add(_Mark(units, _escaped(span["label"])))
        return layer

    def _propositions(self, predicates: Sequence[dict[str, Any]]) -> list[_Layer]:
        arguments = _Layer(lambda found: [found.value], numbered=(True,))
        heads = _Layer(self._predicate, numbered=(True, False, True))
        known: dict[_Span, _Mark] = {}
        for predicate in predicates:
            if not (units := self._units(predicate, "V")):
                continue
            sense = predicate["sense"]
            head = _Mark(units, "*" if sense is None else _escaped(sense))
            heads.add(head)
            for argument in predicate["arguments"]:
                role, place = argument["role"], (argument["start"], argument["end"])
                if place not in known and (units := self._units(argument, role)):
                    known[place] = _Mark(units)
                    arguments.add(known[place])
                if place in known:
                    self.notes += _role_notes(role)
                    head.roles.append((_escaped(role), known[place]))
        return [arguments, heads]

    def _predicate(self, found: _Mark) -> list[str]:
        targets = [
            self._names[argument.units[0]] + (f"[{argument.number}]" if argument.number else "")
            for _role, argument in found.roles
        ]
        roles = ";".join(role for role, _argument in found.roles)
        return [roles or "*", ";".join(targets) or "*", found.value]

    def _name(self, parts: set[_Span]) -> dict[_Span, str]:
        """The names of the units, in the order of their lines: tokens, each with its parts behind it."""
        names: dict[_Span, str] = {}
        rest = sorted(parts, reverse=True)
        for number, token in enumerate(self._record.tokens or (), 1):
            names[token] = f"{self._number}-{number}"
            count = 0
            while rest and rest[-1][0] < token[1]:
                count += 1
                names[rest.pop()] = f"{self._number}-{number}.{count}"
        return names

    def _give_numbers(self, layer: _Layer) -> None:
        """Numbers what lies on several units, or with others on one."""
        for unit in self._names:
            marks = layer.on.get(unit, ())
            for found in marks:
                if found.number is None and (len(found.units) > 1 or len(marks) > 1):
                    self.numbered += 1
                    found.number = self.numbered


def _escaped(value: str) -> str:
    """A value of a feature: what has a meaning in the file stands behind a backslash."""
    return _RESERVED.sub(lambda match: f"\\{match[0]}", value).translate(_CONTROL)


def _role_notes(role: str) -> list[str]:
    becomes = long_role(role)
    if becomes == role:
        return []
    return [_("The role “%(role)s” is read back as “%(other)s”.", role=role, other=becomes)]


def _is_line(value: str) -> bool:
    return value != "" and not _NO_LINE.search(value)
