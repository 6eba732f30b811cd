"""Files of one word a line in columns, with an empty line behind each sentence: what all CoNLL formats share."""

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import IO, Any

import orjson

from app.errors import InvalidInput
from app.formats.base import ReadOptions, Record, RowProblem, read_split
from app.formats.bounds import MAX_ROW, parse_json, read_lines, text_problem, too_long
from app.formats.encoding import open_text, unreadable
from app.formats.tokens import Tokens, are_tokens, join, locate
from app.i18n import gettext as _

EMPTY = frozenset({"", "_", "-", "*", "-X-", "-x-"})
"""Cells that say nothing."""

_DOCUMENT = re.compile(r"-DOCSTART-|#(?:begin|end) document\b")
_KEY_VALUE = re.compile(r"# *[A-Za-z][^\s=]*(?: [^\s=]+){0,2} ?=(?:\s|$)")
"""`# text = …`. The tag at the end of such a line is a word of the text."""
_ROW_END = re.compile(r"[Oo_-]|.*\*.*|[A-Za-z][-_].+|.+[-_][A-Za-z]")
"""How a line ends whose first word is a bare `#`: with a tag or a bracket."""
_OURS = frozenset({"text", "tokens", "external_id", "sent_id", "split", "meta", "annotune_id"})
_SAMPLE_SENTENCES = 200
_SAMPLE_CELLS = 300_000


@dataclass(slots=True)
class Sentence:
    """The lines of one sentence."""

    row: int
    lines: list[list[str]] = field(default_factory=list)
    comments: dict[str, str] = field(default_factory=dict)
    """`# key = value` lines before it."""
    notes: list[str] = field(default_factory=list)
    """Comment lines of another form."""

    def comment(self, line: str) -> None:
        """Keeps a comment line."""
        key, equals, value = line[1:].partition("=")
        if equals and _KEY_VALUE.match(line):
            self.comments[key.strip()] = value.strip()
        elif note := line[1:].strip():
            self.notes.append(note)


def read_sentences(
    stream: IO[bytes], options: ReadOptions, *, hash_is_comment: bool = False
) -> Iterator[Sentence | RowProblem]:
    """The sentences of a file. Lines with only white space end one, and so do the lines between documents:
    `-DOCSTART-`, `#begin document`, `#end document`.

    A line that starts with `#` before a sentence's first word is a comment if it looks like one, or, with
    `hash_is_comment`, in any case; elsewhere it is a word.
    """
    lines, encoding = open_text(stream, options.encoding, language=options.language)
    sentence = Sentence(1)
    hashes: list[tuple[int, str]] = []
    bad: RowProblem | None = None
    size = 0
    for number, line in enumerate(read_lines(lines), 1):
        # In a sentence that brings its text, `-DOCSTART-` is a word of it.
        is_border = line[0] in "-#" and _DOCUMENT.match(line) and "text" not in sentence.comments
        if is_border or not line.strip(" \t\r\n"):
            _place(hashes, sentence, None)
            if sentence.lines or bad:
                yield bad or sentence
                sentence, bad, size = Sentence(number + 1), None, 0
            elif not sentence.comments and not sentence.notes:
                size = 0
            continue
        size += len(line)
        if size > MAX_ROW:
            raise too_long(sentence.row)
        problem = unreadable(line, encoding)
        if problem:
            bad = bad or RowProblem(number, problem)
            continue
        line = line.rstrip("\r\n")
        if line[:1] == "#" and not sentence.lines:
            is_bare = line[1:2] in ("", " ", "\t")
            if hash_is_comment or (is_bare and _KEY_VALUE.match(line)):
                sentence.comment(line)
                continue
            if is_bare:
                hashes.append((number, line))
                continue
        cells = split_cells(line, options.delimiter)
        if hashes:
            _place(hashes, sentence, len(cells))
        if not sentence.lines:
            sentence.row = number
        sentence.lines.append(cells)
    _place(hashes, sentence, None)
    if sentence.lines or bad:
        yield bad or sentence


def _place(hashes: list[tuple[int, str]], sentence: Sentence, width: int | None) -> None:
    """Puts lines that start with a bare `#` where they belong, now that the width of the sentence's other lines is
    known (None: it has none): they are comments, or the word `#` with its columns."""
    for number, line in hashes:
        cells = split_cells(line.rstrip(" \t"))
        fits = len(cells) == width
        if width is None:
            fits = len(cells) < 5 or "text" in sentence.comments
        is_word = fits and _ROW_END.fullmatch(cells[-1])
        if not is_word:
            sentence.comment(line)
            continue
        if not sentence.lines:
            sentence.row = number
        sentence.lines.append(cells)
    hashes.clear()


def split_cells(line: str, delimiter: str | None = None) -> list[str]:
    """The cells of a line: divided by what was chosen, by tabs where it has one, else by blanks."""
    if not line.isascii() and line.rstrip(" \t")[-1:].isspace() and len(line.split()) > 1:
        line = line.rstrip()  # a no-break space behind the tag; alone it may be the word
    if delimiter not in (None, " ", "\t"):
        return [cell.strip(" \t") for cell in line.split(delimiter)]
    if "\t" in line:
        filled = line.rstrip(" \t")
        if "\t" in filled or " " not in filled:
            cells = line.split("\t")
            return [cell.strip(" ") for cell in cells] if " " in line else cells
        line = filled
    # Split at ASCII blanks only: U+3000 or U+00A0 may be the word itself.
    return [cell for cell in line.split(" ") if cell]


