"""CoNLL-2012's columns written: entities as brackets in column 11, then one bracket column a predicate.

    #begin document (mail); part 000
    mail	0	0	Ada	-	*	-	-	-	-	(PER)	(ARG0*)	-
    mail	0	1	left	-	*	leave	01	-	-	*	(V*)	-

    #end document

https://cemantix.org/conll/2012/data.html. Parts of speech, parses and coreference are not known here: their columns are
there, and empty. Documents, parts and speakers are those that `conll2012` keeps in an example's meta.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from app.formats.base import NO_FACTS, Message, Record, VersionFacts, Writer
from app.formats.columns import comment_lines
from app.formats.propositions import respelt_role, unwritable_role, write_brackets
from app.formats.words import off_borders, on_tokens, with_tokens, word, word_notes
from app.i18n import gettext as _
from app.i18n import mark

_NAME, _PART = re.compile(r"[^\s()#-][^\s()]*"), re.compile("[0-9]{1,9}")
_ONE_WORD = re.compile(r"\(([^()*]+)\*\)")
_Placed = list[tuple[int, int, str]]
"""(first token, last token, label)"""


class Conll2012Writer(Writer):
    """Writes entities or propositions, with PropBank's long role names."""

    name = "conll2012"
    title = mark("CoNLL-2012 (OntoNotes)")
    purpose = "columns"
    extension = "conll12"
    media_type = "text/plain; charset=utf-8"
    has_comments = True

    def write(
        self,
        records: Iterable[Record],
        task: str,
        *,
        conversation: Callable[[Record], list[Message]],
        comments: bool = False,
        facts: VersionFacts = NO_FACTS,
    ) -> Iterator[bytes]:
        before: tuple[str, str] | None = None
        for record in records:
            record = with_tokens(record)
            document, part = _cell(record, "document"), _cell(record, "part")
            head = ""
            if (document, part) != before:
                end = "" if before is None else "#end document\n"
                head = f"{end}#begin document ({document}); part {part.zfill(3)}\n"
            before = document, part
            lines = [
                "\t".join((document, part, str(number), *cells)) + "\n"
                for number, cells in enumerate(_rows(record)[0])
            ]
            told = comment_lines(record) if comments else ""
            yield f"{head}{told}{''.join(lines)}\n".encode()
        if before is not None:
            yield b"#end document\n"

    def check(self, record: Record, task: str) -> list[str]:
        record = with_tokens(record)
        return _rows(record)[1] + word_notes(record)


def _cell(record: Record, name: str) -> str:
    """What an example's meta says, as a cell."""
    value = record.meta.get(name)
    if name == "part":
        return value if isinstance(value, str) and _PART.fullmatch(value) else "0"
    return value if isinstance(value, str) and _NAME.fullmatch(value) else "-"


def _rows(record: Record) -> tuple[list[list[str]], list[str]]:
    """(the cells of each word from the fourth column on, what they cannot say)."""
    annotation, notes = record.annotation or {}, list[str]()
    tokens = record.tokens or ()
    speaker = _cell(record, "speaker")
    rows = [[word(record, start, end), "-", "*", "-", "-", "-", speaker] for start, end in tokens]
    entities = _entities(record, annotation.get("spans", ()), notes)
    # An entity of one word is (PER) there, an argument of one word (ARG0*).
    columns = [[_ONE_WORD.sub(r"(\1)", cell) for cell in write_brackets(len(tokens), entities)]]
    for predicate in sorted(annotation.get("predicates", ()), key=lambda p: p["start"]):
        if spans := _proposition(record, predicate, rows, notes):
            columns.append(write_brackets(len(tokens), spans))
    for number, row in enumerate(rows):
        row += [*(column[number] for column in columns), "-"]
    return rows, notes


def _entities(record: Record, spans: Iterable[dict[str, Any]], notes: list[str]) -> _Placed:
    placed: _Placed = []
    for span in sorted(spans, key=lambda item: (item["start"], -item["end"])):
        label = span["label"]
        words = record.text[span["start"] : span["end"]]
        place = on_tokens(record, span)
        if place is None:
            notes.append(off_borders(record, span, label))
        elif set(label) & set("()*") or label.split() != [label]:
            notes.append(_("The label “%(label)s” cannot be written in this format.", label=label))
        elif any(_crosses(place, (a, b)) for a, b, _label in placed):
            notes.append(
                _("“%(words)s” (%(label)s) crosses another entity.", words=words, label=label)
            )
        else:
            placed.append((*place, label))
    return placed


def _proposition(
    record: Record, predicate: dict[str, Any], rows: list[list[str]], notes: list[str]
) -> _Placed:
    """The spans of a predicate's column; none where it cannot be written. Its sense goes into its row."""
    place = on_tokens(record, predicate)
    if place is None:
        notes.append(off_borders(record, predicate, "V"))
        return []
    row = rows[place[0]]
    if row[3] != "-":
        notes.append(_("Two predicates start at “%(word)s”.", word=row[0]))
        return []
    row[3:5] = _lemma_and_frameset(predicate["sense"], row[0], notes)
    spans: _Placed = [(*place, "V")]
    for argument in predicate["arguments"]:
        at, role = on_tokens(record, argument), argument["role"]
        words = record.text[argument["start"] : argument["end"]]
        if at is None:
            notes.append(off_borders(record, argument, role))
        elif problem := unwritable_role(role):
            notes.append(problem)
        elif any(_crosses(at, (a, b)) for a, b, _role in spans):
            notes.append(_("“%(words)s” (%(role)s) crosses its predicate.", words=words, role=role))
        else:
            notes += respelt_role(role)
            spans.append((*at, role))
    return spans


def _lemma_and_frameset(sense: str | None, surface: str, notes: list[str]) -> tuple[str, str]:
    """leave.02 as `leave` and `02`. A predicate without a sense has its own form for a lemma."""
    if sense is None:
        return surface.lower() if surface.lower() not in ("-", "_") else "x", "-"
    lemma, _dot, frameset = sense.rpartition(".")
    if not (lemma and frameset) or sense.split() != [sense] or lemma in ("-", "_"):
        notes.append(_("The sense “%(sense)s” has no lemma and number to write.", sense=sense))
        return "x", "-"
    return (lemma, frameset) if frameset not in ("-", "_") else (lemma, sense)


def _crosses(a: tuple[int, int], b: tuple[int, int]) -> bool:
    """Whether one begins within the other and goes on behind it."""
    return a[0] < b[0] <= a[1] < b[1] or b[0] < a[0] <= b[1] < a[1]
