"""Accounts, for administrators."""

from datetime import datetime

from pydantic import Field, SecretStr

from app.api.problems import PASSWORD_PROBLEMS
from app.api.schemas import Answer, Question, UserId
from app.http.identity import Person
from app.http.password_queue import in_password_queue
from app.http.routing import Db, Router
from app.services import accounts

router = Router(prefix="/users", tags=["Accounts (administrators)"])


class UserOut(Answer):
    """Somebody's account."""

    id: str
    email: str
    name: str
    is_admin: bool
    is_active: bool = Field(description="False for a closed account.")
    created_at: datetime


class UserList(Answer):
    """All accounts."""

    items: list[UserOut]


class NewUser(Question):
    """An account to be made."""

    email: str = Field(examples=["lin@example.org"])
    name: str = Field(examples=["Lin Yu"])
    password: SecretStr = Field(
        description="At least 10 characters.", examples=["three-words-together"]
    )
    is_admin: bool = Field(False, description="Whether they administer the whole site.")


class UserChange(Question):
    """What may be changed of an account."""

    is_active: bool = Field(
        description="False closes the account and ends its sessions and tokens at once."
    )


@router.get("")
def list_users(session: Db, person: Person) -> UserList:
    """Everybody with an account, oldest first."""
    found = accounts.list_users(session, person.actor)
    return UserList(items=[UserOut.model_validate(user) for user in found])


@router.post("", status_code=201, responses=PASSWORD_PROBLEMS)
@in_password_queue
def create_user(person: Person, new: NewUser) -> UserOut:
    """Make an account. Its owner changes the password after the first log-in."""
    user = accounts.create_user(
        person.actor,
        email=new.email,
        name=new.name,
        password=new.password.get_secret_value(),
        is_admin=new.is_admin,
    )
    return UserOut.model_validate(user)


@router.patch("/{user_id}", status_code=204)
def change_user(session: Db, person: Person, user_id: UserId, change: UserChange) -> None:
    """Close or reopen an account."""
    accounts.set_active(session, person.actor, user_id, active=change.is_active)
