"""Waking workers: Celery messages that carry an id and little else. Tasks are named, never imported.

A request must not hang on a broker that is away. A message is given up after a moment, and for some seconds after that
no other is tried: whatever it was to wake stands in the database, and the reconciler sends it later.
"""

import time
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

import structlog
from celery import Celery
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from app.settings import get_settings

RUN_JOB = "annotune.run_job"
PREDICT = "annotune.predict"
CONNECT_SECONDS = 2.0
ANSWER_SECONDS = 2.0
"""So long the broker may take to accept a connection, and to answer on it."""
PAUSE_SECONDS = 3.0
"""So long nothing is sent after the broker has not answered."""

# The last: what the server itself answers, as while it loads its data or when its memory is full.
BROKER_ERRORS = (OperationalError, OSError, RedisError)

T = TypeVar("T")
log = structlog.get_logger()
_paused_until = 0.0


class BrokerAway(Exception):
    """The broker does not answer, or did not a moment ago."""


@cache
def _producer() -> Celery:
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
        _try(lambda: _producer().send_task(RUN_JOB, args=args, queue=queue, ignore_result=True))
    except BrokerAway as error:
        log.warning("broker_unreachable", job=job_id, error=str(error))
        return False
    return True


def publish_call(call_id: str, name: str, args: list[Any], *, queue: str, expires: float) -> None:
    """Send a call whose result the worker stores under the id. Raises BrokerAway."""
    _try(
        lambda: _producer().send_task(
            name, args=args, queue=queue, task_id=call_id, expires=expires, ignore_result=False
        )
    )


def waiting(queue: str) -> int | None:
    """How many messages wait in a queue, those that a worker has fetched already not among them. None when the
    broker does not answer."""

    def count() -> int:
        with _producer().pool.acquire(block=True) as connection:
            return int(connection.default_channel.queue_declare(queue=queue).message_count)

    try:
        return _try(count)
    except BrokerAway as error:
        log.warning("broker_unreachable", queue=queue, error=str(error))
        return None


def _try(action: Callable[[], T]) -> T:
    global _paused_until
    if time.monotonic() < _paused_until:
        raise BrokerAway("It did not answer a moment ago.")
    try:
        return action()
    except BROKER_ERRORS as error:
        _paused_until = time.monotonic() + PAUSE_SECONDS
        raise BrokerAway(str(error)) from error


def forget() -> None:
    """Begin anew with the settings as they are: another broker, as yet untried."""
    global _paused_until
    _producer.cache_clear()
    _paused_until = 0.0
