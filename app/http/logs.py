"""Logs: structured, to standard error, as lines for people or as JSON."""

import logging
import sys
from contextlib import suppress

import structlog

from app.settings import get_settings


class _Logger(structlog.PrintLogger):
    """Writes lines as long as somebody takes them: a request does not fail because its log cannot be written."""

    def msg(self, message: str) -> None:
        """Write a line, or not."""
        # The disk is full, the reader of a pipe has gone, the stream is closed.
        with suppress(OSError, ValueError):
            super().msg(message)

    log = debug = info = warn = warning = error = critical = exception = fatal = failure = msg


class _LoggerFactory:
    """Makes the loggers of structlog's configuration."""

    def __call__(self, *_names: str) -> _Logger:
        return _Logger(sys.stderr)


def configure() -> None:
    """Set up structlog once, and let the standard library's warnings through the same door."""
    renderer = (
        structlog.processors.JSONRenderer()
        if get_settings().log_json
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=_LoggerFactory(),
    )
    logging.raiseExceptions = False  # nor does one because the standard library's cannot
    # uvicorn's own access log would repeat ours, with query strings that may hold secrets.
    logging.getLogger("uvicorn.access").disabled = True
