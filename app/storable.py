"""Values that every store and every answer can hold, whichever database this installation has.

JSON allows more than that: half a surrogate pair, NUL, numbers of any length, any depth.
"""

import math
from typing import Any

from app.i18n import gettext as _

MAX_DEPTH = 64
"""Lists and objects inside one another."""
_MIN_INT, _MAX_INT = -(1 << 63), (1 << 63) - 1


def unstorable(value: Any) -> str | None:
    """Why a value out of JSON or a form cannot be stored, as a sentence; None if it can."""
    level = [value]
    for _depth in range(MAX_DEPTH + 1):
        inner: list[Any] = []
        for item in level:
            if isinstance(item, str):
                if ("\x00" in item or not item.isascii()) and (reason := _text(item)):
                    return reason
            elif isinstance(item, dict):
                inner.extend(item)
                inner.extend(item.values())
            elif isinstance(item, list | tuple):
                inner.extend(item)
            elif isinstance(item, int):
                if not _MIN_INT <= item <= _MAX_INT:
                    return _("A number is too large: at most 64 bits can be stored.")
            elif isinstance(item, float) and not math.isfinite(item):
                return _("A number is not finite, and cannot be stored.")
        if not inner:
            return None
        level = inner
    return too_deep()


def too_deep() -> str:
    """What to say of a value that is nested too deeply."""
    return _("It is nested more than %(n)s levels deep.", n=MAX_DEPTH)


def _text(text: str) -> str | None:
    if "\x00" in text:
        return _("A text holds a NUL character, which cannot be stored.")
    if has_surrogate(text):
        return _("A text holds half a surrogate pair, which cannot be stored.")
    return None


def has_surrogate(text: str) -> bool:
    """Whether a text holds half a surrogate pair, which no encoding has."""
    if text.isascii():
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False
