"""Bringing the database to this code's schema."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from app.db import get_engine

_LOCK = 7_251_130_214  # any constant: two servers that start at once migrate one after the other


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent.parent / "migrations"))
    return config


def head_revision() -> str | None:
    """The newest schema that this code knows."""
    return ScriptDirectory.from_config(_config()).get_current_head()


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


def migrate() -> bool:
    """Upgrade to the newest schema. True when there was something to do.

    Safe to call from several processes at once: they queue on the database's own lock.
    """
    config = _config()
    head = head_revision()
    with get_engine().connect() as connection, _without_cascades(connection), connection.begin():
        if connection.dialect.name == "postgresql":
            # Changing a large table takes the time that it takes, and so does waiting for one's turn.
            connection.execute(text("SET LOCAL lock_timeout = 0"))
            connection.execute(text("SET LOCAL statement_timeout = 0"))
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        if MigrationContext.configure(connection).get_current_revision() == head:
            return False
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return True
