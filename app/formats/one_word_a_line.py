"""What files of other kinds look like: tables and plain texts are told by not looking so."""

import re

from app.formats.base import Head

_TAG = re.compile(r"O|[BIESMLU][-_]\S+|\S+[-_][BIESMLU]")
_KEYED_COMMENT = re.compile(r"#\s*[\w.:]+\s*=|#(?:FORMAT|begin|end)\b")
_CELLS = 12
_SIGNS = 3
"""So many cells without a letter or digit: `_`, `-`, `*`, `(*` stand in columns that say nothing of a word."""


def is_one_word_a_line(head: Head) -> bool:
    """Whether the lines are words with columns of tags, as all CoNLL formats have them."""
    if head.lines and _KEYED_COMMENT.match(head.lines[0]):
        return True
    lines = [line for line in head.lines if not line.startswith("#")]
    return sum(map(_is_word, lines)) > 0.6 * len(lines)


def _is_word(line: str) -> bool:
    cells = line.split()
    if len(cells) < 2 or ("\t" in line and " " in line.strip()):
        return False
    if len(cells) <= _CELLS and (
        _TAG.fullmatch(cells[-1].upper()) or any(map(_TAG.fullmatch, cells[1:4]))
    ):
        return True
    return sum(not any(map(str.isalnum, cell)) for cell in cells[:40]) >= _SIGNS
