"""NER in columns: CoNLL-2003 and its many relatives, in any tag scheme."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import IO, Any

from app.errors import InvalidInput
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
    peek,
    read_sentences,
    split_cells,
    to_record,
)
from app.formats.tags import OUTSIDE, USUAL, Scheme, decode, detect
from app.formats.tokens import Tokens
from app.i18n import gettext as _
from app.i18n import mark
from app.tasks.tokenize import tokenize

_ENDING = re.compile(r"\.(?:conll|iob2?|bio|bmes|bieos|bioes|bilou)$|\.conll\.")
_CHUNKS = frozenset(
    ["ADJP", "ADVP", "CONJP", "INTJ", "LST", "NP", "PP", "PRT", "SBAR", "UCP", "VP"]
)
"""The types of CoNLL-2000's chunks, which stand beside the entities in CoNLL-2003."""
_WORD_NAMES = frozenset(["word", "words", "token", "tokens", "form", "text"])
_TAG_NAMES = frozenset(
    ["tag", "tags", "ner", "ner_tag", "ner_tags", "label", "labels", "bio", "iob", "iob2", "entity"]
)
_ID = re.compile(r"\d+(?:[-.]\d+)?")
_MAX_TAGS = 5_000


@dataclass(frozen=True, slots=True)
class Layout:
    """Which column is what, in lines of one width."""

    word: int
    numbered: bool
    tags: tuple[tuple[int, Scheme], ...]
    """Columns of tags; empty: there are only words."""


class ConllReader:
    """Reads a word and its tag a line.

    The word is the first column, or the second where the first numbers the words; the tag is the last column of
    tags. Where nothing but columns of tags follows the word, all of them are layers of nested entities, except
    chunks; `tag_columns` says otherwise. Which columns are tags, and in which scheme, the first sentences of the
    file say.
    """

    name = "conll"
    title = mark("CoNLL columns (IOB1, IOB2, BIOES, BMES)")
    tasks = frozenset({"ner"})

    def sniff(self, head: Head, task: str) -> float:
        lines = [split_cells(line) for line in head.lines if line[0] != "#"]
        lines = [line for line in lines if line[0] != "-DOCSTART-" and not _is_header(line)]
        width, count = max(
            Counter(map(len, lines)).items(), key=lambda item: item[1], default=(0, 0)
        )
        if width > 1 and count > 0.6 * len(head.lines):
            wide = [line for line in lines if len(line) == width]
            layout = _layout([wide], ReadOptions())
            for place, scheme in layout.tags if layout else ():
                outside = sum(line[place] in OUTSIDE for line in wide)
                if scheme.pattern or 0.3 * count < outside < count:
                    return 0.9
        return 0.7 if _ENDING.search(head.name) else 0.0

    def read(
        self, stream: IO[bytes], task: str, options: ReadOptions
    ) -> Iterator[Record | RowProblem]:
        sample, sentences = peek(
            _without_header(read_sentences(stream, options)), lambda s: _speaks_tags(s.lines)
        )
        layouts = _layouts(sample, options)
        if layouts and not any(layouts.values()):
            raise InvalidInput.at("file", no_tags())
        if set(layouts) == {1} and (mark := _other_delimiter(sample)):
            raise InvalidInput.at(
                "delimiter",
                _(
                    "The columns are divided by “%(mark)s”, not by tabs or blanks: choose it as the delimiter.",
                    mark=mark,
                ),
            )
        for sentence in sentences:
            if isinstance(sentence, RowProblem):
                yield sentence
                continue
            problem = _even(sentence)
            if problem:
                yield problem
                continue
            width = len(sentence.lines[0])
            if width not in layouts:
                layouts[width] = _layout([sentence.lines], options)
            layout = layouts[width]
            yield (
                _record(sentence, layout, options)
                if layout
                else RowProblem(sentence.row, no_tags())
            )


def no_tags() -> str:
    """What to say of columns without entities."""
    return _(
        "None of the columns holds tags of entities, such as B-PER, I-PER and O. To label these sentences here, "
        "import them as plain text, one a line."
    )


def _speaks_tags(lines: Sequence[Sequence[str]]) -> bool:
    """Whether any tag is more than “outside”."""
    return any(cell not in OUTSIDE and len(cell) < 100 for line in lines for cell in line[-1:])


