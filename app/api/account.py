"""Oneself, and one's API tokens."""

from datetime import datetime
from typing import Literal

from fastapi import Request
from pydantic import Field, SecretStr

from app.api.problems import PASSWORD_PROBLEMS
from app.api.schemas import Answer, Question, TokenId
from app.db import session_scope
from app.http.identity import Person, client_of
from app.http.password_queue import in_password_queue
from app.http.routing import Db, Router
from app.services import api_tokens
from app.services.api_tokens import DEFAULT_DAYS, MAX_DAYS
from app.services.log_in import confirm_password

router = Router(tags=["Account"])

Scope = Literal["read", "write"]


class Me(Answer):
    """Whoever is asking."""

    id: str
    email: str
    name: str
    is_admin: bool = Field(description="Whether this is a site administrator.")
    locale: str | None = Field(description="The language they chose, such as `zh`.")
    scopes: list[Scope] = Field(description="What this request's token or session may do.")


class TokenOut(Answer):
    """An API token, without its secret."""

    id: str
    name: str
    scopes: list[Scope]
    created_at: datetime
    expires_at: datetime = Field(description="When it stops working.")
    used_at: datetime | None = Field(description="When it was last used, to the hour.")
    used_from: str | None = Field(description="The network address it was last used from.")


class NewToken(TokenOut):
    """A token that was just made, with its secret."""

    secret: str = Field(description="Shown this once. Keep it safe.", examples=["ann_…"])


class TokenList(Answer):
    """One's tokens."""

    items: list[TokenOut]


class TokenWish(Question):
    """A token to be made."""

    name: str = Field(description="What it is for.", examples=["nightly export"], max_length=100)
    scopes: list[Scope] = Field(
        ["read"], description="`read`, or `read` and `write`.", examples=[["read"]]
    )
    days: int = Field(
        DEFAULT_DAYS, ge=1, le=MAX_DAYS, description="So many days it works.", examples=[90]
    )
    password: SecretStr = Field(description="Your own, once more.")


@router.get("/me")
def get_me(person: Person) -> Me:
    """Whoever the token or session belongs to."""
    user, may_write = person.user, person.actor.may_write
    return Me(
        id=user.id,
        email=user.email,
        name=user.name,
        is_admin=user.is_admin,
        locale=user.locale,
        scopes=["read", "write"] if may_write else ["read"],
    )


@router.get("/tokens")
def list_tokens(session: Db, person: Person) -> TokenList:
    """One's own tokens that still work, newest first."""
    found = api_tokens.list_tokens(session, person.actor)
    return TokenList(items=[TokenOut.model_validate(token) for token in found])


@router.post("/tokens", status_code=201, responses=PASSWORD_PROBLEMS)
@in_password_queue
def create_token(request: Request, person: Person, wish: TokenWish) -> NewToken:
    """Make a token. Its secret is in this answer and nowhere else."""
    confirm_password(
        person.actor, wish.password.get_secret_value(), client_of(request, person), field="password"
    )
    with session_scope() as session:
        token, secret = api_tokens.create_token(
            session, person.actor, name=wish.name, scopes=list(wish.scopes), days=wish.days
        )
    shown = TokenOut.model_validate(token)
    return NewToken(**shown.model_dump(), secret=secret)


@router.delete("/tokens/{token_id}", status_code=204)
def revoke_token(session: Db, person: Person, token_id: TokenId) -> None:
    """The token stops working at once."""
    api_tokens.revoke_token(session, person.actor, token_id)
