"""Who is asking: a session cookie (with a CSRF token for anything that changes) or a bearer token."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request, Response
from sqlalchemy.orm import Session

from app.db import session_scope
from app.errors import Forbidden, Unauthenticated
from app.http.proxies import client_address, is_https, require_own_page
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
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Identity:
    """The person behind a request. `secret` is the cookie's, None for a bearer token."""

    user: User
    actor: Actor
    secret: str | None


def open_session(request: Request) -> Iterator[Session]:
    """One database session for a request: committed when its handler returns, before the answer goes out."""
    with session_scope(read_only=request.method in SAFE_METHODS) as session:
        yield session


# scope="function": what an answer acknowledges must be committed before the answer is sent.
Db = Annotated[Session, Depends(open_session, scope="function")]


def _find(request: Request) -> Identity | None:
    """Whoever the request comes from, or None. Raises Unauthenticated for a bad token.

    Uses short sessions of its own: a handler that takes long (an upload, a prediction) must not hold one.
    """
    return _bearer(request) or _cookie(request)


def identify_again(request: Request) -> Identity:
    """Who the request comes from, asked anew: for answers that go on for long. Raises Unauthenticated."""
    return require_identity(_find(request))


async def identify(
    request: Request, identity: Annotated[Identity | None, Depends(_find)]
) -> Identity | None:
    """Whoever the request comes from, or None; the rest of the request speaks their language.

    Not a plain function: those run in a thread, and a context variable that is set there stays there.
    """
    chosen = identity.user.locale if identity else None
    set_locale(
        chosen
        or request.cookies.get(LOCALE_COOKIE)
        or negotiate(request.headers.get("accept-language"))
    )
    request.state.identity = identity
    return identity


MaybeIdentity = Annotated[Identity | None, Depends(identify)]


def _bearer(request: Request) -> Identity | None:
    scheme, _space, secret = request.headers.get("authorization", "").partition(" ")
    secret = secret.strip()
    if scheme.lower() != "bearer" or not secret:
        return None
    address = client_address(request)
    with session_scope(read_only=True) as session:
        found = api_tokens.by_token(session, secret, address=address)
    if found.stale:
        with session_scope() as session:
            api_tokens.note_use(session, secret, address=address)
    return Identity(found.user, found.actor, None)


def _cookie(request: Request) -> Identity | None:
    secret = request.cookies.get(_cookie_name(request, COOKIE))
    if not secret:
        return None
    with session_scope(read_only=True) as session:
        found = accounts.by_cookie(session, secret)
    if found is None:
        return None
    if found.stale:
        with session_scope() as session:
            accounts.touch(session, secret)
    return Identity(found.user, found.actor, secret)


async def authorize_change(request: Request, identity: MaybeIdentity) -> None:
    """The one gate for whatever changes something, pages and API alike. Raises Forbidden for a token that only
    reads, for another site's page, and for a cookie without our own page's token.
    """
    if request.method in SAFE_METHODS:
        return
    if identity is not None and identity.secret is None:
        if not identity.actor.may_write:
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