def _without_header(
    sentences: Iterator[Sentence | RowProblem],
) -> Iterator[Sentence | RowProblem]:
    """The sentences without a first line that names the columns."""
    for number, sentence in enumerate(sentences):
        if number == 0 and isinstance(sentence, Sentence) and _is_header(sentence.lines[0]):
            del sentence.lines[0]
            sentence.row += 1
            if not sentence.lines:
                continue
        yield sentence


def _is_header(line: list[str]) -> bool:
    names = {cell.lower() for cell in line}
    return bool(names & _WORD_NAMES and names & _TAG_NAMES)


def _other_delimiter(sample: list[Sentence]) -> str | None:
    """The mark that divides a word from its tag in every line that seems to have one column."""
    lines = [line[0] for sentence in sample for line in sentence.lines]
    for delimiter in ",;|":
        tags = {line.rpartition(delimiter)[2] for line in lines if delimiter in line}
        scheme = detect(tags) if len(tags) < _MAX_TAGS else None
        if scheme and scheme.pattern and all(delimiter in line for line in lines):
            return delimiter
    return None


def _even(sentence: Sentence) -> RowProblem | None:
    """Takes away empty cells behind the last column, and says which line has another number of columns."""
    lines = sentence.lines
    first = len(lines[0])
    if all(len(line) == first and line[-1] for line in lines):
        return None
    width = max(n for line in lines for n, cell in enumerate(line, 1) if cell or n == 1)
    lines[:] = [line[:width] for line in lines]
    first = len(lines[0])
    for offset, line in enumerate(lines):
        if len(line) != first:
            return RowProblem(
                sentence.row + offset,
                _(
                    "The line has %(n)s columns, but its sentence starts with %(m)s.",
                    n=len(line),
                    m=first,
                ),
            )
    return None


def _layouts(sample: list[Sentence], options: ReadOptions) -> dict[int, Layout | None]:
    by_width: dict[int, list[list[list[str]]]] = {}
    for sentence in sample:
        if _even(sentence) is None:
            by_width.setdefault(len(sentence.lines[0]), []).append(sentence.lines)
    return {width: _layout(found, options) for width, found in by_width.items()}


def _layout(sentences: list[list[list[str]]], options: ReadOptions) -> Layout | None:
    """Which column of these sentences of one width is what; None where no column holds tags."""
    width = len(sentences[0][0])
    if width < 2:
        return Layout(0, numbered=False, tags=())
    # A text may be “1” or “1 2” itself; then CoNLL-2003's placeholder stands behind it.
    numbered = width > 2 and all(
        _are_numbers([line[0] for line in lines]) and lines[0][1] != "-X-" for lines in sentences
    )
    word = int(numbered)
    schemes: dict[int, Scheme] = {}
    labels: dict[int, set[str]] = {}
    for place in range(word + 1, width):
        tags = {line[place] for lines in sentences for line in lines}
        scheme = detect(tags) if len(tags) < _MAX_TAGS else None
        if scheme is None and width == word + 2 and 1 < len(tags) < _MAX_TAGS and tags & {"_", "-"}:
            scheme = Scheme(None)
        if scheme is not None:
            schemes[place] = scheme
            labels[place] = {label for _a, _b, label in decode(tags, scheme)}
    if not schemes:
        return None
    if any(scheme.pattern for scheme in schemes.values()):
        schemes = {place: scheme for place, scheme in schemes.items() if scheme.pattern}
    chunks = {place for place in schemes if labels[place] and labels[place] <= _CHUNKS}
    if len(chunks) < len(schemes) and options.tag_columns != "all":
        schemes = {place: scheme for place, scheme in schemes.items() if place not in chunks}
    last = max(schemes)
    layers = [
        place
        for place in range(last, word, -1)
        if all(p in schemes for p in range(place, last + 1))
    ]
    are_layers = len(layers) == width - 1 - word
    if options.tag_columns == "last" or (options.tag_columns == "auto" and not are_layers):
        layers = [last]
    return Layout(word, numbered, tuple((place, schemes[place]) for place in layers))


