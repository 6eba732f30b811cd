"""A record's words as formats of one word a line have them: cells without white space, and spans by their numbers."""

import re
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import replace
from operator import itemgetter
from typing import Any

from app.formats.base import Record
from app.i18n import gettext as _
from app.tasks.tokenize import tokenize


def with_tokens(record: Record) -> Record:
    """The record with tokens: its own, else our tokeniser's."""
    return record if record.tokens else replace(record, tokens=tuple(tokenize(record.text)))


def covering(record: Record) -> list[tuple[int, int]]:
    """Its tokens, and what of the text is visible and in none of them."""
    tokens = list(record.tokens or ())
    ends = [0, *(end for _start, end in tokens)]
    starts = [*(start for start, _end in tokens), len(record.text)]
    more = [
        (gap_start + match.start(), gap_start + match.end())
        for gap_start, gap_end in zip(ends, starts, strict=True)
        for match in re.finditer(r"\S+", record.text[gap_start:gap_end])
    ]
    return sorted(tokens + more) if more else tokens


def word(record: Record, start: int, end: int) -> str:
    """A token as a column's cell: blanks inside it become underscores."""
    return "_".join(record.text[start:end].split()) or "_"


def word_notes(record: Record) -> list[str]:
    """Tokens that a column cannot hold as they are."""
    words = (record.text[start:end] for start, end in record.tokens or ())
    return [
        _("The token “%(word)s” holds white space, which is written as an underscore.", word=item)
        for item in words
        if item.split() != [item]
    ]


def on_tokens(record: Record, span: Mapping[str, Any]) -> tuple[int, int] | None:
    """The first and last token of a span, or None where it cuts one."""
    tokens = record.tokens or ()
    first = bisect_left(tokens, span["start"], key=itemgetter(0))
    last = bisect_left(tokens, span["end"], key=itemgetter(1))
    if first > last or last == len(tokens):
        return None
    is_there = (tokens[first][0], tokens[last][1]) == (span["start"], span["end"])
    return (first, last) if is_there else None


def off_borders(record: Record, span: Mapping[str, Any], label: str) -> str:
    """What to say of a span that cuts a token."""
    words = record.text[span["start"] : span["end"]]
    return _("“%(words)s” (%(label)s) does not fall on token borders.", words=words, label=label)
