"""Accounts and the sessions of logged-in browsers.

What hashes a password takes long on purpose, so it opens short sessions of its own before and after.
"""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, select, text, update
from sqlalchemy.orm import Session

from app.db import session_scope
from app.errors import Conflict, Forbidden, InvalidInput, NotFound
from app.i18n import LOCALES
from app.i18n import gettext as _
from app.models import ApiToken, KnownBrowser, LoginSession, User, now
from app.security.emails import clean_name, login_names, normalize_email
from app.security.passwords import check_strength, hash_password
from app.security.secrets import hash_secret, new_secret, same
from app.services import audit, throttle
from app.services.access import Actor, require_admin
from app.settings import get_settings

_SEEN_STEP = timedelta(hours=1)


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


def set_up(*, token: str, email: str, name: str, password: str) -> User:
    """Create the first account, an administrator's. Raises Forbidden without the right token."""
    with session_scope() as session:
        _require_setup(session, token)
    user = _new_user(email=email, name=name, password=password, is_admin=True)
    with session_scope() as session:
        _be_alone(session)
        _require_setup(session, token)
        _add_user(session, user)
        audit.record(session, user_id=user.id, action="user.setup", subject=user.email)
    return user


def _require_setup(session: Session, token: str) -> None:
    expected = setup_token(session)
    if expected is None:
        raise Conflict(_("There is an administrator already. Log in instead."))
    if not same(token, expected):
        raise Forbidden(_("Open the set-up link that the terminal printed when Annotune started."))


def create_user(
    actor: Actor, *, email: str, name: str, password: str, is_admin: bool = False
) -> User:
    """A new account, made by an administrator."""
    require_admin(actor)
    user = _new_user(email=email, name=name, password=password, is_admin=is_admin)
    with session_scope() as session:
        _be_alone(session)
        _add_user(session, user)
        audit.record(
            session,
            user_id=actor.user_id,
            action="user.create",
            subject=user.email,
            is_admin=is_admin,
        )
    return user


def list_users(session: Session, actor: Actor) -> list[User]:
    """Everybody, for an administrator."""
    require_admin(actor)
    return list(session.scalars(select(User).order_by(User.created_at)))


def set_active(session: Session, actor: Actor, user_id: str, *, active: bool) -> None:
    """Close or reopen an account; closing ends its sessions and tokens at once, and for good."""
    require_admin(actor)
    if user_id == actor.user_id:
        raise InvalidInput.at("user", _("You cannot close your own account."))
    user = session.get(User, user_id)
    if user is None:
        raise NotFound(_("There is no such account."))
    user.is_active = active
    if not active:
        _end_everything(session, user_id)
    audit.record(
        session,
        user_id=actor.user_id,
        action="user.reopen" if active else "user.close",
        subject=user.email,
    )


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


def change_password(actor: Actor, *, new: str, keep: str) -> None:
    """A new password; every session but the one with secret `keep` ends.

    The current one is to be confirmed first (log_in.confirm_password). API tokens stay.
    """
    check_strength(new)
    hashed = hash_password(new)
    with session_scope() as session:
        user = session.get_one(User, actor.user_id, with_for_update=True)
        user.password_hash = hashed
        session.execute(
            delete(LoginSession).where(
                LoginSession.user_id == user.id, LoginSession.token_hash != hash_secret(keep)
            )
        )
        audit.record(session, user_id=user.id, action="user.password", subject=user.email)


def reset_password(actor: Actor, user_id: str, *, password: str) -> None:
    """An administrator gives somebody a new password; all their sessions and tokens end."""
    require_admin(actor)
    check_strength(password)
    hashed = hash_password(password)
    with session_scope() as session:
        user = session.get(User, user_id, with_for_update=True)
        if user is None:
            raise NotFound(_("There is no such account."))
        user.password_hash = hashed
        _end_everything(session, user_id)
        throttle.forget(session, user.email)
        audit.record(
            session, user_id=actor.user_id, action="user.password_reset", subject=user.email
        )


def log_out_everywhere(session: Session, actor: Actor) -> None:
    """End all of one's own sessions, in every browser, and all API tokens."""
    user = session.get_one(User, actor.user_id)
    _end_everything(session, user.id)
    audit.record(session, user_id=user.id, action="user.logout_everywhere", subject=user.email)


def _end_everything(session: Session, user_id: str) -> None:
    """Whoever acts as this person now must log in again, and is a stranger."""
    session.execute(delete(LoginSession).where(LoginSession.user_id == user_id))
    session.execute(delete(KnownBrowser).where(KnownBrowser.user_id == user_id))
    session.execute(
        update(ApiToken)
        .where(ApiToken.user_id == user_id, ApiToken.revoked_at.is_(None))
        .values(revoked_at=now())
    )


def set_locale(session: Session, actor: Actor, locale: str) -> None:
    """The language this person reads."""
    if locale not in LOCALES:
        raise InvalidInput.at("locale", _("There is no such language."))
    session.get_one(User, actor.user_id).locale = locale


def _be_alone(session: Session) -> None:
    """Let nobody else add an account meanwhile: two at once would both find a name free."""
    # On SQLite a writing session is alone anyway.
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("LOCK TABLE users IN SHARE ROW EXCLUSIVE MODE"))


def _new_user(*, email: str, name: str, password: str, is_admin: bool) -> User:
    """An account that is not stored yet. Hashes, which takes long: never inside a transaction."""
    email, name = normalize_email(email), clean_name(name)
    check_strength(password)
    return User(email=email, name=name, password_hash=hash_password(password), is_admin=is_admin)


def _add_user(session: Session, user: User) -> None:
    if session.scalar(select(User.id).where(User.email == user.email)) is not None:
        raise InvalidInput.at("email", _("There is an account with this e-mail address already."))
    session.add(user)
    session.flush()


def find_by_email(session: Session, email: str) -> User | None:
    """The account with this address, however it is written."""
    names = login_names(email)
    found = {
        user.email: user for user in session.scalars(select(User).where(User.email.in_(names)))
    }
    return next((found[name] for name in names if name in found), None)


def _session_life() -> timedelta:
    return timedelta(days=get_settings().session_days)
