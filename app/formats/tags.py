"""Tags of words: which scheme a column of them is in, which entities they say, and how they are written.

The marks are those of IOB1, IOB2, BIOES, BMES, BILOU and BMEWO. They are read as conlleval does: B, S, U and W open an
entity, E, S, L, U and W close it, and an I or M that follows nothing of its type opens one. They stand before the
type (`B-PER`) or behind it (`PER-B`), in capitals or not, with one of several separators, or alone (`B`).
"""

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

OUTSIDE = frozenset({"O", "o", "_", "", "-"})
NO_TYPE = "entity"
"""The type of entities in a file that has only marks."""


@dataclass(frozen=True, slots=True)
class Marks:
    """The marks that a scheme writes of an entity of several words, and of one word."""

    first: str
    inside: str
    last: str
    single: str


SCHEMES = {
    "IOB1": Marks(
        "I", "I", "I", "I"
    ),  # B where the entity before is of the same type and touches it
    "IOB2": Marks("B", "I", "I", "B"),
    "BIOES": Marks("B", "I", "E", "S"),
    "BMES": Marks("B", "M", "E", "S"),
    "BILOU": Marks("B", "I", "L", "U"),
    "IO": Marks("I", "I", "I", "I"),
}
"""How the schemes in use are written."""

_OPENS, _CLOSES = frozenset("BSUW"), frozenset("ESLUW")
_SEVERAL = "|^;,& "
"""What stands between several tags of one word."""


@dataclass(frozen=True, slots=True, eq=False)
class Scheme:
    """How the tags of a column are written. `pattern` has groups `mark` and `label`; None: types without marks."""

    pattern: re.Pattern[str] | None
    least_fit: float = 1.0
    """The share of tags that must be in this scheme for a column to be."""
    proofs: frozenset[str] = frozenset()
    """Marks of which a file in this scheme must have one: an `E-mail` alone is a type, since E only closes."""

    def fit(self, tags: Collection[str]) -> float:
        """The share of these tags, none of them outside, that are in this scheme; 0 without a proof."""
        parsed = [_parse(self, tag) for tag in tags]
        if not any(mark in self.proofs for marks in parsed for mark, _label in marks):
            return 0.0
        return sum(all(mark for mark, _label in marks) for marks in parsed) / len(parsed)


def _schemes() -> Iterator[Scheme]:
    yield Scheme(re.compile("(?P<mark>[BIESMLUW])-(?P<label>.*)"), 0.5, frozenset("BISUW"))
    for letters in ("BIESMLUW", "biesmluw"):
        mark = f"(?P<mark>[{letters}])"
        for separator in ("-", "_", ":", "/", r"\."):
            before, behind = f"{mark}{separator}(?P<label>.+)", f"(?P<label>.+){separator}{mark}"
            yield Scheme(re.compile(before), 0.9, frozenset("BISUW"))
            yield Scheme(re.compile(behind), 0.9, frozenset("BI"))
        yield Scheme(re.compile(f"{mark}(?P<label>)"), 0.9, frozenset("BI"))


_SCHEMES = tuple(_schemes())
USUAL = _SCHEMES[0]
_TYPES_ONLY = Scheme(None)


def detect(tags: Collection[str]) -> Scheme | None:
    """The scheme of a column with these cells; None where they are no tags."""
    says = {tag for tag in tags if tag not in OUTSIDE}
    has_outside = "O" in tags or "o" in tags
    if not says:
        return USUAL if has_outside else None
    fits = {scheme: scheme.fit(says) for scheme in _SCHEMES}
    good = [scheme for scheme in _SCHEMES if fits[scheme] >= scheme.least_fit]
    if good:
        return max(good, key=lambda scheme: fits[scheme])
    return _TYPES_ONLY if has_outside else None


def _parse(scheme: Scheme, tag: str) -> tuple[tuple[str, str], ...]:
    """The (mark, type) pairs of a tag; a tag that is not in the scheme is a type without a mark."""
    return _known(scheme, tag) if len(tag) < 100 else _pairs(scheme, tag)


def _pairs(scheme: Scheme, tag: str) -> tuple[tuple[str, str], ...]:
    if tag in OUTSIDE:
        return ()
    if scheme.pattern is None:
        return (("", tag),)
    for separator in _SEVERAL:
        parts = tag.split(separator)
        if len(parts) > 1 and all(p in OUTSIDE or scheme.pattern.fullmatch(p) for p in parts):
            return tuple(pair for part in parts for pair in _pairs(scheme, part))
    match = scheme.pattern.fullmatch(tag)
    return ((match["mark"].upper(), match["label"] or NO_TYPE),) if match else (("", tag),)


_known = lru_cache(maxsize=1 << 14)(_pairs)


def decode(tags: Iterable[str], scheme: Scheme) -> Iterator[tuple[int, int, str]]:
    """(first word, last word, type) of the entities that a column of tags says."""
    begun: dict[str, int] = {}
    number = -1
    for number, tag in enumerate(tags):
        if not begun and tag in OUTSIDE:
            continue
        pairs = _parse(scheme, tag)
        types = {label for _mark, label in pairs}
        for label in [label for label in begun if label not in types]:
            yield begun.pop(label), number - 1, label
        for mark, label in pairs:
            if mark in _OPENS and begun.get(label, number) < number:
                yield begun.pop(label), number - 1, label
            begun.setdefault(label, number)
            if mark in _CLOSES:
                yield begun.pop(label), number, label
    for label, first in begun.items():
        yield first, number, label


def encode(spans: Iterable[tuple[int, int, str]], length: int, scheme: str) -> list[str]:
    """The tags of so many words with these entities (first word, last word, type), which lie apart and in order."""
    marks = SCHEMES[scheme]
    tags = ["O"] * length
    before = (-1, "")
    for first, last, label in spans:
        tags[first : last + 1] = [f"{marks.inside}-{label}"] * (last + 1 - first)
        tags[last] = f"{marks.last}-{label}"
        opening = marks.first if last > first else marks.single
        if scheme == "IOB1" and before == (first - 1, label):
            opening = "B"
        tags[first] = f"{opening}-{label}"
        before = last, label
    return tags
