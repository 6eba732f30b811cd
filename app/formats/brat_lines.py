"""The lines of a brat annotation file: text-bound annotations, events, and the names of everything else.

https://brat.nlplab.org/standoff.html; T, E, R, *, A, M (as A in old files), N and # begin an annotation's id.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from app.errors import InvalidInput
from app.formats.brat_offsets import Fragments, Place, place_all
from app.i18n import gettext as _
from app.i18n import mark

BOUND = re.compile(
    r"(?P<id>T\S*)\t(?P<type>\S+) (?P<places>\d{1,9} \d{1,9}(?:;\d{1,9} \d{1,9})*)(?:\t(?P<words>.*))?"
)
"""T1, its type, where it stands, its words."""
NO_SENSE = "Predicate"
"""The type of an event that says no sense."""
_KINDS = {
    "R": mark("relations: %(type)s"),
    "*": mark("relations: %(type)s"),
    "A": mark("attributes: %(type)s"),
    "M": mark("attributes: %(type)s"),
    "N": mark("links: %(type)s"),
    "#": mark("notes: %(type)s"),
}
"""What is not read, by how its line begins."""
_OTHER = re.compile(r"(?P<kind>[RAMN#*])(?:(?<=\*)|\d\S*)\t(?P<type>\S+)")


@dataclass(frozen=True, slots=True)
class Bound:
    """A text-bound annotation: an entity, or what an event is seen by. Several places: it lies in pieces."""

    type: str
    places: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class Event:
    """An event: its type, the id of what it is seen by, and (role, id) of what takes part."""

    type: str
    trigger: str
    arguments: tuple[tuple[str, str], ...]


@dataclass(slots=True)
class Standoff:
    """The annotations of a text, in the order of their file."""

    bound: dict[str, Bound] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    """Names of what else there is."""


def read_standoff(annotations: str, text: str) -> Standoff:
    """The annotations of a text. Raises InvalidInput naming the line."""
    found: dict[str, tuple[str, Fragments]] = {}
    events: list[tuple[int, Event]] = []
    event_ids: set[str] = set()
    standoff = Standoff()
    for row, line in enumerate(re.split(r"\r?\n|\r", annotations), 1):
        if not line.strip():
            continue
        if line[0] == "T" and (match := BOUND.fullmatch(line)):
            pieces = tuple(_piece(piece) for piece in match["places"].split(";"))
            if match["id"] in found:
                raise _wrong(row, _("There are two annotations %(name)s.", name=match["id"]))
            found[match["id"]] = match["type"], Fragments(pieces, match["words"], row)
        elif line[0] == "E" and (event := _event(line)):
            events.append((row, event))
            event_ids.add(line.partition("\t")[0])
        elif match := _OTHER.match(line):
            said = _KINDS[match["kind"]]
            standoff.others.append(_(said, type=match["type"][:100]))
        else:
            raise _wrong(row, _("“%(line)s” is no annotation.", line=line[:100]))
    placed = place_all([fragments for _type, fragments in found.values()], text)
    if isinstance(placed, Fragments):
        raise _not_there(placed)
    for (name, (kind, _fragments)), places in zip(found.items(), placed, strict=True):
        standoff.bound[name] = Bound(kind, places)
    for row, event in events:
        targets = {target for _role, target in event.arguments}
        unknown = [event.trigger] if event.trigger not in found else []
        unknown += sorted(targets - found.keys() - event_ids)
        if unknown:
            raise _wrong(row, _("There is no annotation %(name)s.", name=unknown[0]))
        standoff.events.append(event)
    return standoff


def _piece(words: str) -> Place:
    start, _blank, end = words.partition(" ")
    return int(start), int(end)


def _event(line: str) -> Event | None:
    """`E1`, its type and trigger, its arguments; None where the line is not made so."""
    items = [item.rpartition(":") for item in line.partition("\t")[2].split()]
    if not items or not all(role and target for role, _colon, target in items):
        return None
    (kind, _colon, trigger), *arguments = items
    roles = plain_roles([role for role, _colon, _target in arguments])
    return Event(
        kind,
        trigger,
        tuple((role, target) for role, (_r, _c, target) in zip(roles, arguments, strict=True)),
    )


def plain_roles(roles: Sequence[str]) -> list[str]:
    """The roles of an event without the numbers that brat gives to a role that comes again: Theme, Theme2."""
    return [next(filter(roles.__contains__, _shorter(role)), role) for role in roles]


def _shorter(role: str) -> Iterator[str]:
    """The role without its last digit, its last two, …"""
    while role[-1:].isdecimal():
        role = role[:-1]
        yield role


def _wrong(row: int, message: str) -> InvalidInput:
    return InvalidInput.at(f"line {row}", _("Line %(n)s: %(message)s", n=row, message=message))


def _not_there(fragments: Fragments) -> InvalidInput:
    start, end = fragments.pieces[0][0], fragments.pieces[-1][1]
    if not fragments.words:
        return _wrong(
            fragments.row,
            _("%(start)s to %(end)s does not lie in the text.", start=start, end=end),
        )
    return _wrong(
        fragments.row,
        _(
            "“%(words)s” does not stand at %(start)s to %(end)s in the text.",
            words=fragments.words[:100],
            start=start,
            end=end,
        ),
    )
