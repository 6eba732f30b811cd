"""CoNLL-U: its words with the text that they are written in, and the entities that tools keep beside them.

https://universaldependencies.org/format.html; entities are tags in MISC (`NER=B-PER`, `ner=S-PERSON` as Stanza
writes), CorefUD's and GUM's brackets in MISC (`Entity=(e1-person`, https://ufal.mff.cuni.cz/corefud), or a further
column.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from typing import IO

from app.errors import InvalidInput
from app.formats.base import Head, ReadOptions, Record, RowProblem
from app.formats.columns import EMPTY, Sentence, peek, read_sentences, to_record, unread_columns
from app.formats.conll import entities, no_tags
from app.formats.tags import Scheme, decode, detect
from app.formats.tokens import Tokens
from app.i18n import gettext as _
from app.i18n import mark

COLUMNS = ("ID", "FORM", "LEMMA", "UPOS", "XPOS", "FEATS", "HEAD", "DEPREL", "DEPS", "MISC")
_ENTITY_KEYS = ("ner", "ne", "nertag", "ner_tag", "namedentity", "entity")
_LAYOUT_KEYS = frozenset(
    {"SpaceAfter", "SpacesAfter", "SpacesBefore", "start_char", "end_char", "TokenRange"}
)
"""What MISC says of the text, which the text itself says too."""
_ID = re.compile(r"\d+(?:[-.]\d+)?")
_NUMBER = re.compile(r"\d+|_")
_PIECES = re.compile(r"\(?[^()]+\)?")
_ENTITY_ID = re.compile(r"[a-z]*\d+")
_MAX_TAGS = 5_000
_PART = re.compile(r"\[\d+/\d+\]")


def how_sure_of_conllu(head: Head) -> float:
    """As `sniff`: columns that are named, or lines with CoNLL-U's ten columns at least and a number for the head."""
    rows = [line.split("\t") for line in head.lines if not line.startswith("#")]
    good = sum(
        len(row) >= 10 and bool(_ID.fullmatch(row[0]) and _NUMBER.fullmatch(row[6])) for row in rows
    )
    if "# global.columns" in head.text[:4096] or (rows and good > 0.9 * len(rows)):
        return 0.95
    return 0.7 if re.search(r"\.conllup?$|\.conllu\.", head.name) else 0.0


def global_columns(sentence: Sentence) -> list[str] | None:
    """The columns that CoNLL-U Plus names. Raises InvalidInput for a file without words."""
    if "global.columns" not in sentence.comments:
        return None
    columns = sentence.comments["global.columns"].split()
    if "FORM" not in columns:
        raise InvalidInput.at(
            "file",
            _("The file has no words (no FORM column): join it with its treebank first."),
        )
    return columns


@dataclass(frozen=True, slots=True)
class Words:
    """The syntactic words of a sentence: their lines, and where each stands in the text. Those of a contraction
    (`1-2 du`) share its place."""

    record: Record
    lines: list[list[str]]
    places: Tokens


def read_words(sentence: Sentence, *, form: int = 1, misc: int | None = 9) -> Words | RowProblem:
    """The words of a CoNLL-U sentence."""
    units: list[list[str]] = []
    unit_of: list[int] = []
    lines: list[list[str]] = []
    until = 0
    for offset, line in enumerate(sentence.lines):
        first, dash, last = line[0].partition("-")
        if len(line) <= form or not (first.isdecimal() and (last.isdecimal() or not dash)):
            if _ID.fullmatch(line[0]) and len(line) > form:
                continue  # an empty node
            return RowProblem(
                sentence.row + offset, _("The line does not start with the number of a word.")
            )
        if len(first) > 9 or len(last) > 9:
            return RowProblem(sentence.row + offset, _("The number of the word is too large."))
        if not line[form]:
            return RowProblem(sentence.row + offset, _("The line has no word."))
        if dash:
            units.append(line)
            until = int(last)
            continue
        if int(first) > until:
            units.append(line)
        lines.append(line)
        unit_of.append(len(units) - 1)
    if not lines:
        return RowProblem(sentence.row, _("The sentence has no numbered word."))
    glued = [
        misc is not None and misc < len(unit) and "SpaceAfter=No" in unit[misc].split("|")
        for unit in units
    ]
    record = to_record(sentence, [unit[form] for unit in units], glued)
    if isinstance(record, RowProblem):
        return record
    tokens = record.tokens or ()
    return Words(record, lines, tuple(tokens[unit] for unit in unit_of))


def misc_values(line: list[str], misc: int | None) -> dict[str, str]:
    """The keys and values of a MISC cell."""
    if misc is None or misc >= len(line) or line[misc] in EMPTY:
        return {}
    pairs = (item.partition("=") for item in line[misc].split("|"))
    return {key: value for key, _equals, value in pairs}


@dataclass(frozen=True, slots=True)
class Source:
    """Where a file's entities stand: in a column, or under a key of MISC."""

    column: int | None = None
    key: str | None = None
    scheme: Scheme | None = None
    """Of their tags; None: they are brackets."""

    def cells(self, lines: list[list[str]], misc: int | None) -> list[str]:
        """What it says of each word. Raises IndexError for a line that is too short."""
        if self.column is not None:
            return [line[self.column] for line in lines]
        return [misc_values(line, misc).get(self.key or "", "") for line in lines]


