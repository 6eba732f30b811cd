"""Calls to workers that a request waits for: at most so many, for so long, and none holds a thread.

The message goes out as any other; the worker's answer lies in the broker, where one task looks for the answers to all
calls of this process.
"""

import asyncio
import json
from functools import partial
from typing import Any, cast
from weakref import WeakKeyDictionary

import structlog
from anyio import CapacityLimiter, to_thread
from celery.backends.base import KeyValueStoreBackend
from redis import asyncio as redis

from app.errors import Unavailable
from app.i18n import gettext as _
from app.models import new_id
from app.services import dispatch
from app.settings import get_settings

MAX_CALLS = 32
"""So many wait in one process; the next is told to come again."""
_LOOK_SECONDS = 0.05
_PUBLISHERS = 2
"""Threads that send messages: not of those that requests use, since a broker may leave them hanging."""

log = structlog.get_logger()


async def call(name: str, args: list[Any], *, queue: str, within: float) -> Any:
    """Have a worker compute something now, and wait for it. Raises Unavailable, saying when to come again."""
    calls = _calls.setdefault(asyncio.get_running_loop(), _Calls())
    return await calls.call(name, args, queue=queue, within=within)


class _Calls:
    """The calls that wait in one event loop."""

    def __init__(self) -> None:
        self._waiting: dict[str, asyncio.Future[Any]] = {}
        self._reader: asyncio.Task[None] | None = None
        self._publishers = CapacityLimiter(_PUBLISHERS)

    async def call(self, name: str, args: list[Any], *, queue: str, within: float) -> Any:
        if len(self._waiting) >= MAX_CALLS:
            raise Unavailable(
                _("Too many people are waiting for a worker just now."), retry_after=5
            )
        call_id = new_id()
        answer = self._waiting[call_id] = asyncio.get_running_loop().create_future()
        publish = partial(dispatch.publish_call, call_id, name, args, queue=queue, expires=within)
        try:
            async with asyncio.timeout(within):
                await to_thread.run_sync(publish, limiter=self._publishers, abandon_on_cancel=True)
                if self._reader is None or self._reader.done():
                    self._reader = asyncio.create_task(self._read_answers())
                return await answer
        except TimeoutError:
            message = _(
                "No worker answered in %(n)s seconds. Start one with “annotune worker”.",
                n=int(within),
            )
            raise Unavailable(message, retry_after=30) from None
        except dispatch.BrokerAway as error:
            raise _broker_away() from error
        finally:
            del self._waiting[call_id]

    async def _read_answers(self) -> None:
        """Hand out the answers as they come, until nobody waits for one."""
        client = redis.from_url(
            get_settings().broker.replace("redis+socket:", "unix:", 1),
            socket_connect_timeout=dispatch.CONNECT_SECONDS,
            socket_timeout=dispatch.ANSWER_SECONDS,
        )
        try:
            async with client:
                while self._waiting:
                    ids = list(self._waiting)
                    keys = [f"{KeyValueStoreBackend.task_keyprefix}{call_id}" for call_id in ids]
                    for call_id, key, found in zip(ids, keys, await client.mget(keys), strict=True):
                        if found is not None:
                            await client.delete(key)
                            self._hand_out(call_id, json.loads(found))
                    await asyncio.sleep(_LOOK_SECONDS)
        except dispatch.BROKER_ERRORS as error:
            log.warning("broker_unreachable", error=str(error))
            for answer in self._waiting.values():
                if not answer.done():
                    answer.set_exception(_broker_away())

    def _hand_out(self, call_id: str, stored: dict[str, Any]) -> None:
        answer = self._waiting.get(call_id)
        if answer is None or answer.done():
            return
        if stored["status"] == "SUCCESS":
            answer.set_result(stored["result"])
        else:  # the worker was ended over it, or took it too late
            log.warning("call_failed", call=call_id, state=stored["status"])
            answer.set_exception(
                Unavailable(_("The worker could not answer. Its log has the details."))
            )


def _broker_away() -> Unavailable:
    return Unavailable(_("The message broker does not answer. Is Redis running?"))


_calls = cast(
    "WeakKeyDictionary[asyncio.AbstractEventLoop, _Calls]", WeakKeyDictionary()
)  # an event loop's things cannot be used in another
