"""Logging in, and confirming one's password: the only places where a password is tried."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app.db import session_scope
from app.errors import InvalidInput
from app.i18n import gettext as _
from app.models import KnownBrowser, User, now
from app.security.emails import login_names
from app.security.passwords import verify_password
from app.security.secrets import hash_secret, new_secret
from app.services import accounts, throttle
from app.services.access import Actor

_KNOWN = timedelta(days=365)
_MAX_BROWSER_SECRETS = 5
"""So many people may share a browser and all be known in it."""


@dataclass(frozen=True, slots=True)
class Client:
    """Where a password is typed."""

    address: str
    browser_secrets: Sequence[str] = ()
    """What the browser was given when people logged in before."""
    session_secret: str | None = None
    """Of the session it is logged in with."""


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """A new session."""

    user: User
    secret: str
    browser_secrets: Sequence[str]
    """What the browser is to keep, even after logging out."""


def log_in(*, email: str, password: str, client: Client) -> LoggedIn | None:
    """A new session for the right password; None for a wrong one, or where there is no such account.

    Raises TooManyAttempts. Takes equally long with and without an account.
    """
    with session_scope(read_only=True) as session:
        user = accounts.find_by_email(session, email)
        known = _known_browser(session, user, client.browser_secrets)
    subjects = throttle.counted(
        user.email if user else login_names(email)[-1], client.address, known_browser=known
    )
    throttle.reserve(subjects)
    hashed = user.password_hash if user else None
    if not verify_password(password, hashed) or user is None:
        return None
    with session_scope() as session:
        # Locked and compared: a password that was replaced meanwhile opens nothing.
        user = session.get(User, user.id, with_for_update=True)
        if user is None or not user.is_active or user.password_hash != hashed:
            return None
        throttle.release(session, subjects)
        return begin(session, user, client)


def begin(session: Session, user: User, client: Client) -> LoggedIn:
    """A session for somebody who has proved who they are; the one that the browser had before ends."""
    if client.session_secret:
        accounts.end_session(session, client.session_secret)
    secret = accounts.start_session(session, user)
    return LoggedIn(user, secret, _remember_browser(session, user, client.browser_secrets))


def confirm_password(actor: Actor, password: str, client: Client, *, field: str) -> None:
    """Raises InvalidInput at `field` unless this is the actor's password, or TooManyAttempts."""
    with session_scope(read_only=True) as session:
        user = session.get_one(User, actor.user_id)
    known = hash_secret(client.session_secret) if client.session_secret else None
    subjects = throttle.counted(user.email, client.address, known_browser=known)
    throttle.reserve(subjects)
    if not verify_password(password, user.password_hash):
        raise InvalidInput.at(field, _("The current password is not right."))
    with session_scope() as session:
        throttle.release(session, subjects)


def _known_browser(session: Session, user: User | None, secrets: Sequence[str]) -> str | None:
    if user is None or not secrets:
        return None
    return session.scalar(
        select(KnownBrowser.token_hash).where(
            KnownBrowser.user_id == user.id,
            KnownBrowser.token_hash.in_([hash_secret(secret) for secret in secrets]),
            KnownBrowser.created_at > now() - _KNOWN,
        )
    )


def _remember_browser(session: Session, user: User, secrets: Sequence[str]) -> list[str]:
    """A new secret for this person in place of the one they had here; those of others stay."""
    mine = {
        secret
        for secret in secrets
        if _known_browser(session, user, [secret]) == hash_secret(secret)
    }
    session.execute(
        delete(KnownBrowser).where(
            KnownBrowser.user_id == user.id,
            KnownBrowser.token_hash.in_([hash_secret(secret) for secret in mine])
            | (KnownBrowser.created_at < now() - _KNOWN),
        )
    )
    secret = new_secret()
    session.add(KnownBrowser(token_hash=hash_secret(secret), user_id=user.id))
    others = [secret for secret in secrets if secret not in mine]
    return [secret, *others][:_MAX_BROWSER_SECRETS]
