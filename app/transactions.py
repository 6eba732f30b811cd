"""How long transactions take, and how many writers wait for their turn: told by the engine's own events."""

import threading
import time
from collections.abc import Callable
from typing import Any, Literal

from sqlalchemy import Connection, Engine, event
from sqlalchemy.pool import Pool

Mode = Literal["reading", "writing"]
Observer = Callable[[Mode, float], object]
"""Told of each transaction that has ended: how long it was, in seconds, from having its lock to its commit."""

_KEY = "annotune.transaction"


class _Transaction:
    """One that goes on."""

    def __init__(self) -> None:
        self.began = time.perf_counter()
        self.writes = False
        self.waits = False


class TransactionEvents:
    """Listens to every engine of this process, from `listen` on."""

    def __init__(self, transaction: Observer, waited: Callable[[float], object]) -> None:
        self._transaction = transaction
        self._waited = waited
        self._waiting = 0
        self._lock = threading.Lock()

    @property
    def writers_waiting(self) -> int:
        """Of this process, for SQLite's lock."""
        return self._waiting

    def listen(self) -> None:
        """Begin."""
        for name in ("begin", "before_cursor_execute", "after_cursor_execute"):
            event.listen(Engine, name, getattr(self, f"_{name}"))
        event.listen(Pool, "checkin", self._checkin)

    def _begin(self, connection: Connection) -> None:
        # Called before the engine's own listener, which on SQLite waits for the write lock.
        self._end(connection.info)
        found = connection.info[_KEY] = _Transaction()
        if connection.dialect.name == "sqlite" and not connection.get_execution_options().get(
            "read_only"
        ):
            found.writes = found.waits = True
            with self._lock:
                self._waiting += 1

    def _before_cursor_execute(self, connection: Connection, *_arguments: Any) -> None:
        found = connection.info.get(_KEY)
        if found is not None and found.waits:  # the first statement: it has the lock
            self._stop_waiting(found)
            found.began = time.perf_counter()

    def _after_cursor_execute(self, connection: Connection, *arguments: Any) -> None:
        found, context = connection.info.get(_KEY), arguments[3]
        if found is not None and context is not None:
            found.writes |= context.isinsert or context.isupdate or context.isdelete

    def _stop_waiting(self, found: _Transaction) -> None:
        found.waits = False
        self._waited(time.perf_counter() - found.began)
        with self._lock:
            self._waiting -= 1

    def _checkin(self, _connection: Any, record: Any) -> None:
        # Not at the commit's own event, which comes before the commit is written.
        self._end(record.info)

    def _end(self, info: dict[Any, Any]) -> None:
        found = info.pop(_KEY, None)
        if found is None:
            return
        if found.waits:  # it never had the lock
            self._stop_waiting(found)
            return
        mode: Mode = "writing" if found.writes else "reading"
        self._transaction(mode, time.perf_counter() - found.began)
