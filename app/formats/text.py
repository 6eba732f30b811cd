"""Plain text: one example a line. Empty lines are none."""

import re
from collections.abc import Iterator
from typing import IO

from app.formats.base import Head, ReadOptions, Record, RowProblem
from app.formats.bounds import read_lines, text_problem
from app.formats.encoding import open_text, unreadable
from app.formats.one_word_a_line import is_one_word_a_line
from app.i18n import mark

_MARKUP = re.compile(
    r"""
    \s* (?:
        <[/!?\w][^<>]*> .*                       # XML, HTML
      | \{ (?:\s*".*)? | \[ .* \],? | [\[\]}],? | "[^"]+"\s*: .*   # JSON, on one line or many
      | \#\w+ [ ]? = .* | \#(?:FORMAT|T_SP|Text)\b .*   # comments with keys, as formats of annotation have them
      | (?:\S+ [/_|] [A-Z][A-Z$.-]{0,7} (?:\s+|$))+       # words with tags
      | .* __label__\S .*
      | \( \S+ \s+ \( .* \) \s* \)                  # trees
      | [^#]{0,200} \#\# .*
      | [\d.,:%+-]+                                # numbers
      | [a-z][\w.-]* \s* [:=] \s* \S*             # settings
      | [^\t]* \t .*                           # columns
    ) \s* $""",
    re.VERBOSE,
)
_WORD = re.compile(r"[^\W\d_]+")
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]{4}")
"""Letters of scripts without blanks between words."""


def _is_markup(line: str) -> bool:
    return _MARKUP.match(line[:1000]) is not None


def _is_prose(line: str) -> bool:
    """Whether a line is a sentence or more, and not a record of something."""
    if _is_markup(line) or line.count("|") > 1 or line.count(";") > 2:
        return False
    return len(_WORD.findall(line[:1000])) >= 3 or _UNSPACED.search(line) is not None


class TextReader:
    """Reads lines as unlabelled examples."""

    name = "text"
    title = mark("Plain text, one example a line")
    tasks = frozenset({"sentiment", "ner", "srl"})

    def sniff(self, head: Head, task: str) -> float:
        """Lines of another format are no texts because nothing else has recognised them."""
        if not head.lines or sum(map(_is_markup, head.lines)) >= 0.5 * len(head.lines):
            return 0.0
        if is_one_word_a_line(head):
            return 0.0
        if head.name.endswith((".txt", ".text")):
            return 0.3
        return 0.1 if sum(map(_is_prose, head.lines)) >= 0.8 * len(head.lines) else 0.0

    def read(
        self, stream: IO[bytes], task: str, options: ReadOptions
    ) -> Iterator[Record | RowProblem]:
        lines, encoding = open_text(stream, options.encoding, language=options.language)
        for number, line in enumerate(read_lines(lines), 1):
            text = line.rstrip("\n")
            if not text.strip():
                continue
            problem = unreadable(text, encoding) or text_problem(text)
            yield RowProblem(number, problem) if problem else Record(text=text, row=number)
