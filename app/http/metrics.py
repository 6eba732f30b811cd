"""Metrics of this process for Prometheus, at `/metrics`: off unless the settings name a token or allow this machine.

Several web processes behind one address have their own figures each: they are scraped one by one. What
the database tells is the same in all of them.
"""

import ipaddress
import time
from collections.abc import Iterator

import structlog
from anyio import CapacityLimiter, to_thread
from fastapi import FastAPI, Request
from prometheus_client import (
    CollectorRegistry,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.db import session_scope
from app.models import now
from app.security.secrets import same
from app.services import figures
from app.settings import get_settings
from app.transactions import TransactionEvents

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_REQUEST_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2.5, 5, 10, 30)
_TRANSACTION_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30)
_PROXIED = ("forwarded", "x-forwarded-for", "x-real-ip", "via")

disable_created_metrics()  # type: ignore[no-untyped-call]
REGISTRY = CollectorRegistry(auto_describe=True)
REQUESTS = Histogram(
    "annotune_http_request_duration_seconds",
    "Requests by the template of their address, to the end of the answer; streams of news are not among them.",
    ["method", "route", "status"],
    buckets=_REQUEST_BUCKETS,
    registry=REGISTRY,
)
IN_PROGRESS = Gauge(
    "annotune_http_requests_in_progress",
    "Requests that are being answered, streams of news among them.",
    registry=REGISTRY,
)
TRANSACTIONS = Histogram(
    "annotune_database_transaction_seconds",
    "Transactions, from having the lock to the commit.",
    ["mode"],
    buckets=_TRANSACTION_BUCKETS,
    registry=REGISTRY,
)
LOCK_WAITS = Histogram(
    "annotune_database_lock_wait_seconds",
    "How long writers have waited for SQLite's lock.",
    buckets=_TRANSACTION_BUCKETS,
    registry=REGISTRY,
)
WRITERS_WAITING = Gauge(
    "annotune_database_writers_waiting",
    "Writers of this process that wait for SQLite's lock.",
    registry=REGISTRY,
)
_events = TransactionEvents(
    lambda mode, seconds: TRANSACTIONS.labels(mode).observe(seconds), LOCK_WAITS.observe
)
WRITERS_WAITING.set_function(lambda: _events.writers_waiting)
ProcessCollector(registry=REGISTRY)

log = structlog.get_logger()


