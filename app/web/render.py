"""Templates: one environment, the context every page has, flash messages, static addresses."""

import hashlib
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import orjson
from fastapi import Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from starlette.responses import HTMLResponse, RedirectResponse, Response

from app.http.identity import Identity
from app.http.proxies import public_url
from app.i18n import LOCALES, get_locale, gettext, ngettext
from app.security.secrets import csrf_token
from app.tasks import TASKS
from app.web.filters import FILTERS

_ROOT = Path(__file__).parents[2]
TEMPLATES, STATIC = _ROOT / "templates", _ROOT / "static"
FLASH_COOKIE = "annotune_flash"
THEME_COOKIE = "annotune_theme"
THEMES = ("system", "light", "dark")


@cache
def _static_url(path: str) -> str:
    digest = hashlib.sha256((STATIC / path).read_bytes()).hexdigest()[:10]
    return f"/static/{path}?v={digest}"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=select_autoescape(),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        _=gettext,
        gettext=gettext,
        ngettext=ngettext,
        static=_static_url,
        locales=LOCALES,
        tasks=TASKS,
    )
    environment.filters.update(FILTERS)
    return environment


def render(request: Request, template: str, *, status: int = 200, **context: Any) -> HTMLResponse:
    """A template as an answer, with what every page needs."""
    identity: Identity | None = getattr(request.state, "identity", None)
    theme = request.cookies.get(THEME_COOKIE, "system")
    flashes = _read_flash(request)
    html = (
        _environment()
        .get_template(template)
        .render(
            request=request,
            user=identity.user if identity else None,
            csrf_token=csrf_token(identity.secret) if identity and identity.secret else "",
            locale=get_locale(),
            theme=theme if theme in THEMES else "system",
            public_url=public_url(request),
            flashes=flashes,
            **{"active": "", "project": None, "role": None, "tab": "", **context},
        )
    )
    response = HTMLResponse(html, status_code=status)
    if flashes:
        response.delete_cookie(FLASH_COOKIE)
    return response


def error_page(
    request: Request, status: int, message: str, problems: list[dict[str, str]]
) -> Response:
    """An error as a page; as a fragment where htmx asked."""
    template = "partials/error.html" if is_htmx(request) else "pages/error.html"
    return render(request, template, status=status, code=status, message=message, problems=problems)


def is_htmx(request: Request) -> bool:
    """Whether htmx asked, and so wants a fragment."""
    return request.headers.get("hx-request") == "true"


def redirect(
    request: Request, url: str, *, flash: str | None = None, level: str = "success"
) -> Response:
    """Go to another page, with a message to show there."""
    response: Response
    if is_htmx(request):
        response = Response(status_code=204, headers={"HX-Redirect": url})
    else:
        response = RedirectResponse(url, status_code=303)
    if flash:
        value = quote(orjson.dumps([{"level": level, "text": flash[:500]}]).decode())
        response.set_cookie(FLASH_COOKIE, value, max_age=60, httponly=True, samesite="lax")
    return response


def local_path(url: str | None, default: str = "/") -> str:
    """The address if it is a path of this site, else the default: no open redirects."""
    if not url or not url.startswith("/") or url.startswith(("//", "/\\")) or "\n" in url:
        return default
    return url


def _read_flash(request: Request) -> list[dict[str, str]]:
    try:
        items = orjson.loads(unquote(request.cookies.get(FLASH_COOKIE, "") or "[]"))
        return [{"level": str(i["level"]), "text": str(i["text"])} for i in items]
    except (ValueError, TypeError, KeyError):
        return []
