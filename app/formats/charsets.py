"""Which encoding, and which language, bytes without a name for it are most likely in.

Bayes' rule over pairs of encoding and language: how likely a language writes the characters that the bytes are in an
encoding (`alphabets`), times how common the pair is. Likelihoods of the same bytes compare whatever the number of
characters they make, so the two bytes of “한” win over the Latin letters that they would be elsewhere.
"""

import codecs
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache

from app.formats.alphabets import ALPHABETS, ENCODING_PRIORS, ENCODINGS, Alphabet

_EVIDENCE = 6000
"""Bytes that are weighed: the likelihoods of as many are far apart, or will never be."""
_WINDOW = 1 << 16
"""Bytes that must be in an encoding."""
_ASCII = -4.0
_SPREAD = 3
"""Letter n of a language comes about 1 / (n + this) as often as …"""
_CAPITAL, _FOREIGN, _CONTROL = -3.5, -13.0, -25.0
_WRONG = -20.0
_RARE_LETTERS = 0.12
_IN_WORD, _MIXED, _CASE, _SHOUT, _WORD = -6.0, -9.0, -8.0, -2.0, 1.2
_OLD = -4.0
"""Priors from here on are never certain."""
_PROJECT = 3.0
"""What the project's own language is ahead."""
_MARGIN = 5.0
"""So much (as a natural logarithm) likelier than any other reading is certain."""
_WORST = -10.5
"""Of a byte or character on average: worse than that is no language that is known here."""

_NOT_ASCII = re.compile(rb"[\x80-\xff]")
_CHUNK = re.compile(rb"[^\s,;|]*[\x80-\xff][^\n]{0,60}")
_LETTER = r"[^\W\d_]"
_SIGN_IN_WORD = re.compile(rf"(?<={_LETTER})[^\x00-\x7f\w\s’‘´`·\-–—…](?={_LETTER})")
_TWO_SCRIPTS = re.compile(r"[A-Za-z][Ͱ-֏א-ۿ฀-๿]|[Ͱ-֏א-ۿ฀-๿][A-Za-z]")
_CASES = re.compile(r"\b[^\W\d_]{2,}")
_WORDS = re.compile(r"[a-z]+")


@dataclass(frozen=True, slots=True)
class Reading:
    """Bytes as a language in an encoding."""

    encoding: str
    language: str
    score: float
    is_certain: bool = True
    is_language: bool = True
    """Whether a language would say so at all."""


def most_likely(
    sample: bytes,
    language: str | None,
    *,
    is_cut: bool,
    encodings: Iterable[str] = tuple(ENCODINGS),
) -> Reading | None:
    """The likeliest encoding of these bytes in some language; None if they are in none. `is_cut`: more follows."""
    evidence = _evidence(sample)
    words = Counter(_WORDS.findall(sample[: 4 * _EVIDENCE].decode("latin-1").lower()))
    found: dict[str, Reading] = {}
    for encoding, text, wrong in _decoded(sample, evidence, encodings, is_cut=is_cut):
        readings = _readings(encoding, text, words, language)
        best = max(readings, key=lambda reading: reading.score)
        best = replace(best, score=best.score + _WRONG * wrong)
        if text not in found or best.score > found[text].score:
            found[text] = best
    if not found:
        return None
    ranked = sorted(found.items(), key=lambda item: -item[1].score)
    text, best = ranked[0]
    margin = best.score - ranked[1][1].score if len(ranked) > 1 else math.inf
    is_language = _average(text, best.language) > _WORST
    is_certain = is_language and margin >= _MARGIN and ENCODING_PRIORS.get(best.encoding, 0) > _OLD
    return replace(best, is_certain=is_certain, is_language=is_language)


def _evidence(sample: bytes) -> bytes:
    """The parts with bytes that are not ASCII, as far as they are needed."""
    chunks, size = [], 0
    for match in _CHUNK.finditer(sample):
        chunks.append(match[0])
        size += len(match[0])
        if size > _EVIDENCE:
            break
    return b"\n".join(chunks)


