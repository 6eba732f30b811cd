"""brat's standoff written: a zip of a .txt and an .ann for each example, in a folder of its split.

    train/000007.txt    Mia left Lima.
    train/000007.ann    T1	Person 0 3	Mia
    annotation.conf     the types that were used, without which brat does not show them

Predicates are events, whose type is the sense (`brat_lines.NO_SENSE` if there is none); arguments are entities of the
type Argument. What goes over a line break is written in a piece a line, as brat has it.
https://brat.nlplab.org/standoff.html, https://brat.nlplab.org/configuration.html
"""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from app.formats.archive import zipped
from app.formats.base import NO_FACTS, Message, Record, VersionFacts, Writer
from app.formats.brat_lines import NO_SENSE, plain_roles
from app.i18n import gettext as _
from app.i18n import mark

_LINE = re.compile(r"\S(?:[^\r\n]*\S)?")
_BLANK = re.compile(r"\s")
_ARGUMENT = "Argument"
_MAX_TYPES = 10_000


class BratWriter(Writer):
    """Writes a document for each example, named by its number."""

    name = "brat"
    title = mark("brat standoff (ZIP of .txt and .ann)")
    extension = "zip"
    media_type = "application/zip"
    splits = "said"
    leaves_out = (mark("meta data"), mark("tokens"), mark("external ids"))

    def write(
        self,
        records: Iterable[Record],
        task: str,
        *,
        conversation: Callable[[Record], list[Message]],
        comments: bool = False,
        facts: VersionFacts = NO_FACTS,
    ) -> Iterator[bytes]:
        return zipped(_files(records))

    def check(self, record: Record, task: str) -> list[str]:
        annotation = record.annotation or {}
        notes = [
            _(
                "The label “%(label)s” has white space, which is written as an underscore.",
                label=label,
            )
            for label in dict.fromkeys(span["label"] for span in annotation.get("spans", ()))
            if label.split() != [label]
        ]
        for predicate in annotation.get("predicates", ()):
            notes += _predicate_notes(predicate)
        if record.text.startswith("\ufeff"):
            notes.append(
                _("The text begins with a byte-order mark, which is not read as a part of it.")
            )
        return notes


def _predicate_notes(predicate: dict[str, Any]) -> list[str]:
    sense = predicate["sense"]
    notes = []
    if sense is not None and (sense.split() != [sense] or sense == NO_SENSE):
        notes.append(_("The sense “%(sense)s” cannot be read back as it is.", sense=sense))
    roles = [argument["role"] for argument in predicate["arguments"]]
    written = plain_roles(["_".join(role.split()) for role in roles])
    return notes + [
        _("The role “%(role)s” is read back as “%(other)s”.", role=role, other=other)
        for role, other in zip(roles, written, strict=True)
        if role != other
    ]


def _files(records: Iterable[Record]) -> Iterator[tuple[str, Iterable[bytes]]]:
    types: dict[str, set[str]] = {"spans": set(), "predicates": set(), "roles": set()}
    for record in records:
        name = f"{record.split}/{record.row:06d}" if record.split else f"{record.row:06d}"
        yield f"{name}.txt", (record.text.encode(),)
        if record.annotation is not None:
            yield f"{name}.ann", (_annotations(record, record.annotation, types).encode(),)
    yield "annotation.conf", (_configuration(types).encode(),)


def _annotations(record: Record, annotation: dict[str, Any], types: dict[str, set[str]]) -> str:
    file = _File(record.text)
    for span in annotation.get("spans", ()):
        label = "_".join(span["label"].split())
        types["spans"].add(label)
        file.bound(label, span)
    for predicate in annotation.get("predicates", ()):
        kind = "_".join((predicate["sense"] or NO_SENSE).split())
        types["predicates"].add(kind)
        items = [f"{kind}:{file.bound(kind, predicate)}"]
        for argument in predicate["arguments"]:
            role = "_".join(argument["role"].split())
            types["roles"].add(role)
            items.append(f"{role}:{file.bound(_ARGUMENT, argument)}")
        file.event(items)
    return "".join(f"{line}\n" for line in file.lines)


class _File:
    """The annotations of one text."""

    def __init__(self, text: str) -> None:
        self.lines: list[str] = []
        self._text = text
        self._known: dict[tuple[str, int, int], str] = {}
        self._events = 0

    def bound(self, kind: str, span: dict[str, Any]) -> str:
        """The id of a text-bound annotation, which is written once."""
        place = kind, span["start"], span["end"]
        if place not in self._known:
            self._known[place] = name = f"T{len(self._known) + 1}"
            words = self._text[span["start"] : span["end"]]
            pieces = [
                (span["start"] + match.start(), span["start"] + match.end())
                for match in _LINE.finditer(words)
            ]
            places = ";".join(f"{start} {end}" for start, end in pieces)
            said = " ".join(self._text[start:end] for start, end in pieces)
            self.lines.append(f"{name}\t{kind} {places}\t{_BLANK.sub(' ', said)}")
        return self._known[place]

    def event(self, items: list[str]) -> None:
        """Writes an event."""
        self._events += 1
        self.lines.append(f"E{self._events}\t{' '.join(items)}")


def _configuration(types: dict[str, set[str]]) -> str:
    """annotation.conf: the types that were used; none has any bounds of what it may take part in."""
    entities = types["spans"] or ({_ARGUMENT} if types["predicates"] else set())
    roles = "".join(f", {role}*:<ANY>" for role in sorted(types["roles"]))[2:]
    events = [f"{kind}\t{roles}".rstrip() for kind in sorted(types["predicates"])[:_MAX_TYPES]]
    sections = {"entities": sorted(entities), "relations": [], "events": events, "attributes": []}
    return "\n".join(
        f"[{name}]\n" + "".join(f"{line}\n" for line in lines) for name, lines in sections.items()
    )