def _are_numbers(ids: list[str]) -> bool:
    """Whether a column numbers the words of a sentence: from 1 or 0, with CoNLL-U's ranges and empty nodes."""
    if not all(map(_ID.fullmatch, ids)):
        return False
    whole = [number for number in ids if number.isdecimal()]
    return bool(whole) and whole in (
        [str(n) for n in range(first, first + len(whole))] for first in (1, 0)
    )


def _record(sentence: Sentence, layout: Layout, options: ReadOptions) -> Record | RowProblem:
    lines = sentence.lines
    if layout.numbered:
        # 1-2 is a contraction, 3.1 an empty node: neither is a word.
        lines = [line for line in lines if line[0].isdecimal()]
        if not lines:
            return RowProblem(sentence.row, _("The sentence has no numbered word."))
    read = {*range(layout.word + 1), *(place for place, _scheme in layout.tags)}
    record = to_record(
        sentence, [line[layout.word] for line in lines], unused=numbered_columns(lines, read)
    )
    if isinstance(record, RowProblem) or not layout.tags:
        return record
    found = [
        span
        for place, scheme in layout.tags
        for span in decode([line[place] for line in lines], scheme)
    ]
    return replace(record, annotation=entities(found, record.tokens or (), options.label_map))


def entities(
    found: Iterable[tuple[int, int, str]], tokens: Tokens, label_map: dict[str, str]
) -> dict[str, Any]:
    """Entities on word numbers (first, last, label) as the task's payload on offsets."""
    spans = {(tokens[a][0], tokens[b][1], label_map.get(label, label)) for a, b, label in found}
    ordered = sorted(spans, key=lambda span: (span[0], -span[1], span[2]))
    return {"spans": [{"start": a, "end": b, "label": label} for a, b, label in ordered]}


class ConllWriter(Writer):
    """Writes CoNLL-2003's four columns with IOB2 tags: word, two that we do not know (`-X-`), tag.

    Comments make it read back exactly; they are off by default, since most tools take them for words.
    """

    name = "conll2003"
    title = mark("CoNLL-2003 (IOB2)")
    extension = "conll"
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
        yield b"-DOCSTART- -X- -X- O\n\n"
        for record in records:
            record = with_tokens(record)
            tags, _notes = encode_tags(record)
            lines = [
                f"{word(record, start, end)} -X- -X- {tag}\n"
                for (start, end), tag in zip(record.tokens or (), tags, strict=True)
            ]
            yield ((comment_lines(record) if comments else "") + "".join(lines) + "\n").encode()

    def check(self, record: Record, task: str) -> list[str]:
        record = with_tokens(record)
        return encode_tags(record)[1] + word_notes(record)


def with_tokens(record: Record) -> Record:
    """The record with tokens: its own, else our tokeniser's."""
    return record if record.tokens else replace(record, tokens=tuple(tokenize(record.text)))


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


def encode_tags(record: Record) -> tuple[list[str], list[str]]:
    """(IOB2 tags, what they cannot say): spans that cut a token or lie over an outer one."""
    tokens = record.tokens or ()
    starts = {start: number for number, (start, _end) in enumerate(tokens)}
    ends = {end: number for number, (_start, end) in enumerate(tokens)}
    tags, notes = ["O"] * len(tokens), []
    spans: list[dict[str, Any]] = (record.annotation or {}).get("spans", [])
    for span in sorted(spans, key=lambda item: (item["start"], -item["end"])):
        first, last = starts.get(span["start"]), ends.get(span["end"])
        words = record.text[span["start"] : span["end"]]
        if first is None or last is None:
            notes.append(
                _(
                    "“%(words)s” (%(label)s) does not fall on token borders.",
                    words=words,
                    label=span["label"],
                )
            )
        elif any(tag != "O" for tag in tags[first : last + 1]):
            notes.append(
                _(
                    "“%(words)s” (%(label)s) lies over another entity.",
                    words=words,
                    label=span["label"],
                )
            )
        else:
            label = "_".join(span["label"].split())
            if list(decode([f"B-{label}"], USUAL)) != [(0, 0, span["label"])]:
                notes.append(
                    _(
                        "The label “%(label)s” cannot be read back from a tag as it is.",
                        label=span["label"],
                    )
                )
            tags[first : last + 1] = [f"I-{label}"] * (last + 1 - first)
            tags[first] = f"B-{label}"
    return tags, notes
