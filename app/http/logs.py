"""Logs: structured, to standard error, as lines for people or as JSON."""

import logging
import sys

import structlog

from app.settings import get_settings


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
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    # uvicorn's own access log would repeat ours, with query strings that may hold secrets.
    logging.getLogger("uvicorn.access").disabled = True
