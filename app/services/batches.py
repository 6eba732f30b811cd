"""Long work in short transactions: so many rows at a time that nobody waits for them."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy.orm import Session

from app.db import get_engine, session_scope

TARGET_SECONDS = {"sqlite": 0.02, "postgresql": 0.5}
"""How long a transaction of a job should hold its locks. On SQLite everybody who writes waits for it; on PostgreSQL
only whoever wants the same rows."""
MIN_ROWS, MAX_ROWS = 200, 5000
_MAX_PAUSE = 0.25


class Batches:
    """The transactions of one piece of long work. `rows` is how many the next one should touch.

    It follows how long the last ones took. On SQLite everybody else has as long for their own writing after each.
    """

    def __init__(self) -> None:
        self._has_one_writer = get_engine().dialect.name == "sqlite"
        self._target = TARGET_SECONDS[get_engine().dialect.name]
        # SQLite works in this thread: its processor time is not the machine's other load.
        self._clock: Callable[[], float] = (
            time.thread_time if self._has_one_writer else time.monotonic
        )
        self._is_first = True
        self._next_at = 0.0
        self.rows = min(MAX_ROWS, MIN_ROWS if self._has_one_writer else 5 * MIN_ROWS)

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """One short transaction, timed from when it has its lock."""
        time.sleep(min(_MAX_PAUSE, max(0.0, self._next_at - time.monotonic())))
        with session_scope() as session:
            session.connection()
            began, worked = time.monotonic(), self._clock()
            yield session
        self._adapt(self._clock() - worked)
        ended = time.monotonic()
        self._next_at = 2 * ended - began if self._has_one_writer else ended

    def _adapt(self, took: float) -> None:
        if self._is_first:  # it prepares its statements, too
            self._is_first = False
            return
        rows = int(self.rows * min(2.0, max(0.5, self._target / max(took, 1e-6))))
        self.rows = min(MAX_ROWS, max(MIN_ROWS, rows))
