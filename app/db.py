"""The database: one engine a process, one short session a unit of work."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import orjson
from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.orm import Session, sessionmaker

from app import data_folder
from app.settings import get_settings


def _dumps(value: Any) -> str:
    return orjson.dumps(value).decode()


def make_engine(url: str) -> Engine:
    """An engine for SQLite (WAL, foreign keys, immediate transactions) or PostgreSQL."""
    if make_url(url).get_backend_name() != "sqlite":
        return create_engine(
            url,
            pool_pre_ping=True,
            pool_size=20,
            json_serializer=_dumps,
            json_deserializer=orjson.loads,
        )
    engine = create_engine(
        url,
        json_serializer=_dumps,
        json_deserializer=orjson.loads,
        # The driver stays in autocommit: the begin event below opens each transaction explicitly.
        connect_args={"timeout": 30, "check_same_thread": False, "isolation_level": None},
        pool_size=20,
        max_overflow=40,
    )

    @event.listens_for(engine, "connect")
    def _pragmas(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        for pragma in (
            "journal_mode=WAL",
            # FULL: an acknowledged save survives a power cut, not only a killed process.
            "synchronous=FULL",
            "foreign_keys=ON",
            "busy_timeout=30000",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A deferred transaction that reads and then writes can fail with "database is locked" at
        # once, whatever the timeout; so writers queue for the lock at their start.
        mode = connection.get_execution_options().get("sqlite_begin", "IMMEDIATE")
        connection.exec_driver_sql(f"BEGIN {mode}")

    return engine


@cache
def get_engine() -> Engine:
    """The engine of this process, made at its first use (never before a fork)."""
    settings = get_settings()
    data_folder.make(settings)
    return make_engine(settings.database)


@cache
def _writer() -> sessionmaker[Session]:
    return sessionmaker(get_engine(), expire_on_commit=False)


@cache
def _reader() -> sessionmaker[Session]:
    engine = get_engine().execution_options(sqlite_begin="DEFERRED")
    return sessionmaker(engine, expire_on_commit=False)


@contextmanager
def session_scope(*, read_only: bool = False) -> Iterator[Session]:
    """A session that commits at the end, or rolls back on an error.

    On SQLite a writing session holds the write lock from its start, so keep it short; a read-only one
    never waits for it.
    """
    with (_reader() if read_only else _writer())() as session:
        with session.begin():
            yield session
        for action in session.info.pop("after_commit", ()):
            action()


def after_commit(session: Session, action: Callable[[], object]) -> None:
    """Do this once the session has committed; never, if it rolls back."""
    session.info.setdefault("after_commit", []).append(action)


def dispose(*, forked: bool = False) -> None:
    """Close every connection and forget the engine (between tests, and before a program ends).

    After a fork the connections are the parent's: they are forgotten, not closed, which would end them
    for the parent as well.
    """
    if get_engine.cache_info().currsize:
        get_engine().dispose(close=not forked)
    for cached in (get_engine, _writer, _reader):
        cached.cache_clear()
