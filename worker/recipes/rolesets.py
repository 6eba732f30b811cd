"""From a predicate's words and a sense number to a roleset, by what the training data has seen."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

_ROLESET = re.compile(r"^(.+)\.([^.\s]+)$")


def sense_number(sense: str | None) -> str | None:
    """The part of a roleset after its last dot: give.01 -> 01. None where there is no such part."""
    match = _ROLESET.match(sense or "")
    return match[2] if match else None


class Rolesets:
    """For each surface form, the lemma of its most frequent roleset, and the roleset of each number seen.

    The number decides the lemma where both were seen together: take.01, but take_off.08.
    """

    def __init__(self, lemmas: dict[str, str], seen: dict[str, dict[str, str]]) -> None:
        self.lemmas = lemmas
        self.seen = seen

    @classmethod
    def learn(cls, uses: Iterable[tuple[str, str]]) -> "Rolesets":
        """From (surface form, roleset) pairs."""
        counts: dict[str, Counter[str]] = defaultdict(Counter)
        for surface, sense in uses:
            if sense_number(sense) is not None:
                counts[surface.lower()][sense] += 1
        lemmas: dict[str, str] = {}
        seen: dict[str, dict[str, str]] = {}
        for surface, senses in sorted(counts.items()):
            # Most frequent first; names break ties, so that equal data gives an equal model.
            ranked = sorted(senses, key=lambda sense: (-senses[sense], sense))
            lemmas[surface] = ranked[0].rpartition(".")[0]
            numbers = seen.setdefault(surface, {})
            for sense in ranked:
                numbers.setdefault(sense.rpartition(".")[2], sense)
        return cls(lemmas, seen)

    def sense(self, surface: str, number: str | None) -> str | None:
        """The roleset of a surface form with a predicted number; None for a form never seen."""
        form = surface.lower()
        if number is None or form not in self.lemmas:
            return None
        return self.seen[form].get(number) or f"{self.lemmas[form]}.{number}"

    def as_json(self) -> dict[str, Any]:
        return {"lemmas": self.lemmas, "seen": self.seen}
