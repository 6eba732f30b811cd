"""Files of one word a line in columns, with an empty line behind each sentence: what all CoNLL formats share."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO

import orjson

from app.errors import InvalidInput
from app.formats.base import ReadOptions, Record, RowProblem, read_split
from app.formats.bounds import MAX_ROW, parse_json, read_lines, text_problem, too_long
from app.formats.encoding import open_text, unreadable
from app.formats.tokens import Tokens, join, locate
from app.i18n import gettext as _

TAG = re.compile(r"^(?:O|[BIESMLU]-\S+)$")


@dataclass(slots=True)
class Sentence:
    """The lines of one sentence."""

    row: int
    lines: list[list[str]] = field(default_factory=list)
    comments: dict[str, str] = field(default_factory=dict)
    """`# key = value` lines before it."""


def read_sentences(
    stream: IO[bytes], options: ReadOptions, *, hash_is_comment: bool = False
) -> Iterator[Sentence | RowProblem]:
    """The sentences of a file. Lines with only white space end one; `-DOCSTART-` lines are none.

    A line that starts with `#` before a sentence's first word is a comment if it looks like one, or, with
    `hash_is_comment`, in any case; elsewhere it is a word.
    """
    lines, encoding = open_text(stream, options.encoding)
    sentence = Sentence(1)
    bad: RowProblem | None = None
    size = 0
    for number, line in enumerate(read_lines(lines), 1):
        if not line.strip(" \t\r\n"):
            if sentence.lines or bad:
                yield bad or sentence
                sentence, bad = Sentence(number + 1), None
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
        if line.startswith("-DOCSTART-"):
            continue
        if not sentence.lines and line.startswith("#") and (hash_is_comment or _is_comment(line)):
            key, equals, value = line[1:].partition("=")
            if equals:
                sentence.comments[key.strip()] = value.strip()
            continue
        if not sentence.lines:
            sentence.row = number
        sentence.lines.append(_cells(line))
    if sentence.lines or bad:
        yield bad or sentence


def _is_comment(line: str) -> bool:
    """`# text = …`, a source line or a sentence; not a word `#` with its columns."""
    rest = line[1:]
    if not rest.startswith((" ", "\t")) or TAG.match(rest.split()[-1] if rest.split() else ""):
        return False
    return " = " in rest or rest.strip().count("\t") > 0 or len(rest.split()) > 4


def _cells(line: str) -> list[str]:
    if "\t" in line:
        return [cell.strip(" ") for cell in line.split("\t")]
    # Split at ASCII blanks only: U+3000 or U+00A0 may be the word itself.
    return [cell for cell in line.split(" ") if cell]


def to_record(
    sentence: Sentence,
    words: list[str],
    glued: list[bool] | None = None,
) -> Record | RowProblem:
    """The sentence's text and tokens, as its comments say or by the joining rule."""
    comments = sentence.comments
    text = _unquote(comments["text"]) if "text" in comments else None
    tokens: Tokens | None = None
    if text is not None and "tokens" in comments:
        try:
            tokens = tuple((int(a), int(b)) for a, b in parse_json(comments["tokens"]))
        except (ValueError, TypeError):
            return RowProblem(sentence.row, _("The tokens must be pairs of start and end."))
    elif text is not None:
        tokens = locate(words, text)
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
    return Record(
        text=text,
        tokens=tokens,
        external_id=comments.get("external_id", comments.get("sent_id")),
        row=sentence.row,
        split=split,
    )


def comment_lines(record: Record) -> str:
    """Comments that make a sentence read back exactly: its text, its tokens, its names."""
    words = [record.text[start:end] for start, end in record.tokens or ()]
    lines = [f"# id = {record.row}"]
    if record.external_id:
        lines.append(f"# external_id = {record.external_id}")
    if record.split:
        lines.append(f"# split = {record.split}")
    lines.append(f"# text = {_quote(record.text)}")
    if locate(words, record.text) != record.tokens:
        lines.append(f"# tokens = {orjson.dumps(record.tokens).decode()}")
    return "".join(f"{line}\n" for line in lines)


def _quote(text: str) -> str:
    """The text as it is, or as a JSON string where a line could not hold it or would lose something."""
    plain = text.isprintable() and text == text.strip() and not text.startswith('"')
    return text if plain else orjson.dumps(text).decode()


def _unquote(text: str) -> str:
    if not text.startswith('"'):
        return text
    try:
        return str(parse_json(text))
    except ValueError:
        return text
