"""Texts of one set that nearly stand in another: MinHash signatures of their pieces, found by banding.

A. Broder, On the resemblance and containment of documents (1997); banding as in J. Leskovec, A. Rajaraman, J. Ullman,
Mining of Massive Datasets, chapter 3.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import regex
from rensa import RMinHash, RMinHashLSH

ALIKE = 0.8
"""Jaccard similarity of their pieces, as far as signatures tell, from which on two texts are nearly the same."""
_PERMUTATIONS, _BANDS, _SEED = 120, 20, 42
"""Bands of six find 99.8% of the pairs at 0.8; a signature's similarity is off by 0.04 (standard error) there."""
_MOST_CHARACTERS = 20_000
"""Of a text: more of them would not change much."""
_MOST_CHECKS = 5_000_000
"""Pairs that are compared at most: of a set that is made of one template, all would be."""
_BATCH = 1000
_WORDS = re.compile(r"\w+")
_DENSE = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]+")
"""Scripts without spaces between words."""

Text = tuple[int, str]
"""With a number, by which it is told."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A held-out text and one that nearly equals it."""

    held_out: int
    other: int
    similarity: float
    """0 to 1, as signatures tell."""


class HeldOut:
    """The texts that should not be met in another set."""

    def __init__(self, texts: Iterable[Text]) -> None:
        self._index = RMinHashLSH(ALIKE - 0.1, _PERMUTATIONS, _BANDS)
        self._signatures: dict[int, RMinHash] = {}
        self._checks = 0
        for number, signature in _signed(texts):
            self._signatures[number] = signature
            self._index.insert(number, signature)

    @property
    def is_complete(self) -> bool:
        """Whether all were compared that may be alike."""
        return self._checks < _MOST_CHECKS

    def met_in(self, texts: Iterable[Text]) -> Iterator[Pair]:
        """The held-out texts that nearly stand among these, each once, with the first that is met."""
        for other, signature in _signed(texts):
            if not self.is_complete:
                return
            near = [n for n in self._index.query(signature) if n in self._signatures]
            self._checks += len(near)
            for number in sorted(near):
                own = self._signatures[number]
                if (similarity := own.jaccard(signature)) >= ALIKE:
                    self._index.remove(number)
                    del self._signatures[number]
                    yield Pair(number, other, round(similarity, 3))


def pieces(text: str) -> set[str]:
    """The words of a text, and the pairs of characters of what is written without spaces; without regard to case,
    width and punctuation."""
    folded = unicodedata.normalize("NFKC", text[:_MOST_CHARACTERS]).casefold()
    found: set[str] = set()
    if not folded.isascii():
        for run in _DENSE.findall(folded):
            found.update(run[at : at + 2] for at in range(max(1, len(run) - 1)))
        if found:
            folded = _DENSE.sub(" ", folded)
    found.update(_WORDS.findall(folded))
    return found or {folded}


def _signed(texts: Iterable[Text]) -> Iterator[tuple[int, RMinHash]]:
    batch: list[Text] = []
    for item in texts:
        batch.append(item)
        if len(batch) == _BATCH:
            yield from _sign(batch)
            batch = []
    yield from _sign(batch)


def _sign(batch: list[Text]) -> Iterator[tuple[int, RMinHash]]:
    sets = [list(pieces(text)) for _number, text in batch]
    signatures = RMinHash.from_token_sets(sets, _PERMUTATIONS, _SEED) if sets else []
    yield from zip((number for number, _text in batch), signatures, strict=True)
