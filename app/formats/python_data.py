"""Training data in a Python file, as spaCy's examples had it before version 3:

    TRAIN_DATA = [
        ("Ada met Bo.", {"entities": [(0, 3, "PER")]}),
    ]

The file is never run: its longest list of literals is read, and nothing else.
"""

import ast
import re
from collections.abc import Iterator
from typing import IO, Any

from app.errors import InvalidInput
from app.formats.base import Head, ReadOptions, Record, RowProblem
from app.formats.encoding import open_text, unreadable
from app.formats.rows import FileRow, read_rows
from app.i18n import gettext as _
from app.i18n import mark
from app.storable import unstorable

_LIST = re.compile(r"^\w+[ ]*(?::[^=\n]*)?=\s*[\[(]\s*(?:#.*\s*)*[\[({]", re.MULTILINE)
_MAX_SIZE = 4 << 20
"""Characters: a syntax tree takes a hundred times as much memory."""
_MAX_VALUES = 400_000


class PythonReader:
    """Reads the list of examples that a Python file assigns to a name."""

    name = "python"
    title = mark("Python file with a list of examples")
    tasks = frozenset({"sentiment", "ner", "srl"})

    def sniff(self, head: Head, task: str) -> float:
        return 0.7 if head.name.endswith(".py") and _LIST.search(head.text) else 0.0

    def rows(self, stream: IO[bytes], options: ReadOptions) -> Iterator[FileRow]:
        """Raises InvalidInput where there is no such list."""
        lines, encoding = open_text(stream, options.encoding, language=options.language)
        text = lines.read(_MAX_SIZE + 1)
        lines.detach()
        if len(text) > _MAX_SIZE or sum(text.count(sign) for sign in ",([{") > _MAX_VALUES:
            raise InvalidInput.at(
                "file",
                _(
                    "The Python file is too large to be read safely. Write its list as JSON: "
                    "json.dump(TRAIN_DATA, open('train.json', 'w'))."
                ),
            )
        if problem := unreadable(text, encoding):
            raise InvalidInput.at("file", problem)
        for item in _longest_list(text):
            try:
                value = ast.literal_eval(item)
                problem = unstorable(value)
            except (ValueError, TypeError, RecursionError, MemoryError):
                value, problem = (
                    None,
                    _("The row is more than words, numbers and lists: it cannot be read."),
                )
            yield FileRow(item.lineno, _as_json(value), problem)

    def read(
        self, stream: IO[bytes], task: str, options: ReadOptions
    ) -> Iterator[Record | RowProblem]:
        return read_rows(self.rows(stream, options), task, options)


def _longest_list(text: str) -> list[ast.expr]:
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        where = f"line {error.lineno}: " if isinstance(error, SyntaxError) else ""
        raise InvalidInput.at(
            "file",
            _("The file is not Python: %(error)s", error=where + str(getattr(error, "msg", error))),
        ) from None
    values = [
        node.value for node in body if isinstance(node, ast.Assign | ast.AnnAssign | ast.Expr)
    ]
    lists = [value.elts for value in values if isinstance(value, ast.List | ast.Tuple)]
    if not lists:
        raise InvalidInput.at(
            "file",
            _("The Python file has no list of examples, such as TRAIN_DATA = [(text, {…}), …]."),
        )
    return max(lists, key=len)


def _as_json(value: Any) -> Any:
    """The value with lists for tuples, as JSON has them."""
    if isinstance(value, list | tuple):
        return [_as_json(item) for item in value]
    if isinstance(value, dict):
        return {name: _as_json(item) for name, item in value.items()}
    return value
