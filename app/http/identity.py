"""Who is asking: a session cookie (with a CSRF token for anything that changes) or a bearer token."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated

import structlog
from anyio import to_thread
from fastapi import BackgroundTasks, Depends, Request, Response
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from app.db import session_scope
from app.errors import Forbidden, Unauthenticated, Unavailable
from app.http.routing import SAFE_METHODS, run_writer
from app.i18n import gettext as _
from app.i18n import negotiate, set_locale
from app.models import User
from app.security.secrets import csrf_token, same
from app.services import accounts
from app.services.access import Actor
from app.settings import get_settings

COOKIE = "annotune_session"
LOCALE_COOKIE = "annotune_locale"

log = structlog.get_logger()


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
        with session_scope(read_only=True) as session:
            by_token = accounts.by_token(session, secret)
        visit = partial(accounts.note_token_use, secret=secret) if by_token.stale else None
        return Identity(by_token.user, by_token.actor, None), visit
    secret = request.cookies.get(COOKIE, "")
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
    if _bearer_secret(request) or request.cookies.get(COOKIE):
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


MaybeIdentity = Annotated[Identity | None, Depends(identify)]


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
