"""Who is asking: a session cookie (with a CSRF token for anything that changes) or a bearer token."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, TypeVar

import structlog
from anyio import to_thread
from fastapi import BackgroundTasks, Depends, Request, Response
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from app.db import session_scope
from app.errors import Forbidden, Unauthenticated, Unavailable
from app.http.proxies import client_address, is_https, require_own_page
from app.http.routing import SAFE_METHODS, run_writer
from app.i18n import gettext as _
from app.i18n import negotiate, set_locale
from app.models import User
from app.security.secrets import csrf_token, same
from app.services import accounts, api_tokens
from app.services.access import Actor
from app.services.log_in import Client, LoggedIn
from app.settings import get_settings

COOKIE = "annotune_session"
BROWSERS_COOKIE = "annotune_browser"
"""Survives logging out: that somebody has logged in here before."""
LOCALE_COOKIE = "annotune_locale"

log = structlog.get_logger()

Handler = TypeVar("Handler", bound=Callable[..., object])


@dataclass(frozen=True, slots=True)
class Identity:
    """The person behind a request. `secret` is the cookie's, None for a bearer token."""

    user: User
    actor: Actor
    secret: str | None


Visit = Callable[[Session], object]
"""Writes down that a cookie or token was used."""


def _find(request: Request) -> tuple[Identity | None, Visit | None]:
    """Whoever the request comes from, and what is to be noted of the visit. Raises Unauthenticated for a bad token.

    Uses short sessions of its own: a handler that takes long (an upload, a prediction) must not hold one.
    """
    secret = _bearer_secret(request)
    if secret:
        address = client_address(request)
        with session_scope(read_only=True) as session:
            by_token = api_tokens.by_token(session, secret, address=address)
        use = partial(api_tokens.note_use, secret=secret, address=address)
        visit = use if by_token.stale else None
        return Identity(by_token.user, by_token.actor, None), visit
    secret = _session_secret(request)
    with session_scope(read_only=True) as session:
        by_cookie = accounts.by_cookie(session, secret)
    if by_cookie is None:
        return None, None
    visit = partial(accounts.touch, secret=secret) if by_cookie.stale else None
    return Identity(by_cookie.user, by_cookie.actor, secret), visit


def identify_again(request: Request) -> Identity:
    """Who the request comes from, asked anew: for answers that go on for long. Raises Unauthenticated."""
    return require_identity(_find(request)[0])


async def identify(request: Request, background: BackgroundTasks) -> Identity | None:
    """Whoever the request comes from, or None; the rest of the request speaks their language.

    Not a plain function: those run in a thread, and a context variable that is set there stays there.
    Whoever brings no secret needs no thread either, and a visit is noted once the answer is out: log-in
    pages and readers wait for no writer.
    """
    identity = None
    if _bearer_secret(request) or _session_secret(request):
        identity, visit = await to_thread.run_sync(_find, request)
        if visit is not None:
            background.add_task(_note, visit)
    chosen = identity.user.locale if identity else None
    set_locale(
        chosen
        or request.cookies.get(LOCALE_COOKIE)
        or negotiate(request.headers.get("accept-language"))
    )
    request.state.identity = identity
    return identity


async def _note(visit: Visit) -> None:
    """Note a visit; when the database has other worries, the next visit will be noted."""

    def write() -> None:
        with session_scope() as session:
            visit(session)

    try:
        await run_writer(write)
    except (Unavailable, DBAPIError) as error:
        log.warning("visit_not_noted", error=str(error))


def _bearer_secret(request: Request) -> str:
    scheme, _space, secret = request.headers.get("authorization", "").partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else ""


def _session_secret(request: Request) -> str:
    return request.cookies.get(_cookie_name(request, COOKIE), "")


MaybeIdentity = Annotated[Identity | None, Depends(identify)]


def changes_nothing(handler: Handler) -> Handler:
    """Marks a handler that only reads, though its method (as it takes a body) could change something."""
    handler.__dict__["changes_nothing"] = True
    return handler


async def authorize_change(request: Request, identity: MaybeIdentity) -> None:
    """The one gate for whatever changes something, pages and API alike. Raises Forbidden for a token that only
    reads, for another site's page, and for a cookie without our own page's token.
    """
    if request.method in SAFE_METHODS:
        return
    if identity is not None and identity.secret is None:
        reads = getattr(request.scope.get("endpoint"), "changes_nothing", False)
        if not identity.actor.may_write and not reads:
            raise Forbidden(_("This token may only read. Make one with the scope “write”."))
        return
    require_own_page(request)
    if identity is None or identity.secret is None:
        return  # there is no page's token before the log-in
    given = request.headers.get("x-csrf-token")
    if given is None and "form" in request.headers.get("content-type", ""):
        value = (await request.form()).get("csrf_token")
        given = value if isinstance(value, str) else None
    if given is None or not same(given, csrf_token(identity.secret)):
        raise Forbidden(
            _("The page is too old, or the request comes from another site. Reload the page.")
        )


def require_identity(identity: MaybeIdentity) -> Identity:
    """The person, or Unauthenticated."""
    if identity is None:
        raise Unauthenticated(_("Log in first, or send an API token."))
    return identity


Person = Annotated[Identity, Depends(require_identity)]


def client_of(request: Request, identity: Identity | None) -> Client:
    """Where a password is typed."""
    carried = request.cookies.get(_cookie_name(request, BROWSERS_COOKIE), "")
    return Client(
        client_address(request),
        [secret for secret in carried.split(".") if secret][:10],
        identity.secret if identity else None,
    )


def keep_logged_in(request: Request, response: Response, login: LoggedIn) -> None:
    """Log the browser in, and have it remember that it was."""
    _set_cookie(request, response, COOKIE, login.secret, days=get_settings().session_days)
    _set_cookie(request, response, BROWSERS_COOKIE, ".".join(login.browser_secrets), days=365)


def forget_login(request: Request, response: Response) -> None:
    """Log the browser out."""
    _set_cookie(request, response, COOKIE, "", days=0)


def _set_cookie(request: Request, response: Response, name: str, value: str, *, days: int) -> None:
    response.set_cookie(
        _cookie_name(request, name),
        value,
        max_age=days * 86_400,
        httponly=True,
        samesite="lax",
        secure=is_https(request),
        path="/",
    )


def _cookie_name(request: Request, name: str) -> str:
    """With HTTPS in the form that no other host of the same domain can set (RFC 6265bis, 4.1.3.2)."""
    return f"__Host-{name}" if is_https(request) else name
