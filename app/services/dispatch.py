"""Waking workers: Celery messages that carry an id and little else. Tasks are named, never imported.

A request must not hang on a broker that is away. A message is given up after a moment, and for some seconds after that
no other is tried: whatever it was to wake stands in the database, and the reconciler sends it later.
"""

import threading
import time
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

import structlog

from app.settings import get_settings

if TYPE_CHECKING:
    from celery import Celery

RUN_JOB = "annotune.run_job"
PREDICT = "annotune.predict"
TIDY = "annotune.tidy"
CONNECT_SECONDS = 2.0
ANSWER_SECONDS = 2.0
"""So long the broker may take to accept a connection, and to answer on it."""
PAUSE_SECONDS = 3.0
"""So long nothing is sent after the broker has not answered."""

T = TypeVar("T")
log = structlog.get_logger()


class BrokerAway(Exception):
    """The broker does not answer, or did not a moment ago."""


@cache
def broker_errors() -> tuple[type[Exception], ...]:
    """What is raised when the broker does not answer as it should."""
    from kombu.exceptions import OperationalError
    from redis.exceptions import RedisError

    # The last: what the server itself answers, as while it loads its data or when its memory is full.
    return OperationalError, OSError, RedisError


_first_use = threading.Lock()


def _producer() -> "Celery":
    # Celery's package replaces itself while it is imported, which two threads must not see at once.
    with _first_use:
        return _make_producer()


# Celery takes 30 MB and a quarter of a second, so a web server imports it with the first job and not at its start.
@cache
def _make_producer() -> "Celery":
    from celery import Celery

    app = Celery("annotune", broker=get_settings().broker)
    app.conf.update(
        task_serializer="json",
        accept_content=["json"],
        broker_connection_retry_on_startup=False,
        broker_transport_options={
            "socket_connect_timeout": CONNECT_SECONDS,
            "socket_timeout": ANSWER_SECONDS,
            "max_retries": 0,
        },
        task_publish_retry=False,
    )
    return app


def wake(job_id: str, queue: str, share: str | None = None) -> bool:
    """Tell a worker that there is a job, with half of its secret. False when the broker does not answer."""
    args = [job_id] if share is None else [job_id, share]
    try:
        _breaker.call(
            lambda: _producer().send_task(RUN_JOB, args=args, queue=queue, ignore_result=True)
        )
    except BrokerAway as error:
        log.warning("broker_unreachable", job=job_id, error=str(error))
        return False
    return True


def publish_call(call_id: str, name: str, args: list[Any], *, queue: str, expires: float) -> None:
    """Send a call whose result the worker stores under the id. Raises BrokerAway."""
    _breaker.call(
        lambda: _producer().send_task(
            name, args=args, queue=queue, task_id=call_id, expires=expires, ignore_result=False
        )
    )


def tidy() -> None:
    """Have a worker clear away what broken-off work has left; the next time, where the broker does not answer."""
    try:
        _breaker.call(
            lambda: _producer().send_task(TIDY, queue="cpu", ignore_result=True, expires=3600)
        )
    except BrokerAway as error:
        log.warning("broker_unreachable", error=str(error))


def waiting(queue: str) -> int | None:
    """How many messages wait in a queue, those that a worker has fetched already not among them. None when the
    broker does not answer."""

    def count() -> int:
        with _producer().pool.acquire(block=True) as connection:
            return int(connection.default_channel.queue_declare(queue=queue).message_count)

    try:
        return _breaker.call(count)
    except BrokerAway as error:
        log.warning("broker_unreachable", queue=queue, error=str(error))
        return None


class _Breaker:
    """Lets one message find out whether a broker that was silent answers again; the others are given up at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._silent = False
        self._next_try = 0.0

    def call(self, action: Callable[[], T]) -> T:
        """What the action returns. Raises BrokerAway."""
        with self._lock:
            if self._silent and time.monotonic() < self._next_try:
                raise BrokerAway("It did not answer a moment ago.")
            self._next_try = time.monotonic() + PAUSE_SECONDS
        try:
            found = action()
        except broker_errors() as error:
            self._silent = True
            self._next_try = time.monotonic() + PAUSE_SECONDS
            raise BrokerAway(str(error)) from error
        self._silent = False
        return found


_breaker = _Breaker()


def forget() -> None:
    """Begin anew with the settings as they are: another broker, as yet untried."""
    global _breaker
    _make_producer.cache_clear()
    _breaker = _Breaker()
