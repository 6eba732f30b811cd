"""Long work in short transactions: so many rows at a time that nobody waits for them."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.orm import Session

from app.db import session_scope

TARGET_SECONDS = 0.02
"""How long a transaction of a job should hold its locks. On SQLite everybody who writes waits for it."""
MIN_ROWS, MAX_ROWS = 50, 2000
_MAX_PAUSE = 0.25


class Batches:
    """The transactions of one piece of long work. `rows` is how many the next one should touch.

    It follows how long the last ones took. On SQLite everybody else has as long for their own writing after each.
    """

    def __init__(self) -> None:
        self.rows = min(200, MAX_ROWS)
        self._next_at = 0.0

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """One short transaction, timed from when it has its lock."""
        time.sleep(min(_MAX_PAUSE, max(0.0, self._next_at - time.monotonic())))
        with session_scope() as session:
            has_one_writer = session.connection().dialect.name == "sqlite"
            began = time.monotonic()
            yield session
        ended = time.monotonic()
        took = ended - began
        self.rows = int(self.rows * min(2.0, max(0.25, TARGET_SECONDS / max(took, 1e-6))))
        self.rows = min(MAX_ROWS, max(MIN_ROWS, self.rows))
        self._next_at = ended + took if has_one_writer else ended
