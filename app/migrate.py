"""Bringing the database to this code's schema."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from app.db import get_engine
from app.errors import Unavailable
from app.settings import Settings

_LOCK = 7_251_130_214  # any constant: two servers that start at once migrate one after the other


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent.parent / "migrations"))
    return config


def head_revision() -> str | None:
    """The newest schema that this code knows."""
    return ScriptDirectory.from_config(_config()).get_current_head()


def knows(revision: str) -> bool:
    """Whether this code knows such a schema: not that of a later version."""
    try:
        return ScriptDirectory.from_config(_config()).get_revision(revision) is not None
    except CommandError:
        return False


def is_current(connection: Connection) -> bool:
    """Whether a database has this code's schema, and not that of an earlier version. Raises Unavailable for that of a
    newer one, with which this code can do nothing."""
    found = MigrationContext.configure(connection).get_current_revision()
    if found is not None and not knows(found):
        raise Unavailable(
            f"A newer version of Annotune made this database (its schema is {found}). Install that version, or a later "
            "one; or restore a backup that this version can read (“annotune restore DIR --replace”)."
        )
    return found == head_revision()


@contextmanager
def _without_cascades(connection: Connection) -> Iterator[None]:
    """SQLite changes a column by making the table anew, and what refers to the old one must stay."""
    if connection.dialect.name != "sqlite":
        yield
        return
    driver: Any = connection.connection.driver_connection
    driver.execute("PRAGMA foreign_keys=OFF")
    try:
        yield
        broken = driver.execute("PRAGMA foreign_key_check").fetchone()
        if broken:
            raise RuntimeError(f"The migration has left rows that refer to nothing: {broken}")
    finally:
        driver.execute("PRAGMA foreign_keys=ON")


def about_database(settings: Settings, error: SQLAlchemyError) -> str:
    """Which database it is, and what is wrong with it."""
    cause = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
    where = (
        "ANNOTUNE_DATABASE_URL" if settings.database_url else "The SQLite file in the data folder"
    )
    return f"The database does not work ({where}): {cause}"


def migrate() -> bool:
    """Upgrade to the newest schema. True when there was something to do.

    Safe to call from several processes at once: they queue on the database's own lock. Raises Unavailable for a
    database of a newer version.
    """
    config = _config()
    with get_engine().connect() as connection, _without_cascades(connection), connection.begin():
        if connection.dialect.name == "postgresql":
            # Changing a large table takes the time that it takes, and so does waiting for one's turn.
            connection.execute(text("SET LOCAL lock_timeout = 0"))
            connection.execute(text("SET LOCAL statement_timeout = 0"))
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        if is_current(connection):
            return False
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return True
