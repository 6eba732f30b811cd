"""Lists in cells as Python prints them: `['B-PER', 'O']`, `[(0, 3, 'PER')]`, and numpy's, which have no commas.

They are what is left of a table's lists after pandas has written it as CSV.
"""

import ast
import re
from typing import Any

from app.i18n import gettext as _
from app.storable import unstorable

_MAX_SIZE = 1 << 18
"""Characters: a syntax tree takes a hundred times as much memory."""
_ARRAY = re.compile(r"\s*(?:np\.|numpy\.)?array\((\[.*\])(?:,\s*dtype=[^()]*)?\)\s*", re.DOTALL)
_STRING = r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\""
_WORDS = re.compile(rf"\[\s*+(?:(?:{_STRING})[\s,]*+)*+\]", re.DOTALL)
_NUMBER = re.compile(r"-?\d+(?:\.\d*)?")
_ITEM = re.compile(_STRING, re.DOTALL)


def parse_literal(text: str) -> Any:
    """The value of a Python literal. Raises ValueError with a sentence."""
    if len(text) > _MAX_SIZE:
        raise ValueError(_("it is too long for a list that Python printed"))
    if inner := _ARRAY.fullmatch(text):
        text = inner[1]
    text = text.strip()
    numbers = text[1:-1].split()
    if _WORDS.fullmatch(text):
        # Not as it stands: Python makes one text of 'a' 'b'.
        text = f"[{', '.join(_ITEM.findall(text))}]"
    elif text[:1] == "[" and text[-1:] == "]" and all(map(_NUMBER.fullmatch, numbers)):
        text = f"[{', '.join(numbers)}]"
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        value = ...
    if not _is_plain(value):
        raise ValueError(_("it is neither JSON nor a list that Python printed"))
    if reason := unstorable(value):
        raise ValueError(reason)
    return value


def _is_plain(value: Any) -> bool:
    """Whether it is something that JSON has, too; `...` stands for what numpy has left out."""
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    if isinstance(value, dict):
        return all(map(_is_plain, value.values())) and all(isinstance(name, str) for name in value)
    return value is None or isinstance(value, str | int | float)
