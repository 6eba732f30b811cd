"""Spans of a text, by code points [start, end)."""

from app.i18n import gettext as _


def trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """The span without white space at its edges; as it is, if it holds nothing else or leaves the text."""
    if not 0 <= start < end <= len(text):
        return start, end
    words = text[start:end]
    if not (words[0].isspace() or words[-1].isspace()):
        return start, end
    inner = words.lstrip()
    if not inner:
        return start, end
    return end - len(inner), end - (len(words) - len(words.rstrip()))


def is_blank(text: str, start: int, end: int) -> bool:
    """Whether a span inside the text holds nothing but white space."""
    return not text[start:end].strip()


def blank(start: int, end: int) -> str:
    """What is wrong with a blank span."""
    return _("Span %(start)s to %(end)s holds nothing but white space.", start=start, end=end)
