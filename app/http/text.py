"""Text that no database can store is refused at the door, whichever database this installation has."""

import json
import re

import orjson
from fastapi import Request

from app.errors import InvalidInput
from app.i18n import gettext as _
from app.services.examples import holds_nul

_SUSPECT = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")


async def require_storable_text(request: Request) -> None:
    """Raises InvalidInput for a JSON body with a NUL character or half a surrogate pair in a string."""
    if "json" not in request.headers.get("content-type", ""):
        return
    body = await request.body()
    if _SUSPECT.search(body) is None:
        return
    try:
        storable = not holds_nul(orjson.loads(body))
    except orjson.JSONDecodeError:
        try:
            json.loads(body)
        except ValueError:
            return  # not JSON at all: the parser says so
        storable = False
    if not storable:
        raise InvalidInput.at(
            "body",
            _("A text holds a NUL character or half a surrogate pair, which cannot be stored."),
        )
