"""NER in columns: CoNLL-2003 and its many relatives, in IOB1, IOB2, BIOES, BMES or BILOU tags."""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import IO, Any

from app.formats.base import Head, Message, ReadOptions, Record, RowProblem
from app.formats.columns import TAG, Sentence, comment_lines, read_sentences, to_record
from app.formats.tokens import Tokens
from app.i18n import gettext as _
from app.i18n import mark
from app.tasks.tokenize import tokenize

_ENDING = re.compile(r"\.(?:conll|iob2?|bio|bmes|bieos|bioes)$|\.conll\.")
_TAGGED = re.compile(r"^\S+(?:[ \t].*)?[ \t](?:O|[BIESMLU]-\S+)$")
_OPENS, _CLOSES = frozenset("BSU"), frozenset("ESLU")


class ConllReader:
    """Reads a word and its tag a line.

    The word is the first column, or the second where the first numbers the words; the tag is the last one.
    Where nothing but columns of tags follows the word, or the words are numbered, all trailing columns of
    tags are layers of nested entities: CoNLL-2003's chunks stand behind parts of speech, and are no
    entities. `tag_columns` says otherwise. Any tag scheme is understood without
    being told, as conlleval does: B, S, U open an entity, E, S, L, U close it, and an I or M that follows
    nothing of its type opens one.
    """

    name = "conll"
    title = mark("CoNLL columns (IOB1, IOB2, BIOES, BMES)")
    tasks = frozenset({"ner"})

    def sniff(self, head: Head, task: str) -> float:
        if sum(bool(_TAGGED.match(line)) for line in head.lines) > 0.6 * len(head.lines):
            return 0.9
        return 0.7 if _ENDING.search(head.name) else 0.0

    def read(
        self, stream: IO[bytes], task: str, options: ReadOptions
    ) -> Iterator[Record | RowProblem]:
        for sentence in read_sentences(stream, options):
            yield sentence if isinstance(sentence, RowProblem) else _record(sentence, options)


def _record(sentence: Sentence, options: ReadOptions) -> Record | RowProblem:
    lines = sentence.lines
    # A text may be “1” or “1 2” itself; then CoNLL-2003's placeholder stands behind it.
    is_numbered = [line[0] for line in lines] == _numbers(len(lines)) and lines[0][1:2] != ["-X-"]
    word_column = 1 if len(lines[0]) > 2 and is_numbered else 0
    width = len(lines[0])
    labelled = width > word_column + 1
    for offset, line in enumerate(lines):
        if len(line) != width:
            return RowProblem(
                sentence.row + offset,
                _(
                    "The line has %(n)s columns, but its sentence starts with %(m)s.",
                    n=len(line),
                    m=width,
                ),
            )
        if not line[word_column]:
            return RowProblem(sentence.row + offset, _("The line has no word."))
    record = to_record(sentence, [line[word_column] for line in lines])
    if isinstance(record, RowProblem) or not labelled:
        return record
    spans: set[tuple[int, int, str]] = set()
    for column in _tag_columns(lines, word_column, options):
        tags = [line[column] for line in lines]
        spans.update(decode_tags(tags, record.tokens or (), options.label_map))
    ordered = sorted(spans, key=lambda span: (span[0], -span[1], span[2]))
    annotation = {"spans": [{"start": a, "end": b, "label": label} for a, b, label in ordered]}
    return Record(
        record.text,
        record.tokens,
        annotation,
        record.external_id,
        record.meta,
        record.row,
        record.split,
    )


def _numbers(n: int) -> list[str]:
    return [str(i) for i in range(1, n + 1)]


def _tag_columns(lines: list[list[str]], word_column: int, options: ReadOptions) -> list[int]:
    last = len(lines[0]) - 1
    layers: list[int] = []
    for column in range(last, word_column, -1):
        if not all(TAG.match(line[column]) for line in lines):
            break
        layers.append(column)
    are_layers = word_column > 0 or len(layers) == last
    wanted = options.tag_columns == "all" or (options.tag_columns == "auto" and are_layers)
    return layers if layers and wanted else [last]


def decode_tags(
    tags: list[str], tokens: Tokens, label_map: dict[str, str]
) -> Iterator[tuple[int, int, str]]:
    """(start, end, label) of the entities that one column of tags says."""
    current: str | None = None
    first = 0
    for number, tag in enumerate([*tags, "O"]):
        prefix, label = _split(tag)
        if current is not None and (label != current or prefix in _OPENS):
            yield tokens[first][0], tokens[number - 1][1], label_map.get(current, current)
            current = None
        if label is not None:
            if current is None:
                current, first = label, number
            if prefix in _CLOSES:
                yield tokens[first][0], tokens[number][1], label_map.get(label, label)
                current = None


def _split(tag: str) -> tuple[str, str | None]:
    """(prefix, label); a tag without a prefix is all label, and continues like I."""
    if tag in ("O", "_", "", "-"):
        return "O", None
    return (tag[0], tag[2:]) if tag[1:2] == "-" else ("I", tag)


class ConllWriter:
    """Writes CoNLL-2003's four columns with IOB2 tags: word, two that we do not know (`-X-`), tag.

    Comments make it read back exactly; they are off by default, since most tools take them for words.
    """

    name = "conll2003"
    title = mark("CoNLL-2003 (IOB2)")
    extension = "conll"
    media_type = "text/plain; charset=utf-8"

    def write(
        self,
        records: Iterable[Record],
        task: str,
        *,
        conversation: Callable[[Record], list[Message]],
        comments: bool = False,
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
    if record.tokens is not None:
        return record
    return Record(
        record.text,
        tuple(tokenize(record.text)),
        record.annotation,
        record.external_id,
        record.meta,
        record.row,
        record.split,
    )


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
            tags[first : last + 1] = [f"I-{span['label']}"] * (last + 1 - first)
            tags[first] = f"B-{span['label']}"
    return tags, notes
