"""SRL in span columns: PropBank's `.gold_conll` and CoNLL-2005."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import IO, Any

from app.formats.base import (
    NO_FACTS,
    Head,
    Message,
    ReadOptions,
    Record,
    RowProblem,
    VersionFacts,
    Writer,
)
from app.formats.columns import (
    Sentence,
    comment_lines,
    numbered_columns,
    read_sentences,
    split_cells,
    to_record,
    unread_columns,
)
from app.formats.propositions import (
    BRACKETS,
    from_brackets,
    payload,
    respelt_role,
    short_role,
    unmatched,
    unwritable_role,
    write_brackets,
)
from app.formats.words import off_borders, on_tokens, with_tokens, word, word_notes
from app.i18n import gettext as _
from app.i18n import mark

_WORD, _LEMMA, _ROLESET, _FIRST = 3, 6, 7, 8


class PropBankReader:
    """PropBank's own columns: file, sentence, token, word, POS, parse, lemma, roleset, one column a predicate."""

    name = "propbank"
    title = "PropBank (.gold_conll)"
    tasks = frozenset({"srl"})

    def sniff(self, head: Head, task: str) -> float:
        rows = [split_cells(line) for line in head.lines if not line.startswith("#")]
        good = sum(
            len(row) >= _FIRST
            and row[2].isdecimal()
            and (row[_ROLESET] == "-" or "." in row[_ROLESET])
            and all(map(BRACKETS.fullmatch, row[_FIRST:]))
            for row in rows
        )
        if rows and good > 0.9 * len(rows):
            return 0.93
        return 0.8 if re.search(r"\.gold_(?:conll|skel)$", head.name) else 0.0

    def read(
        self, stream: IO[bytes], task: str, options: ReadOptions
    ) -> Iterator[Record | RowProblem]:
        for sentence in read_sentences(stream, options):
            if isinstance(sentence, RowProblem):
                yield sentence
                continue
            problem = uneven(sentence, _FIRST)
            if problem:
                yield problem
                continue
            lines = sentence.lines
            record = to_record(
                sentence,
                [line[_WORD] for line in lines],
                meta={"document": lines[0][0], "sentence": lines[0][1]},
                unused=unread_columns(lines, {4: _("part of speech"), 5: _("parse")}),
            )
            yield _with_propositions(record, sentence, _WORD, _ROLESET, _FIRST)


class Conll2005Reader:
    """CoNLL-2005's columns: the word first, then the senses and lemmas of predicates, then one column a predicate.

    What stands between word and predicate columns (POS, chunks, parse) is passed over.
    """

    name = "conll2005"
    title = "CoNLL-2005"
    tasks = frozenset({"srl"})

    def sniff(self, head: Head, task: str) -> float:
        ends = [split_cells(line)[-1:] for line in head.lines if not line.startswith("#")]
        in_brackets = sum(bool(end and BRACKETS.fullmatch(end[0])) for end in ends)
        if "(V*" in head.text and in_brackets > 0.5 * len(ends):
            return 0.9
        return 0.75 if re.search(r"conll-?(?:20)?05", head.name) else 0.0

    def read(
        self, stream: IO[bytes], task: str, options: ReadOptions
    ) -> Iterator[Record | RowProblem]:
        for sentence in read_sentences(stream, options):
            if isinstance(sentence, RowProblem):
                yield sentence
                continue
            first = _first_bracket_column(sentence)
            problem = uneven(sentence, 1)
            if problem is None and first == 1 < len(sentence.lines[0]):
                problem = RowProblem(
                    sentence.row,
                    _(
                        "The file has no words, only propositions: paste the words file before its columns."
                    ),
                )
            if problem:
                yield problem
                continue
            lines = sentence.lines
            read = {0, first - 2, *range(first - 1, len(lines[0]))}
            words = [line[0] for line in lines]
            record = to_record(sentence, words, unused=numbered_columns(lines, read))
            is_labelled = len(lines[0]) > 1
            yield (
                _with_propositions(record, sentence, 0, first - 1, first) if is_labelled else record
            )


def uneven(sentence: Sentence, least: int) -> RowProblem | None:
    """What is wrong with the number of columns, if anything is."""
    width = len(sentence.lines[0])
    for offset, line in enumerate(sentence.lines):
        if len(line) != width or width < least:
            return RowProblem(
                sentence.row + offset,
                _("The line has %(n)s columns instead of %(m)s.", n=len(line), m=max(width, least)),
            )
    return None


def _first_bracket_column(sentence: Sentence) -> int:
    """Where the proposition columns begin: as many from the right as there are predicates named before them."""
    width = len(sentence.lines[0])
    for column in range(width - 1, -1, -1):
        named = sum(line[column] not in ("-", "_") for line in sentence.lines if len(line) == width)
        if named == width - 1 - column and not any(
            "*" in line[column] for line in sentence.lines if len(line) == width
        ):
            return column + 1
    return width