class DatabaseFigures:
    """What the database tells, asked at each scrape: jobs, queues, workers, trainings."""

    def describe(self) -> Iterator[Metric]:
        """Nothing beforehand: the registry would ask the database at the start."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """The figures of now."""
        up = GaugeMetricFamily("annotune_database_up", "Whether the database answers.")
        try:
            with session_scope(read_only=True) as session:
                found = figures.gather(session)
        except SQLAlchemyError:
            log.warning("metrics_without_database", exc_info=True)
            up.add_metric([], 0)
            yield up
            return
        up.add_metric([], 1)
        yield up
        yield from _about_jobs(found)
        yield from _about_workers(found)


def _about_jobs(found: figures.Figures) -> Iterator[Metric]:
    jobs = GaugeMetricFamily("annotune_jobs", "Jobs not ended.", labels=["kind", "state"])
    for labels, count in found.jobs.items():
        jobs.add_metric(labels, count)
    recent = GaugeMetricFamily(
        "annotune_jobs_of_a_day", "Jobs made within a day, as they stand.", labels=["kind", "state"]
    )
    for labels, count in found.recent_jobs.items():
        recent.add_metric(labels, count)
    waiting = GaugeMetricFamily(
        "annotune_queue_waiting", "Jobs that wait.", labels=["queue", "device"]
    )
    oldest = GaugeMetricFamily(
        "annotune_queue_oldest_seconds",
        "How long the first has waited.",
        labels=["queue", "device"],
    )
    nobody = {("cpu", "any"): (0, now()), ("gpu", "any"): (0, now())}
    for labels, (count, since) in (nobody | found.queues).items():
        waiting.add_metric(labels, count)
        oldest.add_metric(labels, max(0.0, (now() - since).total_seconds()))
    speed = GaugeMetricFamily(
        "annotune_training_tokens_per_second",
        "Of runs that are going on, at their last report.",
        labels=["run", "kind"],
    )
    for training in found.trainings:
        speed.add_metric([training.run_id, training.kind], training.tokens_per_second)
    yield from (jobs, recent, waiting, oldest, speed)
    if found.lock_waits is not None:
        waits = GaugeMetricFamily(
            "annotune_database_lock_waits", "Statements that wait for a lock in PostgreSQL."
        )
        waits.add_metric([], found.lock_waits)
        yield waits


def _about_workers(found: figures.Figures) -> Iterator[Metric]:
    alive = GaugeMetricFamily(
        "annotune_workers",
        "Workers seen just now, by the queue they take.",
        labels=["queue", "device"],
    )
    counts = {("cpu", "cpu"): 0, ("gpu", "cpu"): 0}
    for worker in found.workers:
        for queue in worker.queues:
            key = (queue, worker.device_kind)
            counts[key] = counts.get(key, 0) + 1
    for labels, count in counts.items():
        alive.add_metric(labels, count)
    families = {
        name: GaugeMetricFamily(f"annotune_worker_{name}_bytes", words, labels=["worker"])
        for name, words in (
            ("memory_total", "Memory of a worker's machine."),
            ("memory_available", "What is free of it."),
            ("gpu_memory_total", "Memory of a worker's GPUs together."),
            ("gpu_memory_available", "What is free of it."),
        )
    }
    for worker in found.workers:
        for name, family in families.items():
            if (value := getattr(worker, name)) is not None:
                family.add_metric([worker.name], value)
    yield alive
    yield from families.values()


REGISTRY.register(DatabaseFigures())


class RequestMetrics:
    """Counts and times every request."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, status, streams = time.perf_counter(), 500, False

        async def noting_send(message: Message) -> None:
            nonlocal status, streams
            if message["type"] == "http.response.start":
                status = message["status"]
                streams = any(
                    name == b"content-type" and value.startswith(b"text/event-stream")
                    for name, value in message["headers"]
                )
            await send(message)

        with IN_PROGRESS.track_inprogress():
            try:
                await self.app(scope, receive, noting_send)
            finally:
                if not streams:
                    method = scope["method"] if scope["method"] in _METHODS else "other"
                    REQUESTS.labels(method, _route(scope), str(status)).observe(
                        time.perf_counter() - started
                    )


def _route(scope: Scope) -> str:
    """The template of the address, of which there are a bounded number; "none" where there is no such one."""
    if scope["path"].startswith("/static/"):
        return "/static"
    template: str | None = getattr(scope.get("route"), "path", None)
    if template is None:
        return "none"
    # A route does not know where its router was included: that is what stands before it in the address.
    before = scope["path"].count("/") - template.count("/")
    if before <= 0 or ":path}" in template:
        return template
    return "/".join(scope["path"].split("/")[: before + 1]) + template


def install(app: FastAPI) -> None:
    """Measure from now on, and answer at `/metrics`."""
    global _listening
    if not _listening:
        _events.listen()
        _listening = True
    app.add_middleware(RequestMetrics)
    limiter = CapacityLimiter(1)

    @app.get("/metrics", include_in_schema=False)
    async def metrics(request: Request) -> Response:
        if not _may_read(request):
            words = "Show the token that ANNOTUNE_METRICS_TOKEN names."
            return Response(words, 401, {"WWW-Authenticate": "Bearer"}, "text/plain")
        encode, media_type = choose_encoder(request.headers.get("accept", ""))
        body = await to_thread.run_sync(encode, REGISTRY, limiter=limiter)
        return Response(body, media_type=media_type)


_listening = False


def _may_read(request: Request) -> bool:
    settings = get_settings()
    scheme, _space, given = request.headers.get("authorization", "").partition(" ")
    token = settings.metrics_token
    if token is not None and scheme.lower() == "bearer":
        return same(given.strip(), token.get_secret_value())
    return settings.metrics_loopback and _is_loopback(request)


def _is_loopback(request: Request) -> bool:
    """Whether a program on this machine asks for itself: a proxy here would speak for the whole world."""
    if request.client is None or any(name in request.headers for name in _PROXIED):
        return False
    try:
        return ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False
