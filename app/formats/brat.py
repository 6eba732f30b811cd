"""brat's standoff: a zip of texts (`a.txt`), each with the annotations of it beside it (`a.ann`).

    T1	Person 0 10	Mia Lopez
    T2	Leave 11 15	left
    T3	Place 16 20;26 30	Lima Peru
    E1	Leave:T2 Who:T1
    R1	In Arg1:T3 Arg2:T4
    A1	Negated E1

Offsets count code points. What lies in two pieces (`16 20;26 30`) is one span where only white space is between them,
as brat divides at line breaks. https://brat.nlplab.org/standoff.html
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import IO, Any

from app.errors import InvalidInput
from app.formats.base import Head, ReadOptions, Record, RowProblem, is_split, read_split
from app.formats.bounds import MAX_ROW, text_problem
from app.formats.brat_lines import BOUND, NO_SENSE, Standoff, read_standoff
from app.formats.encoding import open_text, unreadable
from app.formats.unzip import Archive, Member, names_in, open_archive
from app.i18n import gettext as _
from app.i18n import mark
from app.storable import unstorable

_TEXT, _ANNOTATIONS = ".txt", ".ann"
_CONFIGURATION = re.compile(
    r"(?:^|/)(?:annotation|visual|tools|kb_shortcuts)\.conf$|(?:^|/)\.stats_cache$"
)
"""brat's own files, which say nothing of a text."""
_NAMED_FILES = 20


class BratReader:
    """Reads each document as an example: text-bound annotations as entities, events as predicates."""

    name = "brat"
    title = mark("brat standoff (ZIP of .txt and .ann)")
    tasks = frozenset({"ner", "srl"})

    def sniff(self, head: Head, task: str) -> float:
        if any(name.lower().endswith(_ANNOTATIONS) for name in names_in(head.data)):
            return 0.97
        is_bound = bool(head.lines) and BOUND.fullmatch(head.lines[0]) is not None
        return 0.97 if is_bound or head.name.endswith(_ANNOTATIONS) else 0.0

    def read(
        self, stream: IO[bytes], task: str, options: ReadOptions
    ) -> Iterator[Record | RowProblem]:
        if stream.read(2) != b"PK":
            raise InvalidInput.at(
                "file",
                _(
                    "An .ann file holds no text. Pack it with its .txt file into a ZIP archive, all documents in "
                    "one, and import that."
                ),
            )
        with open_archive(stream, language=options.language) as archive:
            texts, annotations, others = _sorted(archive.members)
            if not texts and not annotations:
                raise InvalidInput.at(
                    "file", _("The archive holds no .txt and .ann files, as brat writes them.")
                )
            unused = tuple(_("file “%(name)s”", name=name) for name in others[:_NAMED_FILES])
            for number, stem in enumerate(sorted({*texts, *annotations}), 1):
                item = _document(
                    archive, number, texts.get(stem), annotations.get(stem), task, options
                )
                if unused and isinstance(item, Record):  # said once, of the first
                    item, unused = replace(item, unused=(*item.unused, *unused)), ()
                yield item


def _sorted(
    members: Sequence[Member],
) -> tuple[dict[str, Member], dict[str, Member], list[str]]:
    """(texts, annotations, names of what is neither), the first two by their common name."""
    texts = {m.stem: m for m in members if m.ending.lower() == _TEXT}
    annotations = {m.stem: m for m in members if m.ending.lower() == _ANNOTATIONS}
    known = {member.name for member in (*texts.values(), *annotations.values())}
    others = [m.name for m in members if m.name not in known and not _CONFIGURATION.search(m.name)]
    return texts, annotations, others


