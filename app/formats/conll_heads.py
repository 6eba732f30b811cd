"""SRL on head words: CoNLL-2009, and Universal Propositions in CoNLL-U and CoNLL-U Plus."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import IO

from app.errors import InvalidInput
from app.formats.base import Head, Message, ReadOptions, Record, RowProblem
from app.formats.columns import Sentence, comment_lines, read_sentences, to_record
from app.formats.conll import with_tokens, word, word_notes
from app.formats.conll_srl import off_borders, on_tokens
from app.formats.propositions import Proposition, long_role, payload, short_role
from app.i18n import gettext as _
from app.i18n import mark

_EMPTY = frozenset({"_", "", "_="})


class Conll2009Reader:
    """CoNLL-2009: 14 columns, the last two FILLPRED and PRED, then one column a predicate."""

    name = "conll2009"
    title = mark("CoNLL-2009 (heads)")
    tasks = frozenset({"srl"})

    def sniff(self, head: Head, task: str) -> float:
        return 0.75 if re.search(r"conll-?(?:20)?09", head.name) else 0.0

    def read(
        self, stream: IO[bytes], task: str, options: ReadOptions
    ) -> Iterator[Record | RowProblem]:
        for sentence in read_sentences(stream, options, hash_is_comment=True):
            if isinstance(sentence, RowProblem):
                yield sentence
            elif (width := min(map(len, sentence.lines))) < 14:
                yield RowProblem(
                    sentence.row,
                    _("CoNLL-2009 has at least 14 columns; here are %(n)s.", n=width),
                )
            else:
                yield _heads(sentence, word_at=1, sense_at=13, first=14)


class UpReader:
    """Universal Propositions: rolesets and roles in further columns of CoNLL-U, or in CoNLL-U Plus."""

    name = "up"
    title = mark("Universal Propositions (CoNLL-U)")
    tasks = frozenset({"srl"})

    def sniff(self, head: Head, task: str) -> float:
        if re.search(r"\.conllup?$|\.conllu\.", head.name):
            return 0.7
        first = head.lines[0] if head.lines else ""
        return 0.5 if first.startswith("#") or first.count("\t") >= 9 else 0.0

    def read(
        self, stream: IO[bytes], task: str, options: ReadOptions
    ) -> Iterator[Record | RowProblem]:
        columns: list[str] | None = None
        for sentence in read_sentences(stream, options, hash_is_comment=True):
            if isinstance(sentence, RowProblem):
                yield sentence
                continue
            if "global.columns" in sentence.comments:
                columns = sentence.comments["global.columns"].split()
                if "FORM" not in columns:
                    raise InvalidInput.at(
                        "file",
                        _(
                            "The file has no words (no FORM column): join it with its treebank first."
                        ),
                    )
            # 1-2 is a contraction, 3.1 an empty node: neither is a word.
            sentence.lines = [line for line in sentence.lines if line[0].isdigit()]
            if not sentence.lines:
                yield RowProblem(sentence.row, _("The sentence has no numbered word."))
            elif columns is not None:
                yield _plus(sentence, columns)
            elif sentence.comments.get("propbank") == "no-up":
                yield to_record(sentence, [line[1] for line in sentence.lines])
            else:
                yield _conllu(sentence)


def _conllu(sentence: Sentence) -> Record | RowProblem:
    width = min(map(len, sentence.lines))
    if width < 10:
        return RowProblem(
            sentence.row, _("CoNLL-U has at least 10 columns; here are %(n)s.", n=width)
        )
    marks = [line[8] for line in sentence.lines]
    marked = marks.count("Y")
    # Two layouts are about: FILLPRED and PRED in place of DEPS and MISC, or the roleset in column 11.
    if set(marks) <= {"Y", "_"} and marked == sum(line[9] not in _EMPTY for line in sentence.lines):
        return _heads(sentence, word_at=1, sense_at=9, first=10)
    if width < 11:
        return to_record(sentence, [line[1] for line in sentence.lines])
    return _heads(sentence, word_at=1, sense_at=10, first=11)


def _heads(sentence: Sentence, *, word_at: int, sense_at: int, first: int) -> Record | RowProblem:
    lines = sentence.lines
    record = to_record(sentence, [line[word_at] for line in lines])
    if isinstance(record, RowProblem):
        return record
    places = [n for n, line in enumerate(lines) if line[sense_at] not in _EMPTY]
    if any(len(line) < first + len(places) for line in lines):
        return RowProblem(
            sentence.row,
            _(
                "The sentence has %(n)s predicates, but columns for %(m)s.",
                n=len(places),
                m=min(map(len, lines)) - first,
            ),
        )
    propositions = [
        Proposition(
            place,
            place,
            lines[place][sense_at],
            [
                (n, n, long_role(line[first + k]))
                for n, line in enumerate(lines)
                if line[first + k] not in _EMPTY and line[first + k] != "V"
            ],
        )
        for k, place in enumerate(places)
    ]
    return replace(record, annotation=payload(propositions, record.tokens or ()))


def _is_range(first: str, last: str, end: int) -> bool:
    """Whether these are the numbers of words, in order."""
    digits = len(str(end))
    return all(n.isdecimal() and len(n) <= digits for n in (first, last)) and (
        1 <= int(first) <= int(last) <= end
    )


def _plus(sentence: Sentence, columns: list[str]) -> Record | RowProblem:
    """CoNLL-U Plus: `role:first-last|…` at the predicate; spans where the file has them, else heads."""
    place_of = {name: n for n, name in enumerate(columns)}
    lines = sentence.lines
    if any(len(line) < len(columns) for line in lines):
        return RowProblem(sentence.row, _("A line has fewer columns than the file says."))
    record = to_record(sentence, [line[place_of["FORM"]] for line in lines])
    if isinstance(record, RowProblem):
        return record
    arguments_at = place_of.get("UP:ARGSPANS", place_of.get("UP:ARGHEADS"))
    if "UP:PRED" not in place_of or arguments_at is None:
        return record
    propositions = []
    for n, line in enumerate(lines):
        if line[place_of["UP:PRED"]] in _EMPTY:
            continue
        proposition = Proposition(n, n, line[place_of["UP:PRED"]])
        for item in line[arguments_at].split("|"):
            role, _colon, place = item.rpartition(":")
            first, _dash, last = place.partition("-")
            if role and role != "V":
                if not _is_range(first, last or first, len(lines)):
                    return RowProblem(
                        sentence.row + n, _("The argument “%(item)s” names no words.", item=item)
                    )
                proposition.arguments.append(
                    (int(first) - 1, int(last or first) - 1, long_role(role))
                )
        propositions.append(proposition)
    return replace(record, annotation=payload(propositions, record.tokens or ()))


class Conll2009Writer:
    """Writes CoNLL-2009's columns; roles stand on single words, since heads need a parse that we have not."""

    name = "conll2009"
    title = mark("CoNLL-2009 (one-word arguments)")
    extension = "conll09"
    media_type = "text/plain; charset=utf-8"

    def write(
        self,
        records: Iterable[Record],
        task: str,
        *,
        conversation: Callable[[Record], list[Message]],
        comments: bool = False,
    ) -> Iterator[bytes]:
        for record in records:
            record = with_tokens(record)
            rows, _notes = _rows(record)
            body = "".join("\t".join(row) + "\n" for row in rows)
            yield ((comment_lines(record) if comments else "") + body + "\n").encode()

    def check(self, record: Record, task: str) -> list[str]:
        record = with_tokens(record)
        return _rows(record)[1] + word_notes(record)


