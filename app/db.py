"""The database: one engine a process, one short session a unit of work."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from functools import cache
from typing import Any

import orjson
from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session, sessionmaker

from app import data_folder, sqlite
from app.settings import get_settings

WRITERS = {"sqlite": 4, "postgresql": 8}
"""Requests of one web process that may write at once. On SQLite they take turns at the write lock."""
READERS = 24
"""Threads of one web process for everything else."""
_SPARE = 8
"""Connections for what is not a request: looks for open pages, heartbeats, checks of health."""


def _dumps(value: Any) -> str:
    return orjson.dumps(value).decode()


def make_engine(url: str) -> Engine:
    """An engine for SQLite (WAL, foreign keys, immediate transactions) or PostgreSQL.

    Nothing waits for ever: not for a lock, not for a statement, not for a connection of the pool, which
    is large enough for every thread that may ask for one.
    """
    settings = get_settings()
    backend = make_url(url).get_backend_name()
    connections = WRITERS[backend] + READERS + _SPARE
    shared: dict[str, Any] = {
        "json_serializer": _dumps,
        "json_deserializer": orjson.loads,
        "pool_size": connections // 2,
        "max_overflow": connections - connections // 2,
        "pool_timeout": settings.lock_seconds,
    }
    if backend == "postgresql":
        limits = {
            "lock_timeout": settings.lock_seconds,
            "statement_timeout": settings.statement_seconds,
            "idle_in_transaction_session_timeout": settings.statement_seconds,
        }
        options = " ".join(f"-c {name}={round(seconds * 1000)}" for name, seconds in limits.items())
        connect_args = {"options": options, "connect_timeout": max(2, round(settings.lock_seconds))}
        return create_engine(url, pool_pre_ping=True, connect_args=connect_args, **shared)
    engine = create_engine(
        url,
        # The driver stays in autocommit: the begin event below opens each transaction explicitly.
        connect_args={
            "timeout": settings.lock_seconds,
            "check_same_thread": False,
            "isolation_level": None,
            "factory": sqlite.Connection,
        },
        **shared,
    )
    queue = sqlite.WriteQueue()

    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite.Connection, _record: Any) -> None:
        connection.queue, connection.wait_seconds = queue, settings.lock_seconds
        cursor = connection.cursor()
        for pragma in (
            "journal_mode=WAL",
            # FULL: an acknowledged save survives a power cut, not only a killed process.
            "synchronous=FULL",
            "foreign_keys=ON",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A deferred transaction that reads and then writes can fail with "database is locked" at
        # once, whatever the timeout; so writers queue for the lock at their start.
        if connection.get_execution_options().get("read_only"):
            connection.exec_driver_sql("BEGIN DEFERRED")
        else:
            driver: Any = connection.connection.driver_connection
            try:
                driver.begin_immediate()
            except sqlite3.OperationalError as error:
                raise OperationalError("BEGIN IMMEDIATE", None, error) from error

    return engine


@cache
def get_engine() -> Engine:
    """The engine of this process, made at its first use (never before a fork)."""
    settings = get_settings()
    if settings.database_url is None:
        data_folder.make(settings)
    return make_engine(settings.database)


@cache
def _writer() -> sessionmaker[Session]:
    return sessionmaker(get_engine(), expire_on_commit=False)


@cache
def _reader() -> sessionmaker[Session]:
    engine = get_engine().execution_options(read_only=True)
    return sessionmaker(engine, expire_on_commit=False)


def new_session(*, read_only: bool = False) -> Session:
    """A session that has not begun yet: nothing is opened before its first statement."""
    return (_reader() if read_only else _writer())()


@contextmanager
def unit_of_work(session: Session) -> Iterator[Session]:
    """Commit at the end, or roll back on an error; then close, and do what waits for the commit."""
    with session, session.begin():
        yield session
    for action in session.info.pop("after_commit", ()):
        action()


@contextmanager
def session_scope(*, read_only: bool = False) -> Iterator[Session]:
    """A session that commits at the end, or rolls back on an error.

    On SQLite a writing session holds the write lock from its first statement, so keep it short; a
    read-only one never waits for it.
    """
    with unit_of_work(new_session(read_only=read_only)) as session:
        yield session


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


class Outage(Enum):
    """Why the database could not do what was right to ask of it."""

    AWAY = "away"
    BUSY = "busy"
    FULL = "full"


_SQLITE_OUTAGES = {
    sqlite3.SQLITE_BUSY: Outage.BUSY,
    sqlite3.SQLITE_LOCKED: Outage.BUSY,
    sqlite3.SQLITE_FULL: Outage.FULL,
    sqlite3.SQLITE_CANTOPEN: Outage.AWAY,
    sqlite3.SQLITE_IOERR: Outage.AWAY,
    sqlite3.SQLITE_READONLY: Outage.AWAY,
}
# By class of SQLSTATE, and some by the whole code: https://www.postgresql.org/docs/current/errcodes-appendix.html
_POSTGRESQL_OUTAGES = {
    "08": Outage.AWAY,  # connection exception
    "57": Outage.AWAY,  # operator intervention: the server is stopped, or starts
    "57014": Outage.BUSY,  # query canceled: the statement's time was over
    "25P03": Outage.BUSY,  # the transaction's idle time was over
    "40": Outage.BUSY,  # transaction rollback: deadlock, serialization
    "55P03": Outage.BUSY,  # lock not available in time
    "53": Outage.BUSY,  # insufficient resources: too many connections, out of memory
    "53100": Outage.FULL,  # disk full
}


def outage(error: BaseException) -> Outage | None:
    """Whether an error is the database's trouble and passes, or (None) a fault of the statement."""
    if isinstance(error, PoolTimeout):
        return Outage.BUSY
    if not isinstance(error, DBAPIError):
        return None
    if error.connection_invalidated:
        return Outage.AWAY
    if isinstance(error.orig, sqlite3.Error):
        code: int | None = getattr(error.orig, "sqlite_errorcode", None)
        return None if code is None else _SQLITE_OUTAGES.get(code & 0xFF)
    state: str | None = getattr(error.orig, "sqlstate", None)
    if state is None:  # no word from the server at all: it could not be reached
        return Outage.AWAY if isinstance(error, OperationalError) else None
    return _POSTGRESQL_OUTAGES.get(state) or _POSTGRESQL_OUTAGES.get(state[:2])
