"""SQLite's one write lock, given to the threads of a process first come, first served.

SQLite itself lets whoever waits poll for the lock, with growing pauses: under load a newcomer often
overtakes someone who has waited for a second. Here a connection queues before it asks SQLite, so that
only other processes are left to poll for.
"""

import sqlite3
import threading
from collections import deque


class WriteQueue:
    """A lock that is handed on in the order in which it was asked for. It may be released by another thread."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._waiting: deque[threading.Event] = deque()
        self._taken = False

    def acquire(self, timeout: float) -> bool:
        """Wait for one's turn, at most so many seconds. False if it did not come."""
        with self._guard:
            if not self._taken:
                self._taken = True
                return True
            turn = threading.Event()
            self._waiting.append(turn)
        if turn.wait(timeout):
            return True
        with self._guard:
            if turn.is_set():  # it came just now
                return True
            self._waiting.remove(turn)
            return False

    def release(self) -> None:
        """Hand the lock to whoever has waited longest."""
        with self._guard:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._taken = False


class Connection(sqlite3.Connection):
    """A connection in autocommit mode whose immediate transactions queue for the write lock."""

    queue: WriteQueue
    wait_seconds: float
    _writes = False

    def begin_immediate(self) -> None:
        """Start a transaction that may write. Raises OperationalError (SQLITE_BUSY) after `wait_seconds`."""
        if not self.queue.acquire(self.wait_seconds):
            error = sqlite3.OperationalError("database is locked")
            error.sqlite_errorcode = sqlite3.SQLITE_BUSY
            error.sqlite_errorname = "SQLITE_BUSY"
            raise error
        self._writes = True
        try:
            self.execute("BEGIN IMMEDIATE")
        finally:
            self._leave()

    def commit(self) -> None:
        try:
            super().commit()
        finally:
            self._leave()

    def rollback(self) -> None:
        try:
            super().rollback()
        finally:
            self._leave()

    def close(self) -> None:
        try:
            super().close()
        finally:
            self._leave(closed=True)

    def _leave(self, *, closed: bool = False) -> None:
        # A commit that fails leaves the transaction open; it is ended by the rollback that follows.
        if self._writes and (closed or not self.in_transaction):
            self._writes = False
            self.queue.release()
