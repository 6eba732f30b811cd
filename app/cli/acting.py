"""Whom a command acts for, and what its words mean: a person, a project, a version."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import structlog
import typer
from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from app import data_folder
from app.cli.console import plain_errors
from app.db import get_engine, session_scope
from app.errors import InvalidInput, NotFound, Unavailable
from app.migrate import is_current
from app.models import Project, User
from app.security.emails import login_names
from app.services import projects, versions
from app.services.access import Actor
from app.settings import get_settings

As = Annotated[
    str | None,
    typer.Option(
        "--as",
        metavar="PERSON",
        help="E-mail address or name of who does this; the first administrator, if not given.",
    ),
]
ProjectWord = Annotated[str, typer.Argument(metavar="PROJECT", help="Its id, or its exact name.")]
VersionWord = Annotated[
    str, typer.Argument(metavar="VERSION", help="Its number, or “latest”: the newest one.")
]
Json = Annotated[bool, typer.Option("--json", help="As JSON, for programs.")]


@contextmanager
def command() -> Iterator[None]:
    """Around each command: a database that this code knows, errors as sentences, no log lines."""
    # What the services log is for servers; here the command itself says how it goes.
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    with plain_errors():
        _check_database()
        yield


def _check_database() -> None:
    missing = data_folder.missing_database(get_settings())
    if missing is not None:  # opening it would make it
        raise Unavailable(
            f"There is no database at {missing}, so nothing is there to work with. If it is to be there, run "
            "“annotune up” first; if not, set ANNOTUNE_DATA_DIR or ANNOTUNE_DATABASE_URL."
        )
    with get_engine().connect() as connection:
        current = is_current(connection)
    if not current:
        where = get_engine().url.render_as_string(hide_password=True)
        raise Unavailable(
            f"The database {where} is not set up for this version of Annotune. If it is the one you mean, run "
            "“annotune migrate” first (“annotune up” does it by itself); if not, go to the folder that has "
            "“data”, or set ANNOTUNE_DATA_DIR or ANNOTUNE_DATABASE_URL."
        )


def actor_for(who: str | None) -> Actor:
    """The person a command acts for. Raises NotFound or InvalidInput."""
    with session_scope(read_only=True) as session:
        user = find_person(session, who) if who else _first_administrator(session)
    if not user.is_active:
        raise InvalidInput(f"The account {user.email} is closed.")
    return Actor(user.id, user.is_admin)


def find_person(session: Session, who: str) -> User:
    """Somebody by address or name. Raises NotFound, InvalidInput where several have the name."""
    found = session.scalars(
        select(User).where(
            or_(User.email.in_(login_names(who)), func.lower(User.name) == who.strip().lower())
        )
    ).all()
    exact = [user for user in found if user.email in login_names(who)] or list(found)
    if not exact:
        raise NotFound(f"Nobody here is called “{who}”. “annotune user list” shows who there is.")
    if len(exact) > 1:
        addresses = ", ".join(user.email for user in exact)
        raise InvalidInput(f"Several people are called “{who}”: say which address ({addresses}).")
    return exact[0]


def _first_administrator(session: Session) -> User:
    user = session.scalar(
        select(User).where(User.is_admin, User.is_active).order_by(User.created_at).limit(1)
    )
    if user is None:
        raise NotFound(
            "Nobody has an account yet. Make one with “annotune user create EMAIL”, or open the set-up "
            "link that “annotune up” prints."
        )
    return user


def find_project(session: Session, actor: Actor, word: str) -> Project:
    """A project that the person sees, by id or exact name. Raises NotFound or InvalidInput."""
    seen = projects.list_projects(session, actor)
    found = [p for p in seen if p.id == word] or [p for p in seen if p.name == word.strip()]
    if not found:
        raise NotFound(f"There is no project “{word}”. “annotune projects” shows which there are.")
    if len(found) > 1:
        ids = ", ".join(project.id for project in found)
        raise InvalidInput(f"Several projects are called “{word}”: say which id ({ids}).")
    return found[0]


def find_version(session: Session, actor: Actor, project: Project, word: str) -> int:
    """A version's number. Raises NotFound; BadParameter for a word that is neither number nor “latest”."""
    if word == "latest":
        for version, _job in versions.list_versions(session, actor, project.id):
            if version.sha256 is not None:
                return version.number
        raise NotFound(
            f"“{project.name}” has no finished version yet. Make one with “annotune freeze "
            f"{project.id}”."
        )
    if not word.removeprefix("v").isdecimal() or len(word) > 10:
        raise typer.BadParameter(f"{word}: a version is a number, or “latest”.")
    number = int(word.removeprefix("v"))
    versions.get(session, actor, project.id, number)
    return number
