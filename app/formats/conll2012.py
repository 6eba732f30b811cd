"""CoNLL-2011 and -2012, the columns of OntoNotes: entities for NER, propositions for SRL.

document, part, number, word, part of speech, parse, lemma, frameset, word sense, speaker, entities, one column a
predicate, coreference (https://cemantix.org/conll/2012/data.html).
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import IO, Any

from app.formats.base import Head, ReadOptions, Record, RowProblem
from app.formats.columns import Sentence, read_sentences, split_cells, to_record, unread_columns
from app.formats.conll import entities
from app.formats.conll_srl import uneven
from app.formats.propositions import BRACKETS, Proposition, from_brackets, payload, read_brackets
from app.i18n import gettext as _
from app.i18n import mark

_DOCUMENT, _PART, _NUMBER, _WORD = range(4)
_LEMMA, _FRAMESET, _SPEAKER, _ENTITIES, _FIRST = 6, 7, 9, 10, 11
_NAMES = {
    4: mark("part of speech"),
    5: mark("parse"),
    8: mark("word sense"),
    _ENTITIES: mark("entities"),
}
_COREFERENCE = re.compile(r"-|[()|\d]+")
_SILENT = frozenset({"-", "_", ""})
_VERB = re.compile(r"\(V[(*]")


class Conll2012Reader:
    """Reads OntoNotes' columns, with or without `#begin document` lines."""

    name = "conll2012"
    title = mark("CoNLL-2012 (OntoNotes)")
    tasks = frozenset({"ner", "srl"})

    def sniff(self, head: Head, task: str) -> float:
        rows = [split_cells(line) for line in head.lines if not line.startswith("#")]
        good = sum(
            len(row) >= _FIRST
            and row[_PART].isdecimal()
            and row[_NUMBER].isdecimal()
            and "*" not in row[8]  # PropBank's own columns have predicates there
            and bool(BRACKETS.fullmatch(row[_ENTITIES]) or row[_ENTITIES] == "-")
            and bool(_COREFERENCE.fullmatch(row[-1]) or BRACKETS.fullmatch(row[-1]))
            for row in rows
        )
        return 0.95 if rows and good > 0.9 * len(rows) else 0.0

    def read(
        self, stream: IO[bytes], task: str, options: ReadOptions
    ) -> Iterator[Record | RowProblem]:
        for sentence in read_sentences(stream, options, hash_is_comment=True):
            if isinstance(sentence, RowProblem):
                yield sentence
            else:
                yield uneven(sentence, _FIRST) or _record(sentence, task, options)


def _record(sentence: Sentence, task: str, options: ReadOptions) -> Record | RowProblem:
    lines = sentence.lines
    width = len(lines[0])
    has_coreference = width > _FIRST and not any("*" in line[-1] for line in lines)
    arguments = range(_FIRST, width - has_coreference)
    names = {
        place: _(name) for place, name in _NAMES.items() if task != "ner" or place != _ENTITIES
    }
    if has_coreference:
        names[width - 1] = _("coreference")
    if task == "ner":
        names |= {_LEMMA: _("lemmas"), _FRAMESET: _("framesets")}
        names |= dict.fromkeys(arguments, _("predicates"))
    record = to_record(
        sentence,
        [line[_WORD] for line in lines],
        meta=_meta(lines),
        unused=tuple(dict.fromkeys(unread_columns(lines, names))),
    )
    if isinstance(record, RowProblem):
        return record
    tokens = record.tokens or ()
    if task == "ner":
        cells = [line[_ENTITIES] for line in lines]
        if set(cells) <= _SILENT:
            return record
        return replace(record, annotation=entities(read_brackets(cells), tokens, options.label_map))
    propositions = [_proposition(lines, column) for column in arguments]
    found = [p for p in propositions if p is not None]
    if len(found) < len(propositions):
        return RowProblem(
            sentence.row,
            _("Column %(n)s has no predicate (V).", n=_FIRST + propositions.index(None) + 1),
        )
    without = sum(line[_FRAMESET] not in _SILENT for line in lines) > len(found)
    unused = record.unused + (_("framesets without a column of arguments"),) * without
    return replace(record, annotation=payload(found, tokens), unused=unused)


def _meta(lines: list[list[str]]) -> dict[str, Any]:
    speakers = list(
        dict.fromkeys(line[_SPEAKER] for line in lines if line[_SPEAKER] not in _SILENT)
    )
    meta: dict[str, Any] = {}
    if lines[0][_DOCUMENT] not in _SILENT:
        meta |= {"document": lines[0][_DOCUMENT], "part": lines[0][_PART]}
    if speakers:
        meta["speaker"] = speakers[0] if len(speakers) == 1 else speakers
    return meta


def _proposition(lines: list[list[str]], column: int) -> Proposition | None:
    """The predicate of a column stands where its V is."""
    cells = [line[column] for line in lines]
    place = next((n for n, cell in enumerate(cells) if _VERB.search(cell)), None)
    if place is None:
        return None
    lemma, frameset = lines[place][_LEMMA], lines[place][_FRAMESET]
    if "." in frameset.strip("."):
        sense: str | None = frameset
    else:
        sense = None if frameset in _SILENT or lemma in _SILENT else f"{lemma}.{frameset}"
    return from_brackets(place, sense, cells)
