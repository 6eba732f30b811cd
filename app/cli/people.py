"""The commands for people and their API tokens."""

import sys
from typing import Annotated, Literal

import typer

from app.cli.acting import As, Json, actor_for, command, find_person
from app.cli.console import complain, say, show
from app.db import session_scope
from app.services import accounts, api_tokens
from app.services.api_tokens import DEFAULT_DAYS, MAX_DAYS

Secret = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from standard input.")
]
tokens = typer.Typer(help="API tokens.", no_args_is_help=True)
users = typer.Typer(help="Accounts.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(tokens, name="token")
    app.add_typer(users, name="user")


@tokens.command("create")
def create_token(
    name: Annotated[str, typer.Argument(help="What it is for.")],
    scope: Annotated[
        Literal["read", "write"], typer.Option(help="write may read and change things.")
    ] = "read",
    days: Annotated[
        int, typer.Option(min=1, max=MAX_DAYS, help="So many days it works.")
    ] = DEFAULT_DAYS,
    who: As = None,
) -> None:
    """Make a token, and print its secret: nothing shows it again."""
    # Asks for no password: who runs this has the database.
    with command():
        actor = actor_for(who)
        scopes = ["read", "write"] if scope == "write" else ["read"]
        with session_scope() as session:
            token, secret = api_tokens.create_token(
                session, actor, name=name, scopes=scopes, days=days
            )
        say(secret)
        complain(f"It works until {token.expires_at:%Y-%m-%d}.")


@tokens.command("list")
def list_tokens(who: As = None, as_json: Json = False) -> None:
    """List the tokens that work."""
    with command():
        actor = actor_for(who)
        with session_scope(read_only=True) as session:
            found = api_tokens.list_tokens(session, actor)
        rows = [
            {
                "id": token.id,
                "name": token.name,
                "scopes": ",".join(token.scopes),
                "created": f"{token.created_at:%Y-%m-%d}",
                "expires": f"{token.expires_at:%Y-%m-%d}",
                "used": f"{token.used_at:%Y-%m-%d}" if token.used_at else None,
                "from": token.used_from,
            }
            for token in found
        ]
        show(rows, as_json=as_json, none="There are no tokens. “annotune token create” makes one.")


@tokens.command("revoke")
def revoke_token(
    token_id: Annotated[str, typer.Argument(metavar="ID", help="As “token list” shows it.")],
    who: As = None,
) -> None:
    """Make a token stop working at once."""
    with command():
        actor = actor_for(who)
        with session_scope() as session:
            api_tokens.revoke_token(session, actor, token_id)
        say("The token no longer works.")


@users.command("create")
def create_user(
    email: Annotated[str, typer.Argument(help="Their e-mail address.")],
    name: Annotated[str | None, typer.Option(help="Their name.")] = None,
    admin: Annotated[bool, typer.Option("--admin", help="A site administrator.")] = False,
    password_stdin: Secret = False,
    who: As = None,
) -> None:
    """Make an account. The first one is an administrator's."""
    with command():
        password, called = _password(password_stdin), name or email.partition("@")[0]
        with session_scope() as session:
            first = accounts.setup_token(session)
        if first is not None:
            accounts.set_up(token=first, email=email, name=called, password=password)
        else:
            actor = actor_for(who)
            accounts.create_user(actor, email=email, name=called, password=password, is_admin=admin)
        say(f"{email} has an account now" + (", an administrator's." if first or admin else "."))


@users.command("list")
def list_users(who: As = None, as_json: Json = False) -> None:
    """List everybody."""
    with command():
        actor = actor_for(who)
        with session_scope(read_only=True) as session:
            found = accounts.list_users(session, actor)
        rows = [
            {
                "email": user.email,
                "name": user.name,
                "administrator": user.is_admin,
                "active": user.is_active,
                "since": f"{user.created_at:%Y-%m-%d}",
            }
            for user in found
        ]
        show(rows, as_json=as_json, none="Nobody has an account.")


@users.command("reset-password")
def reset_password(
    person: Annotated[str, typer.Argument(help="Their e-mail address, or their name.")],
    password_stdin: Secret = False,
    who: As = None,
) -> None:
    """Give somebody a new password; they are logged out everywhere, and their tokens end."""
    with command():
        actor = actor_for(who)
        with session_scope(read_only=True) as session:
            user = find_person(session, person)
        password = _password(password_stdin)
        accounts.reset_password(actor, user.id, password=password)
        say(f"{user.email} has a new password; their sessions and API tokens have ended.")


def _password(from_stdin: bool) -> str:
    # Never an option's value: those are seen by everybody on the machine.
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))
