"""Logs: structured, to standard error, as lines for people or as JSON. Writing them never fails a request."""

import logging
import sys
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, Processor

from app.settings import get_settings

_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))} | {
    0x2028: "\\u2028",
    0x2029: "\\u2029",
}


def configure() -> None:
    """Set up structlog once, and send what the standard library's loggers say through the same door."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: list[Processor] = [structlog.processors.format_exc_info, _one_line, _renderer()]
    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=lambda *_names: _Lines(),
    )
    handler = _Handler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    for earlier in [each for each in root.handlers if isinstance(each, _Handler)]:
        root.removeHandler(earlier)
    root.addHandler(handler)
    for name in ("uvicorn", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    logging.raiseExceptions = (
        False  # nor does a request fail because the standard library cannot log
    )
    # uvicorn's own access log would repeat ours, with query strings that may hold secrets.
    logging.getLogger("uvicorn.access").disabled = True


def _renderer() -> Processor:
    render: Processor = (
        structlog.processors.JSONRenderer()
        if get_settings().log_json
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )

    def safely(logger: Any, name: str, event: EventDict) -> str:
        plain = {"event": event.get("event"), "level": event.get("level")}
        try:
            return str(render(logger, name, event))
        except Exception as error:  # a value that cannot be shown costs the values, not the line
            return f"{plain} (its values cannot be shown: {type(error).__name__})"

    return safely


def _one_line(_logger: Any, _name: str, event: EventDict) -> EventDict:
    """Control characters escaped, so that nobody's input can look like a line of its own."""
    shown: MutableMapping[str, Any] = {
        key: value.translate(_CONTROLS)
        if isinstance(value, str) and key not in ("exception", "stack")
        else value
        for key, value in event.items()
    }
    return shown


def _write(line: str) -> None:
    # A full disk or a closed pipe at the other end is no reason to fail what is being logged.
    with suppress(OSError, ValueError):
        stream: TextIO = sys.stderr
        stream.write(line.encode(errors="backslashreplace").decode() + "\n")
        stream.flush()


class _Lines:
    """Where structlog's lines go."""

    def msg(self, message: str) -> None:
        _write(message)

    debug = info = warning = error = critical = exception = log = msg


class _Handler(logging.Handler):
    """The same for the standard library's loggers."""

    def emit(self, record: logging.LogRecord) -> None:
        with suppress(Exception):
            _write(self.format(record))
