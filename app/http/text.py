"""JSON that no database can store is refused at the door, whichever database this installation has."""

import re

import orjson
from fastapi import Request

from app.errors import InvalidInput
from app.i18n import gettext as _
from app.services.examples import holds_nul

_SUSPECT = re.compile(rb"NaN|Infinity|[eE]\+?\d{3}")
"""What Python's parser may read as a number that JSON does not have."""


async def require_storable_text(request: Request) -> None:
    """Raises InvalidInput for a JSON body with a NUL character or half a surrogate pair in a string, with a
    number that is none or has over 64 bits, or nested too deep.
    """
    if "json" not in request.headers.get("content-type", ""):
        return
    try:
        value = await request.json()  # parsed already, for the handler
    except (ValueError, RecursionError):
        return  # not JSON at all: the handler's parser says so
    try:
        storable = not holds_nul(value)
        if _SUSPECT.search(body := await request.body()):
            orjson.loads(body)
    except (TypeError, ValueError):  # of orjson, which writes what is stored
        storable = False
    if not storable:
        raise InvalidInput.at(
            "body",
            _(
                "The request holds what cannot be stored: a NUL character or half a surrogate pair, a number "
                "of more than 64 bits or that is none, or more than 250 levels."
            ),
        )
