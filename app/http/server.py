"""How uvicorn serves Annotune: with the time-outs and the bound on connections that it lacks by itself."""

import asyncio
import resource
from typing import Any

import structlog
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.settings import get_settings

HEADER_SECONDS = 20.0
"""For the head of a request, from its first byte, and for a new connection to send one."""
DRAIN_SECONDS = 10.0
"""For the rest of a body that was answered before it had come in, so that its sender reads the answer."""
WRITE_SECONDS = 60.0
"""For the receiver of an answer to take what is buffered for it (64 KiB)."""
MAX_HEADER_BYTES = 64 << 10
_OTHER_FILES = 512
"""Database connections, uploads in work, files that are sent."""
_STOP_SECONDS = 3
"""Pages that stay open for news must not hold up a stop."""

log = structlog.get_logger()


def configuration(application: FastAPI, **options: Any) -> uvicorn.Config:
    """The configuration of a web process."""
    return uvicorn.Config(
        application,
        http=BoundedProtocol,
        ws="none",
        log_level="warning",
        access_log=False,
        # The application itself knows which proxies to believe (app/http/proxies.py).
        proxy_headers=False,
        timeout_graceful_shutdown=_STOP_SECONDS,
        **options,
    )


def raise_file_limit() -> None:
    """Let this process open as many files as its connections need, as far as the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = get_settings().max_connections + _OTHER_FILES
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class BoundedProtocol(HttpToolsProtocol):
    """A connection that ends if its other side does not go on. Bodies on their way in are bounded by the
    application (`app.http.bodies`), which can say so in words."""

    _timer: asyncio.TimerHandle | None = None
    _writing: asyncio.TimerHandle | None = None
    _head_bytes = 0
    _in_head = True
    _in_body = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > get_settings().max_connections:
            log.warning("connection_refused", connections=len(self.connections))
            self._refuse(503, "Too many connections are open. Try again in a few seconds.")
            return
        self._start(HEADER_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop()
        if self._writing is not None:
            self._writing.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        if self._in_head:
            # Not begun anew with each byte: that is what a slow sender would want.
            if self._timer is None:
                self._start(HEADER_SECONDS)
            self._head_bytes += len(data)
        super().data_received(data)
        if (
            self._in_head
            and self._head_bytes > MAX_HEADER_BYTES
            and not self.transport.is_closing()
        ):
            self._refuse(431, "The head of the request is too large.")

    def on_headers_complete(self) -> None:
        self._stop()
        self._in_head, self._in_body, self._head_bytes = False, True, 0
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._stop()
        self._in_head, self._in_body = True, False
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._in_body:
            self._start(DRAIN_SECONDS)

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._writing is None:
            self._writing = self.loop.call_later(WRITE_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._writing is not None:
            self._writing.cancel()
            self._writing = None

    def _start(self, seconds: float) -> None:
        self._stop()
        self._timer = self.loop.call_later(seconds, self._too_slow)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_slow(self) -> None:
        self._timer = None
        if self.transport.is_closing():
            return
        if (
            self._in_head
            and self._head_bytes
            and (self.cycle is None or self.cycle.response_complete)
        ):
            self._refuse(408, "The request comes in too slowly.")
        else:
            self.transport.close()

    def _refuse(self, status: int, message: str) -> None:
        """Answer before there is a request that the application could answer."""
        body = message.encode()
        phrase = {
            408: "Request Timeout",
            431: "Request Header Fields Too Large",
            503: "Service Unavailable",
        }
        head = [
            f"HTTP/1.1 {status} {phrase[status]}",
            "content-type: text/plain; charset=utf-8",
            f"content-length: {len(body)}",
            "connection: close",
            *(["retry-after: 5"] if status == 503 else []),
        ]
        self.transport.write("\r\n".join([*head, "", ""]).encode() + body)
        self.transport.close()