def _with_propositions(
    record: Record | RowProblem, sentence: Sentence, word_at: int, sense_at: int, first: int
) -> Record | RowProblem:
    lines = sentence.lines
    if isinstance(record, RowProblem):
        return record
    places = [
        n for n, line in enumerate(lines) if sense_at > word_at and line[sense_at] not in ("-", "_")
    ]
    columns = len(lines[0]) - first
    if len(places) != columns:
        return RowProblem(
            sentence.row,
            _(
                "The sentence has %(n)s predicates, but columns for %(m)s.",
                n=len(places),
                m=columns,
            ),
        )
    for k in range(columns):
        if wrong := unmatched([line[first + k] for line in lines]):
            return RowProblem(
                sentence.row,
                _(
                    "A bracket has no other half: “%(cell)s” in column %(n)s.",
                    cell=wrong[:100],
                    n=first + k + 1,
                ),
            )
    propositions = [
        from_brackets(
            place, _sense(lines[place], sense_at, word_at), [line[first + k] for line in lines]
        )
        for k, place in enumerate(places)
    ]
    return replace(record, annotation=payload(propositions, record.tokens or ()))


def _sense(line: list[str], column: int, word_at: int) -> str | None:
    """The roleset: written whole (`give.01`), or as a number before the lemma (`01 give`)."""
    name = line[column]
    if "." in name.strip("."):
        return name
    number = line[column - 1] if column - 1 > word_at else "-"
    return f"{name}.{number}" if number.isalnum() and number[0].isdigit() else None


class Conll2005Writer(Writer):
    """Writes word, sense number, lemma, and one bracket column a predicate, with CoNLL's short role names."""

    name = "conll2005"
    title = mark("CoNLL-2005 (spans)")
    purpose = "columns"
    extension = "conll05"
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
        for record in records:
            record = with_tokens(record)
            rows, _notes = _rows(record)
            body = "".join(" ".join(row) + "\n" for row in rows)
            yield ((comment_lines(record) if comments else "") + body + "\n").encode()

    def check(self, record: Record, task: str) -> list[str]:
        record = with_tokens(record)
        return _rows(record)[1] + word_notes(record)


def _rows(record: Record) -> tuple[list[list[str]], list[str]]:
    tokens = record.tokens or ()
    rows = [[word(record, start, end), "-", "-"] for start, end in tokens]
    notes: list[str] = []
    for predicate in (record.annotation or {}).get("predicates", []):
        place = on_tokens(record, predicate)
        if place is None:
            notes.append(off_borders(record, predicate, "V"))
            continue
        if rows[place[0]][2] != "-":
            notes.append(_("Two predicates start at “%(word)s”.", word=rows[place[0]][0]))
            continue
        lemma, number = _lemma_and_number(predicate, rows[place[0]][0], notes)
        rows[place[0]][1:3] = [number, lemma]
        spans = [(*place, "V")]
        for argument in predicate["arguments"]:
            at = on_tokens(record, argument)
            if at is None:
                notes.append(off_borders(record, argument, argument["role"]))
            elif problem := unwritable_role(argument["role"]):
                notes.append(problem)
            elif any(_crosses(at, (a, b)) for a, b, _role in spans):
                words = record.text[argument["start"] : argument["end"]]
                notes.append(
                    _(
                        "“%(words)s” (%(role)s) crosses its predicate.",
                        words=words,
                        role=argument["role"],
                    )
                )
            else:
                notes += respelt_role(argument["role"])
                spans.append((*at, short_role(argument["role"])))
        for row, cell in zip(rows, write_brackets(len(rows), spans), strict=True):
            row.append(cell)
    return rows, notes


def _crosses(a: tuple[int, int], b: tuple[int, int]) -> bool:
    return a[0] < b[0] <= a[1] < b[1] or b[0] < a[0] <= b[1] < a[1] or a == b


def _lemma_and_number(predicate: dict[str, Any], surface: str, notes: list[str]) -> tuple[str, str]:
    """The two cells that say a predicate's sense and are read back as it."""
    sense = predicate["sense"]
    lemma, _dot, number = (sense or "").rpartition(".")
    for cells in ((lemma, number), (sense or surface.lower(), "-")):
        is_read_back = _sense([surface, cells[1], cells[0]], 2, 0) == sense
        if is_read_back and all(map(_is_cell, cells)) and cells[0] != "-":
            return cells
    if sense is not None:
        notes.append(_("The sense “%(sense)s” has no lemma and number to write.", sense=sense))
    return "x", "-"


def _is_cell(value: str) -> bool:
    return value.split() == [value] and "*" not in value and value != "_"
