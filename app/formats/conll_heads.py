"""SRL on head words: CoNLL-2009, and Universal Propositions in CoNLL-U and CoNLL-U Plus."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import IO

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
from app.formats.columns import Sentence, comment_lines, peek, read_sentences, unread_columns
from app.formats.conllu import (
    COLUMNS,
    Words,
    global_columns,
    how_sure_of_conllu,
    read_words,
    unread_misc,
)
from app.formats.propositions import (
    Proposition,
    long_role,
    payload,
    respelt_role,
    short_role,
    unwritable_role,
)
from app.formats.words import off_borders, on_tokens, with_tokens, word, word_notes
from app.i18n import gettext as _
from app.i18n import mark

_EMPTY = frozenset({"_", "", "_="})
_NOTHING = ([], *([cell] for cell in _EMPTY))
_READ = frozenset({"ID", "FORM", "MISC", "FILLPRED", "PRED"})


class Conll2009Reader:
    """CoNLL-2009: 14 columns, the last two FILLPRED and PRED, then one column a predicate."""

    name = "conll2009"
    title = mark("CoNLL-2009 (heads)")
    tasks = frozenset({"srl"})

    def sniff(self, head: Head, task: str) -> float:
        rows = [line.split("\t") for line in head.lines if not line.startswith("#")]
        if rows and all(map(_is_2009, rows)):
            return 0.96
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
                yield _heads(sentence, read_words(sentence, misc=None), _COLUMNS_2009, first=14)


def _is_2009(row: list[str]) -> bool:
    """14 columns, and a predicate's name exactly where one is marked. In CoNLL-U a number, the head, is the seventh."""
    return (
        len(row) >= 14
        and row[0].isdecimal()
        and not row[6].isdecimal()
        and row[12] in ("Y", "_")
        and (row[12] == "Y") == (row[13] not in _EMPTY)
    )


class UpReader:
    """Universal Propositions: rolesets and roles in further columns of CoNLL-U, or in CoNLL-U Plus."""

    name = "up"
    title = mark("Universal Propositions (CoNLL-U)")
    tasks = frozenset({"srl"})

    def sniff(self, head: Head, task: str) -> float:
        return how_sure_of_conllu(head)

    def read(
        self, stream: IO[bytes], task: str, options: ReadOptions
    ) -> Iterator[Record | RowProblem]:
        sample, sentences = peek(
            read_sentences(stream, options, hash_is_comment=True),
            lambda sentence: any(map(_names_predicate, sentence.lines)),
        )
        columns: list[str] | None = None
        names = _conllu_columns(sample)
        for sentence in sentences:
            if isinstance(sentence, RowProblem):
                yield sentence
                continue
            columns = global_columns(sentence) or columns
            form = 1 if columns is None else columns.index("FORM")
            misc = 9 if names is COLUMNS or names is _COLUMNS_UP else None
            if columns is not None:
                misc = columns.index("MISC") if "MISC" in columns else None
            words = read_words(sentence, form=form, misc=misc)
            if isinstance(words, RowProblem):
                yield words
            elif columns is not None:
                yield _plus(sentence, words, columns)
            elif (width := min(map(len, words.lines))) < 10:
                yield RowProblem(
                    sentence.row, _("CoNLL-U has at least 10 columns; here are %(n)s.", n=width)
                )
            elif names is COLUMNS or sentence.comments.get("propbank") == "no-up":
                yield _unlabelled(words, names)
            else:
                yield _heads(sentence, words, names, first=len(names))


_COLUMNS_2009 = (
    *("ID", "FORM", "LEMMA", "PLEMMA", "POS", "PPOS", "FEAT", "PFEAT"),
    *("HEAD", "PHEAD", "DEPREL", "PDEPREL", "FILLPRED", "PRED"),
)
_COLUMNS_UP1 = (*COLUMNS[:8], "FILLPRED", "PRED")
_COLUMNS_UP = (*COLUMNS, "PRED")


def _conllu_columns(sample: list[Sentence]) -> tuple[str, ...]:
    """Two layouts are about: FILLPRED and PRED in place of DEPS and MISC, or the roleset in column 11. A file without
    either is CoNLL-U without predicates."""
    lines = [line for sentence in sample for line in sentence.lines if len(line) >= 10]
    if any(line[8] == "Y" and line[9] not in _EMPTY for line in lines):
        return _COLUMNS_UP1
    return _COLUMNS_UP if any(map(_names_predicate, lines)) else COLUMNS


def _names_predicate(line: list[str]) -> bool:
    return (len(line) > 9 and line[8] == "Y") or (len(line) > 10 and line[10] not in _EMPTY)


