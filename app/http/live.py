"""News for open pages by server-sent events: one look at the database a second, for all pages of this process.

A page that waits holds no thread and no database session. The looks are made by one thread at a time, which
is not of the pool that requests use.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated

import structlog
from anyio import CapacityLimiter, to_thread
from fastapi import Query, Request
from starlette.responses import Response, StreamingResponse

from app.errors import AnnotuneError
from app.services.runs import GONE, News, joined, look

LOOK_SECONDS = 1.0
HEARTBEAT_SECONDS = 15.0
CHECK_SECONDS = 30.0
"""So often it is asked anew whether the person may still see what they watch."""

Since = Annotated[str, Query(max_length=40)]
"""The token that a page was made with, as its address for events says it."""

log = structlog.get_logger()


class Watch:
    """What open pages watch, looked at together while there is anything."""

    def __init__(self, look: Callable[[Collection[str]], Mapping[str, News]]) -> None:
        self._look = look
        self._subjects: Counter[str] = Counter()
        self._news: Mapping[str, News] = {}
        self._task: asyncio.Task[None] | None = None
        self._turn: asyncio.Future[None] | None = None
        self._looked_at = 0.0

    @contextmanager
    def watching(self, subjects: Collection[str]) -> Iterator[None]:
        """Watch these inside."""
        self._subjects.update(subjects)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())
        try:
            yield
        finally:
            self._subjects.subtract(subjects)
            self._subjects = +self._subjects  # those that nobody watches are forgotten
            if not self._subjects:
                self._task.cancel()
                self._task, self._turn, self._news = None, None, {}

    def now(self, subjects: Collection[str]) -> News | None:
        """How these stand, as of the last look; None before it."""
        if any(subject not in self._news for subject in subjects):
            return None
        return joined([self._news[subject] for subject in sorted(subjects)])

    async def next_look(self, within: float) -> None:
        """Wait for the next look, at most so many seconds."""
        if self._turn is None:
            self._turn = asyncio.get_running_loop().create_future()
        await asyncio.wait([self._turn], timeout=max(0.0, within))

    async def _run(self) -> None:
        limiter = CapacityLimiter(1)
        while True:
            await asyncio.sleep(max(0.0, self._looked_at + LOOK_SECONDS - time.monotonic()))
            self._looked_at = time.monotonic()
            try:
                self._news = await to_thread.run_sync(
                    self._look, list(self._subjects), limiter=limiter
                )
            except Exception:  # the database is away: the pages wait for it
                log.exception("live_look_failed")
            turn, self._turn = self._turn, None
            if turn is not None and not turn.done():
                turn.set_result(None)


watch = Watch(look)


def send_events(
    request: Request,
    subjects: Collection[str],
    *,
    since: str,
    still_allowed: Callable[[], object],
) -> Response:
    """A stream that says `change` with each change of any subject, and `end` once nothing will change any more.

    `since` is the token that the page was made with, unless the browser comes back with a newer one.
    `still_allowed` raises an AnnotuneError when the person may not see this any longer; it may block.
    """
    known = request.headers.get("last-event-id") or since
    return StreamingResponse(
        _events(list(subjects), known, still_allowed),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _events(
    subjects: list[str], known: str, still_allowed: Callable[[], object]
) -> AsyncIterator[bytes]:
    yield b"event: open\ndata:\n\n"  # tells the page that nothing on the way holds the stream back
    checked = said = time.monotonic()
    limiter = CapacityLimiter(1)
    with watch.watching(subjects):
        while True:
            await watch.next_look(said + HEARTBEAT_SECONDS - time.monotonic())
            news, now = watch.now(subjects), time.monotonic()
            if now - checked >= CHECK_SECONDS:
                checked = now
                try:
                    await to_thread.run_sync(still_allowed, limiter=limiter)
                except AnnotuneError:
                    news = GONE
            if news is not None and news.token != known:
                known, said = news.token, now
                yield f"event: change\nid: {known}\ndata:\n\n".encode()
            elif now - said >= HEARTBEAT_SECONDS:
                said = now
                yield b": still here\n\n"
            if news is not None and news.over:
                yield f"event: end\nid: {known}\ndata:\n\n".encode()
                return
