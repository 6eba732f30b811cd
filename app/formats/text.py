"""Plain text: one example a line. Empty lines are none."""

from collections.abc import Iterator
from typing import IO

from app.formats.base import Head, ReadOptions, Record, RowProblem
from app.formats.bounds import read_lines, text_problem
from app.formats.encoding import open_text, unreadable
from app.i18n import mark


class TextReader:
    """Reads lines as unlabelled examples."""

    name = "text"
    title = mark("Plain text, one example a line")
    tasks = frozenset({"sentiment", "ner", "srl"})

    def sniff(self, head: Head, task: str) -> float:
        return 0.3 if head.name.endswith((".txt", ".text")) else 0.1 if head.text else 0.0

    def read(
        self, stream: IO[bytes], task: str, options: ReadOptions
    ) -> Iterator[Record | RowProblem]:
        lines, encoding = open_text(stream, options.encoding)
        for number, line in enumerate(read_lines(lines), 1):
            text = line.rstrip("\n")
            if not text.strip():
                continue
            problem = unreadable(text, encoding) or text_problem(text)
            yield RowProblem(number, problem) if problem else Record(text=text, row=number)