def peek(
    items: Iterator[Sentence | RowProblem], says_something: Callable[[Sentence], bool]
) -> tuple[list[Sentence], Iterator[Sentence | RowProblem]]:
    """(the first sentences, by which a file's layout is told; all of them): at least one of the former says
    something, if any does within reason."""
    seen: list[Sentence | RowProblem] = []
    cells = 0
    said = False
    for item in items:
        seen.append(item)
        if isinstance(item, Sentence):
            cells += sum(map(len, item.lines))
            said = said or says_something(item)
        if cells > _SAMPLE_CELLS or (said and len(seen) >= _SAMPLE_SENTENCES):
            break
    return [item for item in seen if isinstance(item, Sentence)], chain(seen, items)


def unread_columns(lines: Sequence[Sequence[str]], names: dict[int, str]) -> tuple[str, ...]:
    """The names of those columns, by their places, in which these lines hold anything."""
    return tuple(
        name
        for place, name in names.items()
        if any(place < len(line) and line[place] not in EMPTY for line in lines)
    )


def numbered_columns(lines: Sequence[Sequence[str]], read: Collection[int]) -> tuple[str, ...]:
    """The same for columns without names: all that were not read."""
    width = max(map(len, lines))
    return unread_columns(
        lines, {n: _("column %(n)s", n=n + 1) for n in range(width) if n not in read}
    )


def to_record(
    sentence: Sentence,
    words: list[str],
    glued: list[bool] | None = None,
    *,
    meta: dict[str, Any] | None = None,
    unused: tuple[str, ...] = (),
) -> Record | RowProblem:
    """The sentence's text and tokens, as its comments say or by the joining rule."""
    if "" in words:
        return RowProblem(sentence.row + words.index(""), _("The line has no word."))
    comments = sentence.comments
    text = _unquote(comments["text"]) if "text" in comments else None
    tokens: Tokens | None = None
    if text is not None and "tokens" in comments:
        try:
            value = parse_json(comments["tokens"])
        except ValueError:
            value = None
        if not are_tokens(value, text, len(words)):
            return RowProblem(
                sentence.row,
                _("The tokens must be pairs of start and end in the text, one for each word."),
            )
        tokens = tuple((start, end) for start, end in value)
    elif text is not None:
        tokens = locate(words, text)
        if tokens is None:
            unused = (*unused, _("the text in the comment, which has other words"))
    if text is None or tokens is None:
        text, tokens = join(words, glued or ())
    if not text.strip():
        return RowProblem(sentence.row, _("The sentence has no visible word."))
    try:
        split = read_split(comments.get("split"))
    except InvalidInput as error:
        return RowProblem(sentence.row, error.message)
    if problem := text_problem(text):
        return RowProblem(sentence.row, problem)
    own_id = comments.get("external_id")
    return Record(
        text=text,
        tokens=tokens,
        external_id=comments.get("sent_id") if own_id is None else _unquote(own_id),
        meta=_meta(sentence) | (meta or {}),
        row=sentence.row,
        split=split,
        unused=unused,
    )


def _meta(sentence: Sentence) -> dict[str, Any]:
    """What the comments say besides: our own `# meta`, and those of other tools."""
    comments = sentence.comments
    meta: dict[str, Any] = {
        key: value
        for key, value in comments.items()
        if key not in _OURS and not key.startswith("global.")
    }
    if "external_id" in comments and "sent_id" in comments:
        meta["sent_id"] = comments["sent_id"]
    if sentence.notes:
        meta["comments"] = list(sentence.notes)
    if "meta" in comments:
        try:
            own = parse_json(comments["meta"])
        except ValueError:
            own = None
        meta |= own if isinstance(own, dict) else {"meta": comments["meta"]}
    return meta


def comment_lines(record: Record) -> str:
    """Comments that make a sentence read back exactly: its text, its tokens, its names."""
    words = [record.text[start:end] for start, end in record.tokens or ()]
    lines = [f"# annotune_id = {record.row}"]
    if record.external_id:
        lines.append(f"# external_id = {_quote(record.external_id)}")
    if record.split:
        lines.append(f"# split = {record.split}")
    lines.append(f"# text = {_quote(record.text)}")
    if locate(words, record.text) != record.tokens:
        lines.append(f"# tokens = {orjson.dumps(record.tokens).decode()}")
    if record.meta:
        lines.append(f"# meta = {orjson.dumps(record.meta).decode()}")
    return "".join(f"{line}\n" for line in lines)


def _quote(text: str) -> str:
    """The text as it is, or as a JSON string where a line could not hold it or would lose something."""
    plain = text.isprintable() and text == text.strip() and not text.startswith('"')
    return text if plain else orjson.dumps(text).decode()


def _unquote(text: str) -> str:
    if not text.startswith('"'):
        return text
    try:
        value = parse_json(text)
    except ValueError:
        return text
    return value if isinstance(value, str) else text
