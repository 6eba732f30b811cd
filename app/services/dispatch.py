"""Waking workers: Celery messages that carry an id and nothing else. Tasks are named, never imported."""

from functools import cache
from typing import TYPE_CHECKING, Any

import structlog

from app.errors import Unavailable
from app.i18n import gettext as _
from app.settings import get_settings

if TYPE_CHECKING:
    from celery import Celery

RUN_JOB = "annotune.run_job"
PREDICT = "annotune.predict"
TIDY = "annotune.tidy"

log = structlog.get_logger()


# Celery takes 30 MB and a quarter of a second, so a web server imports it with the first job and not at its start.
@cache
def _producer() -> "Celery":
    from celery import Celery

    app = Celery("annotune", broker=get_settings().broker, backend=get_settings().broker)
    app.conf.update(
        task_serializer="json",
        accept_content=["json"],
        broker_connection_retry_on_startup=False,
        # A request must not hang on a broker that is away: the reconciler sends the message later.
        broker_transport_options={
            "socket_connect_timeout": 2,
            "socket_timeout": 5,
            "max_retries": 1,
            "interval_start": 0,
        },
        redis_socket_connect_timeout=2,
        result_backend_transport_options={
            "retry_policy": {"max_retries": 1, "interval_start": 0, "interval_step": 0}
        },
        result_expires=600,
        task_publish_retry=False,
    )
    return app


@cache
def _broker_errors() -> tuple[type[Exception], ...]:
    from kombu.exceptions import OperationalError
    from redis.exceptions import RedisError

    # The last: what the server itself answers, as while it loads its data or when its memory is full.
    return OperationalError, OSError, RedisError


def wake(job_id: str, queue: str, share: str | None = None) -> bool:
    """Tell a worker that there is a job, with half of its secret. False when the broker does not answer."""
    args = [job_id] if share is None else [job_id, share]
    try:
        _producer().send_task(RUN_JOB, args=args, queue=queue, ignore_result=True)
    except _broker_errors() as error:
        log.warning("broker_unreachable", job=job_id, error=str(error))
        return False
    return True


def tidy() -> None:
    """Have a worker clear away what broken-off work has left; the next time, where the broker does not answer."""
    try:
        _producer().send_task(TIDY, queue="cpu", ignore_result=True, expires=3600)
    except _broker_errors() as error:
        log.warning("broker_unreachable", error=str(error))


def forget() -> None:
    """After a fork: the connections are the parent's."""
    _producer.cache_clear()


def waiting(queue: str) -> int | None:
    """How many messages wait in a queue, those that a worker has fetched already not among them. None when the
    broker does not answer."""
    try:
        with _producer().pool.acquire(block=True) as connection:
            return int(connection.default_channel.queue_declare(queue=queue).message_count)
    except _broker_errors() as error:
        log.warning("broker_unreachable", queue=queue, error=str(error))
        return None


def ask(name: str, args: list[Any], *, queue: str, timeout: float) -> Any:
    """Have a worker compute something now and wait for it. Raises Unavailable."""
    from celery.exceptions import TimeoutError as CeleryTimeout

    # Celery's result backend says it with a RuntimeError when it has given up reconnecting.
    errors: tuple[type[Exception], ...] = (*_broker_errors(), RuntimeError)
    try:
        result = _producer().send_task(name, args=args, queue=queue, expires=timeout)
        try:
            return result.get(timeout=timeout, disable_sync_subtasks=False)
        finally:
            result.forget()
    except CeleryTimeout:
        raise Unavailable(
            _(
                "No worker answered in %(n)s seconds. Start one with “annotune worker”.",
                n=int(timeout),
            )
        ) from None
    except errors as error:
        raise Unavailable(_("The message broker does not answer. Is Redis running?")) from error