def _unlabelled(words: Words, names: tuple[str, ...]) -> Record:
    unused = unread_columns(words.lines, dict(enumerate(names[2:9], 2)))
    more = _("further columns")
    width = max(map(len, words.lines))
    unused += unread_columns(words.lines, dict.fromkeys(range(10, width), more))[:1]
    return replace(
        words.record, unused=words.record.unused + unused + unread_misc(words.lines, 9, ())
    )


def _heads(
    sentence: Sentence, words: Words | RowProblem, names: tuple[str, ...], *, first: int
) -> Record | RowProblem:
    """The record of a sentence with the roleset in the column before the first of arguments."""
    if isinstance(words, RowProblem):
        return words
    lines, record = words.lines, words.record
    places = [n for n, line in enumerate(lines) if line[first - 1 : first] not in _NOTHING]
    if places and min(map(len, lines)) < first + len(places):
        return RowProblem(
            sentence.row,
            _(
                "The sentence has %(n)s predicates, but columns for %(m)s.",
                n=len(places),
                m=max(0, min(map(len, lines)) - first),
            ),
        )
    propositions = [
        Proposition(
            place,
            place,
            lines[place][first - 1],
            [
                (n, n, long_role(line[first + k]))
                for n, line in enumerate(lines)
                if line[first + k] not in _EMPTY and line[first + k] != "V"
            ],
        )
        for k, place in enumerate(places)
    ]
    unread = {n: name for n, name in enumerate(names[: first - 1]) if name not in _READ}
    width = max(map(len, lines))
    unread |= dict.fromkeys(range(first + len(places), width), _("columns without a predicate"))
    unused = tuple(dict.fromkeys(unread_columns(lines, unread)))
    if names is _COLUMNS_UP:
        unused += unread_misc(lines, 9, ())
    return replace(
        record,
        annotation=payload(propositions, words.places),
        unused=record.unused + unused,
    )


def _is_range(first: str, last: str, end: int) -> bool:
    """Whether these are the numbers of words, in order."""
    digits = len(str(end))
    return all(n.isdecimal() and len(n) <= digits for n in (first, last)) and (
        1 <= int(first) <= int(last) <= end
    )


def _plus(sentence: Sentence, words: Words, columns: list[str]) -> Record | RowProblem:
    """CoNLL-U Plus: `role:first-last|…` at the predicate; spans where the file has them, else heads."""
    place_of = {name: n for n, name in enumerate(columns)}
    lines, record = words.lines, words.record
    if any(len(line) < len(columns) for line in lines):
        return RowProblem(sentence.row, _("A line has fewer columns than the file says."))
    arguments_at = place_of.get("UP:ARGSPANS", place_of.get("UP:ARGHEADS"))
    has_predicates = "UP:PRED" in place_of and arguments_at is not None
    read = {*_READ, *(("UP:PRED", "UP:ARGSPANS", "UP:ARGHEADS") if has_predicates else ())}
    names = {n: name for n, name in enumerate(columns) if name not in read}
    unused = unread_columns(lines, names) + unread_misc(lines, place_of.get("MISC"), ())
    record = replace(record, unused=record.unused + unused)
    if not has_predicates or arguments_at is None:
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
    return replace(record, annotation=payload(propositions, words.places))


class Conll2009Writer(Writer):
    """Writes CoNLL-2009's columns; roles stand on single words, since heads need a parse that we have not."""

    name = "conll2009"
    title = mark("CoNLL-2009 (one-word arguments)")
    purpose = "columns"
    extension = "conll09"
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
        elif sense != predicate["sense"] or sense in _EMPTY:
            notes.append(
                _("The sense “%(sense)s” cannot be read back as it is.", sense=predicate["sense"])
            )
        rows[place[0]][12:14] = ["Y", sense or f"{words.lower().replace(' ', '_')}.XX"]
        column = ["_"] * len(rows)
        for argument in predicate["arguments"]:
            at = on_tokens(record, argument)
            if at is None:
                notes.append(off_borders(record, argument, argument["role"]))
            elif problem := unwritable_role(argument["role"]):
                notes.append(problem)
            elif at[0] != at[1]:
                said = record.text[argument["start"] : argument["end"]]
                notes.append(
                    _(
                        "“%(words)s” (%(role)s) has several words; this format marks single ones.",
                        words=said,
                        role=argument["role"],
                    )
                )
            elif column[at[0]] != "_":
                said = record.text[argument["start"] : argument["end"]]
                notes.append(_("“%(words)s” has two roles of one predicate.", words=said))
            else:
                notes += respelt_role(argument["role"])
                column[at[0]] = short_role(argument["role"])
        for row, cell in zip(rows, column, strict=True):
            row.append(cell)
    return rows, notes
