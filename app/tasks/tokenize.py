"""The tokeniser for texts that come without tokens: words and punctuation, each CJK character by itself."""

import re

_CJK = (
    "\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3040-\u30ff\u3100-\u312f\u31a0-\u31bf\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
)
# Combining marks and joiners stay with what they follow, so no token border falls inside a grapheme.
_EXTEND = (
    "\u0300-\u036f\u0483-\u0489\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed\u0900-\u0903"
    "\u093a-\u094f\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u1ab0-\u1aff\u1dc0-\u1dff\u200c\u200d\u20d0-\u20ff"
    "\u3099\u309a\ufe00-\ufe0f\ufe20-\ufe2f\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f\U000e0100-\U000e01ef"
)
_WORD = rf"(?:(?![{_CJK}])\w)"
_TOKEN = re.compile(
    rf"[{_CJK}][{_EXTEND}]*"
    rf"|{_WORD}(?:{_WORD}|[{_EXTEND}]|(?<=\d)[.,](?=\d)|['’](?={_WORD}))*"
    rf"|[\U0001f1e6-\U0001f1ff]{{2}}"  # a flag is a pair of regional indicators
    rf"|\S[{_EXTEND}]*(?:(?<=\u200d)\S[{_EXTEND}]*)*",
)


def tokenize(text: str) -> list[tuple[int, int]]:
    """Tokens of a text as (start, end) code-point offsets, in order, never overlapping.

    A token is a run of letters and digits (with an inner apostrophe, or a decimal point between digits),
    one CJK character, or one other visible character; combining marks, variation selectors and emoji
    joined by U+200D stay together. White space belongs to no token.
    """
    return [match.span() for match in _TOKEN.finditer(text)]
