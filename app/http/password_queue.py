"""Requests that hash a password: two at a time, first come first served, and none waits in a request thread."""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial, wraps
from typing import ParamSpec, TypeVar

from app.errors import Unavailable
from app.i18n import gettext as _

THREADS = 2
"""A hash takes 64 MiB and all the processor it gets: more at once would make everybody else wait."""
MAX_WAITING = 100
"""Ten seconds' worth on a slow machine."""
_RETRY_SECONDS = 10

P = ParamSpec("P")
R = TypeVar("R")


class PasswordQueue:
    """A bounded queue in front of a few threads."""

    def __init__(self, threads: int, max_waiting: int) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="password")
        self._max = threads + max_waiting
        self._inside = 0

    async def run(self, function: Callable[[], R]) -> R:
        """Call it when it is its turn. Raises Unavailable when the queue is full."""
        if self._inside >= self._max:
            raise Unavailable(
                _("Many people are logging in at this moment. Try again in a few seconds."),
                retry_after=_RETRY_SECONDS,
            )
        self._inside += 1
        try:
            # With the context, since the locale of the request is in it.
            task = self._threads.submit(contextvars.copy_context().run, function)
            return await asyncio.wrap_future(task)
        finally:
            self._inside -= 1


_queue = PasswordQueue(THREADS, MAX_WAITING)


def in_password_queue(handler: Callable[P, R]) -> Callable[P, Awaitable[R]]:
    """A handler that hashes a password. It must open its database sessions itself, around the hashing."""

    @wraps(handler)
    async def queued(*args: P.args, **kwargs: P.kwargs) -> R:
        return await _queue.run(partial(handler, *args, **kwargs))

    return queued
