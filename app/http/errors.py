"""One place that turns what went wrong into an answer: a problem document for the API, a page for people."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import orjson
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DataError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response
from starlette.routing import Match

from app.db import Outage, outage
from app.errors import (
    AnnotuneError,
    Conflict,
    InvalidInput,
    StorageFull,
    Unauthenticated,
    Unavailable,
)
from app.http.bodies import Refused
from app.i18n import gettext as _
from app.storable import too_deep
from app.storage import is_full
from app.validation_words import sentence

log = structlog.get_logger()


_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")

ErrorPage = Callable[[Request, int, str, list[dict[str, str]]], Response]


def install(app: FastAPI, *, page: ErrorPage) -> None:
    """Register the handlers; `page` shows an error to a person."""
    app.state.error_page = page
    app.add_exception_handler(AnnotuneError, _known)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(OSError, _system)
    app.add_exception_handler(DataError, _unstorable)
    for kind in (OperationalError, InterfaceError, PoolTimeout):
        app.add_exception_handler(kind, _database)
    app.add_exception_handler(Exception, _unknown)


async def _known(request: Request, error: Exception) -> Response:
    assert isinstance(error, AnnotuneError)  # noqa: S101
    if isinstance(error, Unauthenticated) and not _is_api(request):
        return _to_login(request)
    if error.status in (401, 403):
        log.warning("refused", status=error.status, reason=error.message)
    problems = (
        [{"where": p.where, "message": p.message} for p in error.problems]
        if isinstance(error, InvalidInput)
        else []
    )
    extra = {"current": error.current} if isinstance(error, Conflict) and error.current else {}
    answer = _answer(request, error.status, error.message, problems, extra)
    if error.retry_after is not None:
        answer.headers["Retry-After"] = str(error.retry_after)
    return answer


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)  # noqa: S101
    return await _known(request, error.error)


async def _system(request: Request, error: Exception) -> Response:
    return _full(request, error) if is_full(error) else await _unknown(request, error)


def _full(request: Request, error: Exception) -> Response:
    log.error("disk_full", path=request.url.path, error=str(error))
    full = StorageFull(_("The server's disk is full, so nothing was stored. Tell whoever runs it."))
    return _answer(request, full.status, full.message)


async def _malformed(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    problems = [
        {"where": ".".join(str(part) for part in item["loc"]), "message": _reason(item)}
        for item in error.errors()
    ]
    return _answer(request, 422, _("The request is not in the form this address takes."), problems)


def _reason(item: Any) -> str:
    """What is wrong with a field; a rule of ours that the document does not say keeps pydantic's mark of it."""
    return str(item["msg"]) if item["type"] == "value_error" else sentence(item)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    if is_full(error.__cause__):
        return _full(request, error)  # met while the body was read
    if isinstance(error.__cause__, RecursionError):
        return _answer(request, 422, too_deep())
    if isinstance(error.__cause__, UnicodeDecodeError):
        return _answer(request, 422, _("The body is not text in UTF-8."))
    if error.status_code == 405:
        return _not_allowed(request)
    text = _("There is nothing at this address.") if error.status_code == 404 else str(error.detail)
    answer = _answer(request, error.status_code, text)
    answer.headers.update(error.headers or {})
    return answer


def _not_allowed(request: Request) -> Response:
    """What can be done at this address: the answer to OPTIONS, and to a method that it does not have."""
    methods = [method for method in _METHODS if _routed(request, method)]
    allow = {"Allow": ", ".join(["OPTIONS", *(["HEAD"] if "GET" in methods else []), *methods])}
    if request.method == "OPTIONS":
        return Response(status_code=204, headers=allow)
    answer = _answer(
        request, 405, _("This address does not know the method %(m)s.", m=request.method)
    )
    answer.headers.update(allow)
    return answer


def _routed(request: Request, method: str) -> bool:
    # Each operation is a route of its own: the one that said no knows only its own method.
    scope = {**request.scope, "method": method, "path_params": {}}
    return any(route.matches(scope)[0] is Match.FULL for route in request.app.routes)


async def _unstorable(request: Request, error: Exception) -> Response:
    log.warning("unstorable_input", path=request.url.path, error=str(getattr(error, "orig", error)))
    return _answer(request, 422, _("The input holds something that cannot be stored."))


async def _database(request: Request, error: Exception) -> Response:
    found = outage(error)
    if found is None:
        return await _unknown(request, error)
    log.error("database_unavailable", path=request.url.path, outage=found.name, error=str(error))
    return await _known(request, Unavailable(_OUTAGES[found]()))


async def _unknown(request: Request, error: Exception) -> Response:
    log.error("unexpected_error", path=request.url.path, exc_info=error)
    return _answer(
        request,
        500,
        _(
            "Something went wrong on our side. What you had saved is safe; the log of the server says more."
        ),
    )


_OUTAGES: dict[Outage, Callable[[], str]] = {
    Outage.AWAY: lambda: _("The database does not answer at the moment. Try again shortly."),
    Outage.BUSY: lambda: _(
        "The database is busy at the moment. Nothing was changed. Try again shortly."
    ),
    Outage.FULL: lambda: _(
        "The disk is full: nothing more can be saved until somebody makes room."
    ),
}


def _answer(
    request: Request,
    status: int,
    message: str,
    problems: list[dict[str, str]] | None = None,
    extra: dict[str, Any] | None = None,
) -> Response:
    if not _is_api(request):
        answer: Response = request.app.state.error_page(request, status, message, problems or [])
        return answer
    body = problem(status, message, problems) | (extra or {})
    return Response(
        orjson.dumps(body),
        status_code=status,
        media_type="application/problem+json",
        headers={"WWW-Authenticate": "Bearer"} if status == 401 else None,
    )


def problem(
    status: int, message: str, problems: list[dict[str, str]] | None = None
) -> dict[str, Any]:
    """A problem document (RFC 9457)."""
    return {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": message,
        "problems": problems or [],
    }


def _is_api(request: Request) -> bool:
    return request.url.path.startswith("/api/")


def _to_login(request: Request) -> Response:
    target = "/login"
    if request.method == "GET" and request.url.path != "/":
        target += f"?next={request.url.path}"
    if request.headers.get("hx-request"):
        return Response(status_code=401, headers={"HX-Redirect": target})
    return RedirectResponse(target, status_code=303)
