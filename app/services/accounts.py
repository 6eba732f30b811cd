"""Accounts, log-in sessions and API tokens."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import delete, func, select, text, update
from sqlalchemy.orm import Session

from app.errors import Conflict, Forbidden, InvalidInput, NotFound, Unauthenticated
from app.i18n import LOCALES
from app.i18n import gettext as _
from app.models import ApiToken, LoginFailure, LoginSession, User, now
from app.security.passwords import check_strength, hash_password, verify_password
from app.security.secrets import TOKEN_PREFIX, hash_secret, new_secret, same
from app.services import audit
from app.services.access import Actor, require_admin, require_write
from app.settings import get_settings

_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,180}")
_FAILURES, _WINDOW = 10, timedelta(minutes=15)
_SEEN_STEP = timedelta(hours=1)
SCOPES = ("read", "write")

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Whoever a cookie or token belongs to."""

    user: User
    actor: Actor
    stale: bool
    """The last visit was noted so long ago that this one should be."""


def has_accounts(session: Session) -> bool:
    """Whether anybody has an account yet."""
    return session.scalar(select(User.id).limit(1)) is not None


def setup_token(session: Session) -> str | None:
    """The one-time token that lets its holder create the first account; None once there is one.

    It lives in a file of the data folder that only this system user can read, so that a restart prints
    the same link.
    """
    path = get_settings().data_dir / "setup-token"
    if has_accounts(session):
        path.unlink(missing_ok=True)
        return None
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(new_secret())
    return path.read_text().strip()


def set_up(session: Session, *, token: str, email: str, name: str, password: str) -> User:
    """Create the first account, an administrator's. Raises Forbidden without the right token."""
    _be_alone(session)
    expected = setup_token(session)
    if expected is None:
        raise Conflict(_("There is an administrator already. Log in instead."))
    if not same(token, expected):
        raise Forbidden(_("Open the set-up link that the terminal printed when Annotune started."))
    user = _add_user(session, email=email, name=name, password=password, is_admin=True)
    audit.record(session, user_id=user.id, action="user.setup", subject=user.email)
    return user


def create_user(
    session: Session, actor: Actor, *, email: str, name: str, password: str, is_admin: bool = False
) -> User:
    """A new account, made by an administrator."""
    require_admin(actor)
    _be_alone(session)
    user = _add_user(session, email=email, name=name, password=password, is_admin=is_admin)
    audit.record(
        session, user_id=actor.user_id, action="user.create", subject=user.email, is_admin=is_admin
    )
    return user


def list_users(session: Session, actor: Actor) -> list[User]:
    """Everybody, for an administrator."""
    require_admin(actor)
    return list(session.scalars(select(User).order_by(User.created_at)))


def set_active(session: Session, actor: Actor, user_id: str, *, active: bool) -> None:
    """Close or reopen an account; closing ends its sessions at once."""
    require_admin(actor)
    if user_id == actor.user_id:
        raise InvalidInput.at("user", _("You cannot close your own account."))
    user = session.get(User, user_id)
    if user is None:
        raise NotFound(_("There is no such account."))
    user.is_active = active
    if not active:
        session.execute(delete(LoginSession).where(LoginSession.user_id == user_id))
    audit.record(
        session, user_id=actor.user_id, action="user.active", subject=user.email, active=active
    )


def log_in(session: Session, *, email: str, password: str, address: str) -> tuple[User, str] | None:
    """The person and a new session secret, or None for a wrong address or password.

    Raises Forbidden after too many failures. A failure is recorded, so commit also when this gives None.
    """
    email = email.strip().lower()
    subjects = [f"email:{email[:254]}", f"address:{address}"]
    session.execute(delete(LoginFailure).where(LoginFailure.at < now() - _WINDOW))
    counts = session.execute(
        select(LoginFailure.subject, func.count())
        .where(LoginFailure.subject.in_(subjects))
        .group_by(LoginFailure.subject)
    ).all()
    if any(n >= _FAILURES for _subject, n in counts):
        log.warning("login_refused", reason="too many failures", address=address)
        raise Forbidden(_("Too many failed attempts. Wait a quarter of an hour and try again."))
    user = session.scalar(select(User).where(User.email == email))
    if (
        not verify_password(password, user.password_hash if user else None)
        or not user
        or not user.is_active
    ):
        session.add_all(LoginFailure(subject=subject) for subject in subjects)
        _log_refusal(user, address)
        return None
    session.execute(delete(LoginFailure).where(LoginFailure.subject.in_(subjects)))
    log.info("login", person=user.id, address=address)
    return user, start_session(session, user)


def _log_refusal(user: User | None, address: str) -> None:
    # What was typed as an address is not logged: people type their password there by mistake.
    if user is None:
        log.warning("login_refused", reason="no such account", address=address)
    else:
        reason = "wrong password" if user.is_active else "closed account"
        log.warning("login_refused", reason=reason, person=user.id, address=address)


def start_session(session: Session, user: User) -> str:
    """A new log-in session; the secret for its cookie."""
    secret = new_secret()
    session.add(LoginSession(token_hash=hash_secret(secret), user_id=user.id))
    session.execute(delete(LoginSession).where(LoginSession.seen_at < now() - _session_life()))
    return secret


def end_session(session: Session, secret: str) -> None:
    """Log out."""
    session.execute(delete(LoginSession).where(LoginSession.token_hash == hash_secret(secret)))


