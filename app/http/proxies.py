"""Who is really asking, and at which address, when reverse proxies stand in between."""

from urllib.parse import urlsplit

import structlog
from fastapi import Request
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from app.errors import Forbidden
from app.i18n import gettext as _
from app.settings import get_settings

log = structlog.get_logger()


class TrustedProxies:
    """Takes the caller's address and scheme from what trusted proxies say, and from nobody else.

    In a chain the nearest address that is no trusted proxy's is the caller: whatever stands before it, the
    caller may have made up.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._trusted: list[str] = []
        self._behind = app
        self._warned = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        trusted = get_settings().trusted_proxies
        if trusted != self._trusted:
            self._trusted = trusted
            self._behind = ProxyHeadersMiddleware(self._app, trusted)  # type: ignore[assignment,arg-type]
        if not trusted and scope["type"] == "http":
            self._warn(scope)
        await (self._behind if trusted else self._app)(scope, receive, send)

    def _warn(self, scope: Scope) -> None:
        if not self._warned and any(
            name == b"x-forwarded-for" for name, _value in scope["headers"]
        ):
            self._warned = True
            log.warning(
                "proxy_not_trusted",
                address=scope["client"][0] if scope.get("client") else None,
                mend="If this is your reverse proxy, name it in ANNOTUNE_TRUSTED_PROXIES.",
            )


def client_address(request: Request) -> str:
    """The caller's network address."""
    return request.client.host if request.client else "unknown"


def is_https(request: Request) -> bool:
    """Whether the person's browser speaks HTTPS."""
    return get_settings().https or request.url.scheme == "https"


def public_url(request: Request) -> str:
    """The address that people open, without a slash at its end."""
    return get_settings().public_url or str(request.base_url).rstrip("/")


def require_own_page(request: Request) -> None:
    """Raises Forbidden for a request that a browser sends from another site's page.

    Browsers say so themselves in Sec-Fetch-Site, by HTTPS and on localhost; else by Origin, which must be
    the address that people open, or the one that this request was sent to. Programs say neither.
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None:
        own = site in ("same-origin", "none")
    else:
        own = (
            origin is None
            or origin == get_settings().public_url
            or urlsplit(origin).netloc == request.headers.get("host")
        )
    if not own:
        raise Forbidden(_("This request comes from another site."))