class ConlluReader:
    """Reads the entities of CoNLL-U and CoNLL-U Plus."""

    name = "conllu"
    title = mark("CoNLL-U (entities in MISC)")
    tasks = frozenset({"ner"})

    def sniff(self, head: Head, task: str) -> float:
        return how_sure_of_conllu(head)

    def read(
        self, stream: IO[bytes], task: str, options: ReadOptions
    ) -> Iterator[Record | RowProblem]:
        sample, sentences = peek(
            read_sentences(stream, options, hash_is_comment=True),
            lambda sentence: any("=" in cell for line in sentence.lines for cell in line[9:]),
        )
        columns = next((c for c in map(global_columns, sample) if c), list(COLUMNS))
        source = _source(sample, columns)
        if sample and source is None:
            raise InvalidInput.at("file", no_tags())
        fields: list[str] = []
        for sentence in sentences:
            if isinstance(sentence, RowProblem) or source is None:
                if isinstance(sentence, RowProblem):
                    yield sentence
                continue
            if order := sentence.comments.get("global.Entity"):
                fields = order.split("-")
            yield _record(sentence, columns, source, fields, options)


def _source(sample: list[Sentence], columns: list[str]) -> Source | None:
    lines = [line for sentence in sample for line in sentence.lines]
    misc = columns.index("MISC") if "MISC" in columns else None
    values: dict[str, set[str]] = {}
    for line in lines:
        for key, value in misc_values(line, misc).items():
            if key.lower() in _ENTITY_KEYS and len(values.setdefault(key, set())) < _MAX_TAGS:
                values[key].add(value)
    for key in sorted(values, key=lambda key: _ENTITY_KEYS.index(key.lower())):
        found = _read_as(values[key] | {"O"})
        if found is not None:
            return Source(key=key, scheme=found.scheme)
    named = [n for n, name in enumerate(columns) if name.rpartition(":")[2].lower() in _ENTITY_KEYS]
    further = range(len(columns), min(map(len, lines), default=0))
    for place in (*named, *further):
        cells = {line[place] for line in lines if place < len(line)}
        found = _read_as(cells | ({"O"} if place in named else set()))
        if found is not None and (place in named or found.scheme is None or found.scheme.pattern):
            return Source(place, scheme=found.scheme)
    return None


def _read_as(cells: set[str]) -> Source | None:
    """How such cells say entities; None where they do not."""
    scheme = detect(cells) if len(cells) < _MAX_TAGS else None
    is_tags = scheme is not None and scheme.pattern is not None
    if not is_tags and any("(" in cell or ")" in cell for cell in cells):
        return Source()
    return None if scheme is None else Source(scheme=scheme)


def _record(
    sentence: Sentence,
    columns: list[str],
    source: Source,
    fields: list[str],
    options: ReadOptions,
) -> Record | RowProblem:
    misc = columns.index("MISC") if "MISC" in columns else None
    words = read_words(sentence, form=columns.index("FORM"), misc=misc)
    if isinstance(words, RowProblem):
        return words
    try:
        cells = source.cells(words.lines, misc)
    except IndexError:
        return RowProblem(sentence.row, _("A line has fewer columns than the file says."))
    names = {
        n: name
        for n, name in enumerate(columns)
        if name not in ("ID", "FORM", "MISC") and n != source.column
    }
    unused = unread_columns(words.lines, names) + unread_misc(words.lines, misc, {source.key})
    if source.scheme is None:
        found, problems = _bracketed(cells, fields)
        unused += tuple(problems)
    else:
        found = list(decode(cells, source.scheme))
    record = words.record
    return replace(
        record,
        annotation=entities(found, words.places, options.label_map),
        unused=record.unused + unused,
    )


def unread_misc(
    lines: list[list[str]], misc: int | None, read: Collection[str | None]
) -> tuple[str, ...]:
    """The keys of MISC that say something else than the text, and were not read."""
    keys = {key for line in lines for key in misc_values(line, misc)}
    return tuple(f"MISC: {key}" for key in sorted(keys - _LAYOUT_KEYS) if key not in read)


def _bracketed(cells: list[str], fields: list[str]) -> tuple[list[tuple[int, int, str]], list[str]]:
    """(first word, last word, type) of each mention, and what could not be read.

    A mention opens as `(e1-person-…`, its parts in the order that `# global.Entity` gives, and closes as `e1)`.
    """
    found: list[tuple[int, int, str]] = []
    opened: dict[int, tuple[int, list[str]]] = {}
    by_name: dict[str, list[int]] = {}
    without_type = False
    pieces = (
        (number, piece) for number, cell in enumerate(cells) for piece in _PIECES.findall(cell)
    )
    for count, (number, piece) in enumerate(pieces):
        name = _PART.sub("", piece.strip("()"))
        if piece.startswith("("):
            parts = name.split("-")
            opened[count] = number, parts
            for key in {name, *parts, "-".join(parts[:2])}:
                by_name.setdefault(key, []).append(count)
        if not piece.endswith(")"):
            continue
        candidates = by_name.get(name, [])
        while candidates and candidates[-1] not in opened:
            candidates.pop()
        if candidates:
            first, parts = opened.pop(candidates.pop())
            label = _type_of(parts, fields)
            without_type = without_type or not label
            if label:
                found.append((first, number, label))
    problems = [_("mentions without a type")] if without_type else []
    return found, [
        *problems,
        _("mentions that do not end in their sentence"),
    ] if opened else problems


def _type_of(parts: list[str], fields: list[str]) -> str:
    if "etype" in fields:
        place = fields.index("etype")
        return parts[place] if place < len(parts) else ""
    return next((part for part in parts if not _ENTITY_ID.fullmatch(part)), "")