def _decoded(
    sample: bytes, evidence: bytes, encodings: Iterable[str], *, is_cut: bool
) -> Iterator[tuple[str, str, int]]:
    """(encoding, what the evidence is in it, bytes of the window that are not in it) of each that may be."""
    first = _NOT_ASCII.search(sample)
    start = sample.rfind(b"\n", 0, first.start()) + 1 if first else 0
    window = sample[start : start + _WINDOW]
    is_cut = is_cut or start + _WINDOW < len(sample)
    for encoding in encodings:
        is_wide = encoding.startswith("utf-16")
        part = sample[:_WINDOW] if is_wide else window
        text = codecs.getincrementaldecoder(encoding)("replace").decode(part, final=not is_cut)
        wrong = text.count("\ufffd")
        if wrong > 1 + len(part) // 500:
            continue
        # A chunk may end in the middle of a character of two bytes.
        own = text[: _EVIDENCE // 2] if is_wide else evidence.decode(encoding, errors="replace")
        yield encoding, own.replace("\ufffd", ""), wrong


def _readings(
    encoding: str, text: str, words: Counter[str], language: str | None
) -> Iterator[Reading]:
    text, shouted = _CASES.sub(_calm, text), _shouted(text)
    counts = Counter(text)
    ascii_size = sum(n for character, n in counts.items() if " " <= character < "\x7f")
    controls = sum(n for character, n in counts.items() if _is_control(character))
    own_words = Counter(word for word in _CASES.findall(text.lower()) if not word.isascii())
    score = _ASCII * ascii_size + _CONTROL * controls
    score += _IN_WORD * len(_SIGN_IN_WORD.findall(text)) + _MIXED * len(_TWO_SCRIPTS.findall(text))
    score += _CASE * sum(not _is_cased(word) for word in _CASES.findall(text))
    score += _SHOUT * shouted + ENCODING_PRIORS.get(encoding, 0.0)
    others = {c: n for c, n in counts.items() if c > "\x7f" and not _is_control(c)}
    for name in ENCODINGS[encoding]:
        alphabet, table = ALPHABETS[name], _likelihoods(name)
        own = sum(n * _likelihood(c, table, alphabet) for c, n in others.items())
        known = sum(min(words[word] + own_words[word], 3) for word in alphabet.words.split())
        prior = alphabet.prior + (_PROJECT if language and _is_same(name, language) else 0.0)
        yield Reading(encoding, name, score + own + prior + _WORD * min(known, 12))


def _average(text: str, language: str) -> float:
    others = [c for c in text if c > "\x7f"]
    table, alphabet = _likelihoods(language), ALPHABETS[language]
    return sum(_likelihood(c, table, alphabet) for c in others) / max(1, len(others))


def _calm(match: re.Match[str]) -> str:
    word = match[0]
    return word.lower() if word.isupper() else word


def _shouted(text: str) -> int:
    """How many words are in capitals."""
    return sum(word.isupper() and not word.isascii() for word in _CASES.findall(text))


def _is_control(character: str) -> bool:
    return (character < " " and character not in "\t\n\r\f") or "\x7f" <= character < "\xa0"


def _is_cased(word: str) -> bool:
    """Whether its capitals stand where words have them: camelCase is for names of ASCII."""
    return word[1:].islower() or word.isascii() or word[1:].lower() == word[1:].upper()


def _is_same(name: str, language: str) -> bool:
    return name.split("-")[0] == language.replace("_", "-").split("-")[0].lower()


def _likelihood(character: str, table: dict[str, float], alphabet: Alphabet) -> float:
    if (known := table.get(character)) is not None:
        return known
    for first, last in alphabet.rest:
        if first <= character <= last:
            return math.log(_RARE_LETTERS / (ord(last) - ord(first)))
    return _FOREIGN


@cache
def _likelihoods(name: str) -> dict[str, float]:
    """Character → natural logarithm of its share of what the language writes beyond ASCII."""
    alphabet = ALPHABETS[name]
    letters = "".join(dict.fromkeys(alphabet.letters))
    weights = {letter: 1 / (rank + _SPREAD) for rank, letter in enumerate(letters)}
    total = sum(weights.values())
    share = 1.0 - alphabet.signs - (_RARE_LETTERS if alphabet.rest else 0.0)
    table = {letter: math.log(share * weight / total) for letter, weight in weights.items()}
    capitals = {c.upper(): value + _CAPITAL for c, value in table.items() if len(c.upper()) == 1}
    signs = dict.fromkeys(
        alphabet.typography, math.log(alphabet.signs / (len(alphabet.typography) + 1))
    )
    return signs | capitals | table