def _rows(record: Record) -> tuple[list[list[str]], list[str]]:
    rows = [
        [str(n), word(record, start, end), *["_"] * 12]
        for n, (start, end) in enumerate(record.tokens or (), 1)
    ]
    notes: list[str] = []
    for predicate in (record.annotation or {}).get("predicates", []):
        place = on_tokens(record, predicate)
        words = record.text[predicate["start"] : predicate["end"]]
        if place is None:
            notes.append(off_borders(record, predicate, "V"))
            continue
        if place[0] != place[1]:
            notes.append(
                _(
                    "The predicate “%(words)s” has several words; its first one is marked.",
                    words=words,
                )
            )
        if rows[place[0]][12] == "Y":
            notes.append(_("Two predicates start at “%(word)s”.", word=rows[place[0]][1]))
            continue
        sense = "".join((predicate["sense"] or "").split())
        if not sense:
            notes.append(_("The predicate “%(words)s” has no sense.", words=words))
        rows[place[0]][12:14] = ["Y", sense or f"{words.lower().replace(' ', '_')}.XX"]
        column = ["_"] * len(rows)
        for argument in predicate["arguments"]:
            at = on_tokens(record, argument)
            if at is None:
                notes.append(off_borders(record, argument, argument["role"]))
            elif at[0] != at[1]:
                said = record.text[argument["start"] : argument["end"]]
                notes.append(
                    _(
                        "“%(words)s” (%(role)s) has several words; this format marks single ones.",
                        words=said,
                        role=argument["role"],
                    )
                )
            else:
                column[at[0]] = short_role(argument["role"])
        for row, cell in zip(rows, column, strict=True):
            row.append(cell)
    return rows, notes
