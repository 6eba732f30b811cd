"""API tokens: made, listed, revoked, and whose they are."""

from datetime import timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.errors import InvalidInput, NotFound, Unauthenticated
from app.i18n import gettext as _
from app.models import ApiToken, User, now
from app.security.secrets import TOKEN_PREFIX, hash_secret, new_secret
from app.services import audit
from app.services.access import Actor
from app.services.accounts import SignedIn

SCOPES = ("read", "write")
DEFAULT_DAYS, MAX_DAYS = 90, 366
_USED_STEP, _MOVED_STEP = timedelta(hours=1), timedelta(minutes=1)


def create_token(
    session: Session, actor: Actor, *, name: str, scopes: list[str], days: int = DEFAULT_DAYS
) -> tuple[ApiToken, str]:
    """A new API token and its secret, which is shown once. Whoever asks has confirmed their password."""
    name = name.strip()
    if not name or len(name) > 100:
        raise InvalidInput.at("name", _("Give the token a name of at most 100 characters."))
    if "read" not in scopes or any(scope not in SCOPES for scope in scopes):
        raise InvalidInput.at("scopes", _("Choose the scopes “read”, or “read” and “write”."))
    if not 1 <= days <= MAX_DAYS:
        raise InvalidInput.at("days", _("A token works for 1 to %(n)s days.", n=MAX_DAYS))
    secret = new_secret(TOKEN_PREFIX)
    token = ApiToken(
        user_id=actor.user_id,
        name=name,
        token_hash=hash_secret(secret),
        scopes=scopes,
        expires_at=now() + timedelta(days=days),
    )
    session.add(token)
    session.flush()
    audit.record(
        session,
        user_id=actor.user_id,
        action="token.create",
        subject=name,
        scopes=scopes,
        days=days,
    )
    return token, secret


def list_tokens(session: Session, actor: Actor) -> list[ApiToken]:
    """The actor's tokens that still work, newest first."""
    return list(
        session.scalars(
            select(ApiToken)
            .where(
                ApiToken.user_id == actor.user_id,
                ApiToken.revoked_at.is_(None),
                ApiToken.expires_at > now(),
            )
            .order_by(ApiToken.created_at.desc())
        )
    )


def revoke_token(session: Session, actor: Actor, token_id: str) -> None:
    """The token stops working at once."""
    token = session.get(ApiToken, token_id)
    if token is None or token.user_id != actor.user_id:
        raise NotFound(_("There is no such token."))
    token.revoked_at = token.revoked_at or now()
    audit.record(session, user_id=actor.user_id, action="token.revoke", subject=token.name)


def by_token(session: Session, secret: str, *, address: str = "") -> SignedIn:
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
    token = row.ApiToken
    if token.expires_at <= now():
        raise Unauthenticated(_("The API token has expired. Make a new one."))
    step = _USED_STEP if token.used_from == address else _MOVED_STEP
    return SignedIn(
        row.User,
        Actor(row.User.id, row.User.is_admin, "write" in token.scopes),
        stale=token.used_at is None or token.used_at < now() - step,
    )


def note_use(session: Session, secret: str, *, address: str) -> None:
    """Remember when a token was last used, to the hour, and from where."""
    session.execute(
        update(ApiToken)
        .where(ApiToken.token_hash == hash_secret(secret))
        .values(used_at=now(), used_from=address[:45])
    )
