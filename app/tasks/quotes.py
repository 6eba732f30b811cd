"""Spans in SFT answers: quoted text instead of offsets, since language models cannot count characters.

A quote is `{"text": "…"}`; where the same words stand earlier in the text too, `"occurrence": n`
(1-based, overlapping matches counted) says which one is meant. So an answer reads back exactly.
"""

import json
from typing import Any

from app.errors import InvalidInput
from app.i18n import gettext as _


def quote(text: str, start: int, end: int) -> dict[str, Any]:
    """The span as a quote."""
    words = text[start:end]
    occurrence, at = 1, text.find(words)
    while at < start:
        occurrence, at = occurrence + 1, text.find(words, at + 1)
    return {"text": words} if occurrence == 1 else {"text": words, "occurrence": occurrence}


def locate(text: str, quoted: object) -> tuple[int, int]:
    """The (start, end) of a quote. Raises InvalidInput when the text does not hold it."""
    if (
        not isinstance(quoted, dict)
        or not isinstance(quoted.get("text"), str)
        or not quoted["text"]
    ):
        raise InvalidInput.at("answer", _('Each span of the answer needs its words as "text".'))
    words, at = quoted["text"], -1
    occurrence = quoted.get("occurrence") or 1
    if type(occurrence) is not int or occurrence < 1:
        raise InvalidInput.at("answer", _("“occurrence” must be 1, 2, 3, …"))
    for _n in range(min(occurrence, len(text) + 1)):
        at = text.find(words, at + 1)
        if at < 0:
            raise InvalidInput.at(
                "answer",
                _("The answer quotes “%(words)s”, which the text does not hold.", words=words),
            )
    return at, at + len(words)


def read_json_object(answer: str, key: str) -> list[Any]:
    """The list under `key` of an answer that is one JSON object. Raises InvalidInput."""
    try:
        value = json.loads(answer)
    except (ValueError, RecursionError) as error:
        raise InvalidInput.at(
            "answer", _("The answer is not JSON: %(error)s", error=error)
        ) from error
    if not isinstance(value, dict) or not isinstance(value.get(key), list):
        raise InvalidInput.at(
            "answer", _("The answer must be a JSON object with a list “%(key)s”.", key=key)
        )
    items: list[Any] = value[key]
    return items


_encode = json.JSONEncoder(ensure_ascii=False, separators=(", ", ": ")).encode


def write_json(value: object) -> str:
    """Compact JSON with characters as they are."""
    return _encode(value)
