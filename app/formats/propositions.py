"""What the SRL formats share: role names, bracket columns, and building the payload from token numbers."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from app.formats.tokens import Tokens
from app.i18n import gettext as _

_SHORT = re.compile(r"^((?:[CR]-)*)A(?:([0-5A])|M(-.+)?)$")
_LONG = re.compile(r"^((?:[CR]-)*)ARG(?:([0-5A])|M(-.+)?)$")
BRACKETS = re.compile(r"(?:\([^()*]+)*\*?\)*")
"""A cell of a column of spans: `(A0*`, `*`, `*))`, `(GPE)`."""
_BRACKETS = re.compile(r"\(([^*()]+)|(\*)|(\))")


@dataclass(slots=True)
class Proposition:
    """A predicate's tokens (first and last number), its sense and its arguments."""

    first: int
    last: int
    sense: str | None
    arguments: list[tuple[int, int, str]] = field(default_factory=list)
    """(first token, last token, role)"""


def long_role(role: str) -> str:
    """A0 and AM-TMP, as CoNLL-2005 and -2009 write, in PropBank's spelling: ARG0, ARGM-TMP."""
    match = _SHORT.match(role)
    if not match:
        return role
    prefix, number, kind = match.groups()
    return f"{prefix}ARG{number}" if number else f"{prefix}ARGM{kind or ''}"


def short_role(role: str) -> str:
    """The reverse of long_role."""
    match = _LONG.match(role)
    if not match:
        return role
    prefix, number, kind = match.groups()
    return f"{prefix}A{number}" if number else f"{prefix}AM{kind or ''}"


def unwritable_role(role: str) -> str | None:
    """What to say of a role that a column cannot hold; V there means the predicate itself."""
    if role.split() == [role] and not set(role) & set("()*") and role not in ("V", "_", "-"):
        return None
    return _("The role “%(role)s” cannot be written in this format.", role=role)


def respelt_role(role: str) -> list[str]:
    """What to say of a role that is read back in PropBank's long spelling."""
    becomes = long_role(short_role(role))
    if becomes == role:
        return []
    return [_("The role “%(role)s” is read back as “%(other)s”.", role=role, other=becomes)]


def read_brackets(cells: Sequence[str]) -> list[tuple[int, int, str]]:
    """(first, last, label) of a column such as `(A0*`, `*`, `*)`.

    A bracket that is never closed ends with the column; one that was never opened is passed over: real
    files have both.
    """
    found: list[tuple[int, int, str]] = []
    stack: list[tuple[int, str]] = []
    for number, cell in enumerate(cells):
        for opening, _star, closing in _BRACKETS.findall(cell):
            if opening:
                stack.append((number, opening))
            elif closing and stack:
                first, label = stack.pop()
                found.append((first, number, label))
    found.extend((first, len(cells) - 1, label) for first, label in stack)
    return sorted(found)


def unmatched(cells: Sequence[str]) -> str | None:
    """The cell of a bracket that is never closed, or was never opened; None if there is none."""
    stack: list[str] = []
    for cell in cells:
        for opening, _star, closing in _BRACKETS.findall(cell):
            if opening:
                stack.append(cell)
            elif closing and not stack:
                return cell
            elif closing:
                stack.pop()
    return stack[0] if stack else None


def write_brackets(length: int, spans: Sequence[tuple[int, int, str]]) -> list[str]:
    """The column of nested or separate spans, by their token numbers."""
    cells = ["*"] * length
    for first, last, label in sorted(spans, key=lambda span: (span[0], -span[1]), reverse=True):
        cells[first] = f"({label}{cells[first]}"
        cells[last] = f"{cells[last]})"
    return cells


def from_brackets(place: int, sense: str | None, cells: Sequence[str]) -> Proposition:
    """The predicate at a token with its bracket column. V says how far the predicate itself reaches."""
    proposition = Proposition(place, place, sense)
    for first, last, label in read_brackets(cells):
        if label == "V" and first <= place <= last:
            proposition.first, proposition.last = first, last
        elif label != "V":
            proposition.arguments.append((first, last, long_role(label)))
    return proposition


def payload(propositions: Sequence[Proposition], tokens: Tokens) -> dict[str, Any]:
    """Propositions on token numbers as the task's payload on offsets."""
    return {
        "predicates": [
            {
                "start": tokens[p.first][0],
                "end": tokens[p.last][1],
                "sense": p.sense,
                "arguments": [
                    {"start": tokens[a][0], "end": tokens[b][1], "role": role}
                    for a, b, role in p.arguments
                ],
            }
            for p in propositions
        ]
    }
