"""Oneself, and one's API tokens."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from app.api.schemas import Answer, Question, TokenId
from app.http.identity import Person
from app.http.routing import Db, Router
from app.services import accounts

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
    used_at: datetime | None = Field(description="When it was last used, to the hour.")


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
    found = accounts.list_tokens(session, person.actor)
    return TokenList(items=[TokenOut.model_validate(token) for token in found])


@router.post("/tokens", status_code=201)
def create_token(session: Db, person: Person, wish: TokenWish) -> NewToken:
    """Make a token. Its secret is in this answer and nowhere else."""
    token, secret = accounts.create_token(
        session, person.actor, name=wish.name, scopes=list(wish.scopes)
    )
    shown = TokenOut.model_validate(token)
    return NewToken(**shown.model_dump(), secret=secret)


@router.delete("/tokens/{token_id}", status_code=204)
def revoke_token(session: Db, person: Person, token_id: TokenId) -> None:
    """The token stops working at once."""
    accounts.revoke_token(session, person.actor, token_id)
