"""One place that turns what went wrong into an answer: a problem document for the API, a page for people."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import orjson
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DataError
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from app.errors import AnnotuneError, Busy, Conflict, InvalidInput, StorageFull, Unauthenticated
from app.http.bodies import Refused
from app.i18n import gettext as _
from app.storable import too_deep
from app.storage import is_full

log = structlog.get_logger()


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
    app.add_exception_handler(Exception, _unknown)


async def _known(request: Request, error: Exception) -> Response:
    assert isinstance(error, AnnotuneError)  # noqa: S101
    if isinstance(error, Unauthenticated) and not _is_api(request):
        return _to_login(request)
    problems = (
        [{"where": p.where, "message": p.message} for p in error.problems]
        if isinstance(error, InvalidInput)
        else []
    )
    extra = {"current": error.current} if isinstance(error, Conflict) and error.current else {}
    answer = _answer(request, error.status, error.message, problems, extra)
    if isinstance(error, Busy):
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
        {"where": ".".join(str(part) for part in item["loc"]), "message": item["msg"]}
        for item in error.errors()
    ]
    return _answer(request, 422, _("The request is not in the form this address takes."), problems)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    if is_full(error.__cause__):
        return _full(request, error)  # met while the body was read
    if isinstance(error.__cause__, RecursionError):
        return _answer(request, 422, too_deep())
    if isinstance(error.__cause__, UnicodeDecodeError):
        return _answer(request, 422, _("The body is not text in UTF-8."))
    text = _("There is nothing at this address.") if error.status_code == 404 else str(error.detail)
    return _answer(request, error.status_code, text)


async def _unstorable(request: Request, error: Exception) -> Response:
    log.warning("unstorable_input", path=request.url.path, error=str(getattr(error, "orig", error)))
    return _answer(request, 422, _("The input holds something that cannot be stored."))


async def _unknown(request: Request, error: Exception) -> Response:
    log.error("unexpected_error", path=request.url.path, exc_info=error)
    return _answer(
        request,
        500,
        _(
            "Something went wrong on our side. What you had saved is safe; the log of the server says more."
        ),
    )


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
