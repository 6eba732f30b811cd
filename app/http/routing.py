"""Where a handler runs: in a thread of a bounded pool, with all its database work inside that one call.

A handler's session begins with its first statement and is committed in the same thread, before the
framework needs another thread to build the answer. So a transaction never waits for anything but the
database. Handlers that write go through a small pool, first come, first served: while many wait there,
pages that only read are still answered.
"""

import functools
import inspect
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar

from anyio import CapacityLimiter, fail_after, to_thread
from anyio.lowlevel import RunVar
from fastapi import APIRouter, Depends, Request
from sqlalchemy.orm import Session

from app import db
from app.errors import Unavailable
from app.i18n import gettext as _
from app.settings import get_settings

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

Result = TypeVar("Result")

_writers: RunVar[CapacityLimiter] = RunVar("writers")


async def open_session(request: Request) -> Session:
    """The session of a request; its Router commits it."""
    return db.new_session(read_only=request.method in SAFE_METHODS)


Db = Annotated[Session, Depends(open_session)]


def limit_threads() -> None:
    """Bound the threads of everything that does not write. Call it once the event loop runs."""
    to_thread.current_default_thread_limiter().total_tokens = db.READERS


async def run_writer(call: Callable[[], Result]) -> Result:
    """Call something that writes, in a thread, when its turn comes. Raises Unavailable if that takes long."""
    try:
        limiter = _writers.get()
    except LookupError:
        limiter = CapacityLimiter(db.WRITERS[db.get_engine().dialect.name])
        _writers.set(limiter)
    turn = object()
    try:
        with fail_after(get_settings().lock_seconds):
            await limiter.acquire_on_behalf_of(turn)
    except TimeoutError:
        raise Unavailable(
            _("Too many people are saving at the moment. Try again shortly.")
        ) from None
    try:
        return await to_thread.run_sync(call, limiter=CapacityLimiter(1))
    finally:
        limiter.release_on_behalf_of(turn)


class Router(APIRouter):
    """An APIRouter whose handlers' sessions are committed, or rolled back, where the handler ran."""

    def add_api_route(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        """Add a route, as APIRouter does."""
        methods = options.get("methods") or ["GET"]
        if not inspect.iscoroutinefunction(endpoint) and _takes_session(endpoint):
            endpoint = _in_one_call(endpoint)
            if not SAFE_METHODS.issuperset(methods):
                endpoint = _as_writer(endpoint)
        super().add_api_route(path, endpoint, **options)


def _takes_session(endpoint: Callable[..., Any]) -> bool:
    parameters = inspect.signature(endpoint).parameters
    return "session" in parameters and parameters["session"].annotation == Db


def _in_one_call(endpoint: Callable[..., Result]) -> Callable[..., Result]:
    @functools.wraps(endpoint)
    def call(*, session: Session, **arguments: Any) -> Result:
        with db.unit_of_work(session):
            return endpoint(session=session, **arguments)

    return call


def _as_writer(endpoint: Callable[..., Result]) -> Callable[..., Awaitable[Result]]:
    @functools.wraps(endpoint)
    async def call(**arguments: Any) -> Result:
        return await run_writer(functools.partial(endpoint, **arguments))

    return call
