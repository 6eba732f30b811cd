"""fastText's training files: `__label__joy __label__calm The text of the line`.

https://fasttext.cc/docs/en/supervised-tutorial.html: every word with the prefix is a label, and they stand at the
line's beginning or end. Underscores or hyphens stand for the blanks of a label's name, and are kept.
"""

from collections.abc import Iterator
from typing import IO

from app.formats.base import Head, ReadOptions, Record, RowProblem
from app.formats.bounds import read_lines, text_problem
from app.formats.encoding import open_text, unreadable
from app.i18n import gettext as _
from app.i18n import mark

_PREFIX = "__label__"


class FastTextReader:
    """Reads lines with their labels before or behind them."""

    name = "fasttext"
    title = mark("fastText")
    tasks = frozenset({"sentiment"})

    def sniff(self, head: Head, task: str) -> float:
        labelled = sum(_PREFIX in line for line in head.lines)
        begins = sum(line.lstrip().startswith(_PREFIX) for line in head.lines)
        if not labelled or labelled < 0.5 * len(head.lines):
            return 0.0
        return 0.95 if begins == labelled else 0.6

    def read(
        self, stream: IO[bytes], task: str, options: ReadOptions
    ) -> Iterator[Record | RowProblem]:
        lines, encoding = open_text(stream, options.encoding, language=options.language)
        for number, line in enumerate(read_lines(lines), 1):
            if line.strip():
                problem = unreadable(line, encoding)
                yield RowProblem(number, problem) if problem else _record(line, number, options)


def _record(line: str, number: int, options: ReadOptions) -> Record | RowProblem:
    text, labels = _without_labels(line.strip("\r\n"))
    if not text:
        return RowProblem(number, _("The text is empty."))
    if problem := text_problem(text):
        return RowProblem(number, problem)
    if _PREFIX in text and any(word.startswith(_PREFIX) for word in text.split()):
        sentence = _(
            "A label (__label__…) stands within the text: labels belong before or behind it."
        )
        return RowProblem(number, sentence)
    if "" in labels:
        return RowProblem(number, _("A label has no name: nothing follows __label__."))
    names = [options.label_map.get(label, label) for label in dict.fromkeys(labels)]
    return Record(text=text, annotation={"labels": names} if names else None, row=number)


def _without_labels(line: str) -> tuple[str, list[str]]:
    """(the text, the labels before and behind it)."""
    before: list[str] = []
    behind: list[str] = []
    text = line.strip()
    while text.startswith(_PREFIX):
        label, *rest = text.split(maxsplit=1)
        before.append(label.removeprefix(_PREFIX))
        text = rest[0] if rest else ""
    while (words := text.rsplit(maxsplit=1)) and words[-1].startswith(_PREFIX):
        behind.insert(0, words[-1].removeprefix(_PREFIX))
        text = words[0] if len(words) > 1 else ""
    return text, before + behind