def _document(
    archive: Archive,
    number: int,
    text_file: Member | None,
    annotations: Member | None,
    task: str,
    options: ReadOptions,
) -> Record | RowProblem:
    """The example of a document. One without annotations of its own file is not labelled yet."""
    if text_file is None:
        name = annotations.name if annotations else ""
        return RowProblem(
            number, _("“%(name)s” has no text: the .txt file of this name is missing.", name=name)
        )
    text = _read(archive, text_file, options)
    problem = _problem(text, options) or (None if text.strip() else _("The text is empty."))
    if problem:
        return _wrong(number, text_file, problem)
    try:
        split, own_id = _named(text_file.stem)
        if annotations is None:
            return Record(text, external_id=own_id, row=number, split=split)
        standoff = read_standoff(_read(archive, annotations, options), text)
        build = _predicates if task == "srl" else _entities
        annotation, unused = build(standoff, options.label_map)
    except InvalidInput as error:
        return _wrong(number, annotations or text_file, error.message)
    return Record(
        text,
        None,
        annotation,
        own_id,
        row=number,
        split=split,
        unused=tuple(dict.fromkeys((*unused, *standoff.others))),
    )


def _read(archive: Archive, member: Member, options: ReadOptions) -> str:
    """A file's characters, as far as a row may have any."""
    with archive.open(member) as stream:
        lines, _encoding = open_text(
            stream, options.encoding, newline="", language=options.language
        )
        return lines.read(MAX_ROW + 1)


def _problem(text: str, options: ReadOptions) -> str | None:
    return text_problem(text) or unreadable(text, options.encoding or "UTF-8") or unstorable(text)


def _wrong(number: int, member: Member, message: str) -> RowProblem:
    return RowProblem(number, _("“%(name)s”: %(message)s", name=member.name[:200], message=message))


def _named(stem: str) -> tuple[str | None, str]:
    """(split, name) of a document: in train/a/1, a folder says the split."""
    folders, _slash, name = stem.rpartition("/")
    parts = folders.split("/") if folders else []
    splits = [part for part in parts if is_split(part)]
    rest = [part for part in parts if part not in splits[:1]]
    return (read_split(splits[0]) if splits else None), "/".join((*rest, name))


def _entities(standoff: Standoff, label_map: dict[str, str]) -> tuple[dict[str, Any], list[str]]:
    unused = [_("events: %(type)s", type=event.type) for event in standoff.events]
    spans = set()
    for bound in standoff.bound.values():
        if len(bound.places) > 1:
            unused.append(_("spans in several pieces: %(type)s", type=bound.type))
            continue
        spans.add((*bound.places[0], label_map.get(bound.type, bound.type)))
    ordered = sorted(spans, key=lambda span: (span[0], -span[1], span[2]))
    return {"spans": [{"start": a, "end": b, "label": label} for a, b, label in ordered]}, unused


def _predicates(
    standoff: Standoff, label_map: dict[str, str]
) -> tuple[dict[str, Any] | None, list[str]]:
    """Events as predicates: the type is the sense. A file of other annotations says nothing of predicates."""
    unused: list[str] = []
    used: set[str] = set()
    predicates = []
    for event in standoff.events:
        trigger = standoff.bound[event.trigger]
        used.add(event.trigger)
        if len(trigger.places) > 1:
            unused.append(_("spans in several pieces: %(type)s", type=trigger.type))
            continue
        arguments = []
        for role, target in event.arguments:
            used.add(target)
            if target not in standoff.bound:
                unused.append(_("arguments that are events: %(role)s", role=role))
            elif len(standoff.bound[target].places) > 1:
                unused.append(_("spans in several pieces: %(type)s", type=role))
            else:
                ((start, end),) = standoff.bound[target].places
                arguments.append({"start": start, "end": end, "role": label_map.get(role, role)})
        ((start, end),) = trigger.places
        sense = None if event.type == NO_SENSE else event.type
        predicates.append({"start": start, "end": end, "sense": sense, "arguments": arguments})
    others = {bound.type for name, bound in standoff.bound.items() if name not in used}
    unused += [_("entities: %(type)s", type=name) for name in sorted(others)]
    is_silent = not standoff.events and (standoff.bound or standoff.others)
    return None if is_silent else {"predicates": predicates}, unused
