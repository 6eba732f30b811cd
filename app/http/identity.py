"""Who is asking: a session cookie (with a CSRF token for anything that changes) or a bearer token."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import structlog
from fastapi import Depends, Request, Response
from sqlalchemy.orm import Session

from app.db import session_scope
from app.errors import Forbidden, Unauthenticated
from app.i18n import gettext as _
from app.i18n import negotiate, set_locale
from app.models import User
from app.security.secrets import csrf_token, same
from app.services import accounts
from app.services.access import Actor
from app.settings import get_settings

COOKIE = "annotune_session"
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
    if identity is not None:
        structlog.contextvars.bind_contextvars(person=identity.user.id)
    return identity


MaybeIdentity = Annotated[Identity | None, Depends(identify)]


def _bearer(request: Request) -> Identity | None:
    scheme, _space, secret = request.headers.get("authorization", "").partition(" ")
    secret = secret.strip()
    if scheme.lower() != "bearer" or not secret:
        return None
    with session_scope(read_only=True) as session:
        found = accounts.by_token(session, secret)
    if found.stale:
        with session_scope() as session:
            accounts.note_token_use(session, secret)
    return Identity(found.user, found.actor, None)


def _cookie(request: Request) -> Identity | None:
    secret = request.cookies.get(COOKIE)
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


async def require_csrf(request: Request, identity: MaybeIdentity) -> None:
    """Raises Forbidden for a changing request that carries a cookie but not our own page's token.

    Without a session (log-in, set-up) there is no token yet: then the browser's word on where the
    request comes from decides.
    """
    if request.method in SAFE_METHODS:
        return
    if identity is None:
        origin = request.headers.get("origin")
        if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none") or (
            origin is not None and origin.partition("://")[2] != request.headers.get("host")
        ):
            raise Forbidden(_("This request comes from another site."))
        return
    if identity.secret is None:
        return
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


def give_cookie(response: Response, secret: str) -> None:
    """Log the browser in."""
    response.set_cookie(
        COOKIE,
        secret,
        max_age=get_settings().session_days * 86_400,
        httponly=True,
        samesite="lax",
        secure=get_settings().secure_cookies,
        path="/",
    )
