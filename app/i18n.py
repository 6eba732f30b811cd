"""Languages of the pages: English in the source, Chinese from `app/locale/`.

The current locale lives in a context variable that the web layer sets once per request, so a service
can say `_("…")` and the person reads it in their own language.
"""

from contextvars import ContextVar
from functools import cache
from pathlib import Path

LOCALES = {"en": "English", "zh": "中文"}
"""Locale codes and their own names, in the order of the language switch."""

_locale: ContextVar[str] = ContextVar("locale", default="en")
_FOLDER = Path(__file__).parent / "locale"


def set_locale(code: str | None) -> None:
    """Use this locale for the rest of the request; an unknown one means English."""
    _locale.set(code if code in LOCALES else "en")


def get_locale() -> str:
    """The locale of the current request."""
    return _locale.get()


def negotiate(accept_language: str | None) -> str:
    """The best of our locales for an Accept-Language header."""
    ranked: list[tuple[float, str]] = []
    for part in (accept_language or "").split(","):
        code, _sep, quality = part.strip().partition(";q=")
        try:
            ranked.append((float(quality or 1), code.split("-")[0].lower()))
        except ValueError:
            continue
    for _quality, code in sorted(ranked, key=lambda item: -item[0]):
        if code in LOCALES:
            return code
    return "en"


@cache
def _catalog(code: str) -> dict[str, str | tuple[str, ...]]:
    path = _FOLDER / code / "messages.po"
    if not path.exists():
        return {}
    from babel.messages.pofile import read_po

    with path.open("rb") as stream:
        catalog = read_po(stream, locale=code)
    entries: dict[str, str | tuple[str, ...]] = {}
    for message in catalog:
        if message.id and message.string and not message.fuzzy:
            key = message.id if isinstance(message.id, str) else message.id[0]
            entries[key] = (
                message.string if isinstance(message.string, str) else tuple(message.string)
            )
    return entries


def gettext(message: str, /, **values: object) -> str:
    """The message in the current locale, with `%(name)s` places filled."""
    translated = _catalog(get_locale()).get(message, message)
    text = translated if isinstance(translated, str) else translated[0]
    return text % values if values else text


def ngettext(singular: str, plural: str, n: int, /, **values: object) -> str:
    """Like gettext for a count; `%(n)s` is filled with n."""
    translated = _catalog(get_locale()).get(singular)
    if translated is None:
        text = singular if n == 1 else plural
    elif isinstance(translated, str):
        text = translated
    else:
        text = translated[min(len(translated) - 1, 0 if n == 1 else 1)]
    return text % {"n": n, **values}


def mark(message: str) -> str:
    """Marks a constant for the translators; it is translated where it is shown."""
    return message


_ = gettext