def by_cookie(session: Session, secret: str) -> SignedIn | None:
    """Whose session this is."""
    row = session.execute(
        select(User, LoginSession.seen_at)
        .join(LoginSession, LoginSession.user_id == User.id)
        .where(LoginSession.token_hash == hash_secret(secret), User.is_active)
    ).first()
    if row is None or row.seen_at < now() - _session_life():
        return None
    actor = Actor(row.User.id, row.User.is_admin)
    return SignedIn(row.User, actor, stale=row.seen_at < now() - _SEEN_STEP)


def touch(session: Session, secret: str) -> None:
    """Note a visit, which prolongs the session."""
    session.execute(
        update(LoginSession)
        .where(LoginSession.token_hash == hash_secret(secret))
        .values(seen_at=now())
    )


def change_password(session: Session, actor: Actor, *, current: str, new: str, keep: str) -> None:
    """A new password; every session but the one with secret `keep` ends."""
    user = session.get_one(User, actor.user_id)
    if not verify_password(current, user.password_hash):
        raise InvalidInput.at("current", _("The current password is not right."))
    check_strength(new)
    user.password_hash = hash_password(new)
    session.execute(
        delete(LoginSession).where(
            LoginSession.user_id == user.id, LoginSession.token_hash != hash_secret(keep)
        )
    )
    audit.record(session, user_id=user.id, action="user.password", subject=user.email)


def reset_password(session: Session, actor: Actor, user_id: str, *, password: str) -> None:
    """An administrator gives somebody a new password; all their sessions end."""
    require_admin(actor)
    user = session.get(User, user_id)
    if user is None:
        raise NotFound(_("There is no such account."))
    check_strength(password)
    user.password_hash = hash_password(password)
    session.execute(delete(LoginSession).where(LoginSession.user_id == user_id))
    session.execute(delete(LoginFailure).where(LoginFailure.subject == f"email:{user.email}"))
    audit.record(session, user_id=actor.user_id, action="user.password_reset", subject=user.email)


def set_locale(session: Session, actor: Actor, locale: str) -> None:
    """The language this person reads."""
    if locale not in LOCALES:
        raise InvalidInput.at("locale", _("There is no such language."))
    session.get_one(User, actor.user_id).locale = locale


def create_token(
    session: Session, actor: Actor, *, name: str, scopes: list[str]
) -> tuple[ApiToken, str]:
    """A new API token and its secret, which is shown once."""
    require_write(actor)
    name = name.strip()
    if not name or len(name) > 100:
        raise InvalidInput.at("name", _("Give the token a name of at most 100 characters."))
    if not scopes or any(scope not in SCOPES for scope in scopes):
        raise InvalidInput.at("scopes", _("Choose the scopes “read”, or “read” and “write”."))
    secret = new_secret(TOKEN_PREFIX)
    token = ApiToken(
        user_id=actor.user_id, name=name, token_hash=hash_secret(secret), scopes=scopes
    )
    session.add(token)
    session.flush()
    audit.record(session, user_id=actor.user_id, action="token.create", subject=name, scopes=scopes)
    return token, secret


def list_tokens(session: Session, actor: Actor) -> list[ApiToken]:
    """The actor's tokens that still work, newest first."""
    return list(
        session.scalars(
            select(ApiToken)
            .where(ApiToken.user_id == actor.user_id, ApiToken.revoked_at.is_(None))
            .order_by(ApiToken.created_at.desc())
        )
    )


def revoke_token(session: Session, actor: Actor, token_id: str) -> None:
    """The token stops working at once."""
    require_write(actor)
    token = session.get(ApiToken, token_id)
    if token is None or token.user_id != actor.user_id:
        raise NotFound(_("There is no such token."))
    token.revoked_at = token.revoked_at or now()
    audit.record(session, user_id=actor.user_id, action="token.revoke", subject=token.name)


def by_token(session: Session, secret: str) -> SignedIn:
    """Whose token this is. Raises Unauthenticated."""
    row = session.execute(
        select(User, ApiToken)
        .join(ApiToken, ApiToken.user_id == User.id)
        .where(
            ApiToken.token_hash == hash_secret(secret),
            ApiToken.revoked_at.is_(None),
            User.is_active,
        )
    ).first()
    if row is None:
        raise Unauthenticated(_("The API token is unknown or revoked."))
    used = row.ApiToken.used_at
    return SignedIn(
        row.User,
        Actor(row.User.id, row.User.is_admin, "write" in row.ApiToken.scopes),
        stale=used is None or used < now() - _SEEN_STEP,
    )


def note_token_use(session: Session, secret: str) -> None:
    """Remember when a token was last used, to the hour."""
    session.execute(
        update(ApiToken).where(ApiToken.token_hash == hash_secret(secret)).values(used_at=now())
    )


def _be_alone(session: Session) -> None:
    """Let nobody else add an account meanwhile: two at once would both find a name free."""
    # On SQLite a writing session is alone anyway.
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("LOCK TABLE users IN SHARE ROW EXCLUSIVE MODE"))


def _add_user(session: Session, *, email: str, name: str, password: str, is_admin: bool) -> User:
    email, name = email.strip().lower(), name.strip()
    if not _EMAIL.fullmatch(email):
        raise InvalidInput.at("email", _("This is not an e-mail address."))
    if not name or len(name) > 100:
        raise InvalidInput.at("name", _("Give a name of at most 100 characters."))
    check_strength(password)
    if session.scalar(select(User.id).where(User.email == email)) is not None:
        raise InvalidInput.at("email", _("There is an account with this e-mail address already."))
    user = User(email=email, name=name, password_hash=hash_password(password), is_admin=is_admin)
    session.add(user)
    session.flush()
    return user


def _session_life() -> timedelta:
    return timedelta(days=get_settings().session_days)


def session_expiry() -> datetime:
    """When a cookie given now should end."""
    return now() + _session_life()
