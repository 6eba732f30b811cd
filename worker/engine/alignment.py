"""Which sub-word pieces stand for which word tokens, by offsets into the text.

The raw text goes through the model's tokenizer, so every piece is what the model saw in pre-training.
Where a piece covers parts of several word tokens (a Chinese piece of two characters, `can|not`), those words
are tokenised one by one instead, so that each has pieces of its own. A word may have no piece at all
(U+3000, U+200B, a lone variation selector for some tokenizers): it keeps its number, and nothing shifts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from worker.engine.job import TokenSpan

CHUNK = 1000
"""Texts given to the tokenizer at once: enough to keep its threads busy, little enough to hold."""


@dataclass(frozen=True, slots=True)
class Pieces:
    """A text as the model's vocabulary: piece ids, and the word each belongs to (-1 for none)."""

    ids: list[int]
    words: list[int]

    def first_pieces(self) -> dict[int, int]:
        """Position of the first piece of each word that has one, in word order."""
        first: dict[int, int] = {}
        for position, word in enumerate(self.words):
            if word >= 0:
                first.setdefault(word, position)
        return first


def align(
    tokenizer: Any, texts: Sequence[str], tokens: Sequence[Sequence[TokenSpan]]
) -> list[Pieces]:
    """The pieces of each text, assigned to its word tokens."""
    found: list[Pieces] = []
    for start in range(0, len(texts), CHUNK):
        chunk = list(texts[start : start + CHUNK])
        encoded = tokenizer(
            chunk,
            add_special_tokens=False,
            return_offsets_mapping=True,
            return_attention_mask=False,
            return_token_type_ids=False,
            truncation=False,
            verbose=False,
        )
        rows = zip(chunk, tokens[start : start + CHUNK], strict=True)
        for row, (text, words) in enumerate(rows):
            ids, offsets = encoded["input_ids"][row], encoded["offset_mapping"][row]
            found.append(_assign(tokenizer, text, words, ids, offsets))
    return found


def _assign(
    tokenizer: Any,
    text: str,
    words: Sequence[TokenSpan],
    ids: Sequence[int],
    offsets: Sequence[tuple[int, int]],
) -> Pieces:
    """Give each piece to the word it overlaps; re-tokenise runs of words that share a piece."""
    spans = []  # (first word, last word + 1) that each piece overlaps
    word = 0
    for start, end in offsets:
        # Pieces come in text order, so the search goes on where the last one ended.
        while word < len(words) and words[word][1] <= start:
            word += 1
        last = word
        while last < len(words) and words[last][0] < end:
            last += 1
        spans.append((word, last))
    if all(last - first <= 1 for first, last in spans):
        return Pieces(list(ids), [f if last > f else -1 for f, last in spans])

    out_ids: list[int] = []
    out_words: list[int] = []
    piece = 0
    while piece < len(ids):
        first, last = spans[piece]
        stop = piece + 1
        if last > first:
            # Take in every following piece that touches a word of this run.
            while stop < len(ids) and spans[stop][0] < last and spans[stop][1] > spans[stop][0]:
                last = max(last, spans[stop][1])
                stop += 1
        if last - first <= 1:
            out_ids += ids[piece:stop]
            out_words += [first if last > first else -1] * (stop - piece)
        else:
            for number in range(first, last):
                own = _word_pieces(tokenizer, text, words[number])
                out_ids += own
                out_words += [number] * len(own)
        piece = stop
    return Pieces(out_ids, out_words)


def _word_pieces(tokenizer: Any, text: str, span: TokenSpan) -> list[int]:
    """Pieces of one word as it stands in the text: with its space before it, or without one."""
    start, end = span
    spaced = start > 0 and text[start - 1].isspace()
    encoded = tokenizer(
        (" " if spaced else "") + text[start:end],
        add_special_tokens=False,
        return_offsets_mapping=True,
        verbose=False,
    )
    ids: list[int] = encoded["input_ids"]
    if not spaced and start > 0 and len(ids) > 1:
        # Some tokenizers (metaspace) put a word-start mark before any string; inside a run of
        # characters without spaces it would be a piece the model never saw there.
        first = tokenizer.convert_ids_to_tokens(ids[0])
        if first in ("\u2581", "\u0120"):
            return ids[1:]
    return ids
