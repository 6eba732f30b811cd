"""Text and numbers that no store can hold are refused at the door, whichever database this installation has."""

import re
from typing import Any

from fastapi import Request
from starlette.datastructures import UploadFile

from app.errors import InvalidInput
from app.storable import MAX_DEPTH, unstorable

_SUSPECT = re.compile(
    rb"\\u(?:0000|[dD][89a-fA-F])"  # NUL, half a surrogate pair
    rb"|\d{19}|[eE]\+?\d{3}|NaN|Infinity"  # numbers of more than 64 bits, or none at all
)


async def require_storable_input(request: Request) -> None:
    """Raises InvalidInput for an address, a form or a JSON body that holds something no store can hold."""
    _require("path", dict(request.path_params))
    _require("query", request.query_params.multi_items())
    media = request.headers.get("content-type", "")
    if "json" in media:
        _require("body", await _suspect_json(request))
    elif "form" in media and request.method != "GET":
        for name, value in (await request.form()).multi_items():
            said = value.filename if isinstance(value, UploadFile) else value
            _require("body", (name, said))


async def _suspect_json(request: Request) -> Any:
    """The JSON body if it might hold such a thing: most bodies need not be looked through."""
    body = await request.body()
    if _SUSPECT.search(body) is None and body.count(b"[") + body.count(b"{") <= MAX_DEPTH:
        return None
    try:
        return await request.json()
    except (ValueError, RecursionError):
        return None  # not JSON at all: the parser says so


def _require(where: str, value: Any) -> None:
    if reason := unstorable(value):
        raise InvalidInput.at(where, reason)
