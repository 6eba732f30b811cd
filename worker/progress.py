"""What a training process reports, read as it grows: its progress lines and its log."""

import codecs
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

_LOG_PIECE = 256 * 1024  # bytes of the log per reading, so that one row of the database stays small

log = structlog.get_logger()


@dataclass
class Report:
    """News since the last report that reached the database."""

    points: list[dict[str, Any]] = field(default_factory=list)
    log: str = ""
    environment: dict[str, Any] | None = None
    resumed_at: int | None = None
    """Points of later steps, reported by an earlier attempt, are void."""
    news: bool = False
    """Whether there is anything to tell."""


class Progress:
    """Follows a working folder's `progress.jsonl` and `log.txt`; a last line still being written waits."""

    def __init__(self, folder: Path) -> None:
        """From the first progress line, which may be an earlier attempt's, and from the log's end."""
        self._lines = folder / "progress.jsonl"
        self._log = folder / "log.txt"
        self.had_earlier_attempt = self._lines.exists()
        self._lines_read = 0
        self._log_read = self._log.stat().st_size if self._log.exists() else 0
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self.state: dict[str, Any] = {}
        """Where the run stands, as the pages show it."""

    def read(self, report: Report) -> bool:
        """Add what is new to a report. False: there was nothing."""
        lines, text = self._new_lines(), self._new_log()
        for line in lines:
            self._take(line, report)
        report.log += text
        report.news = report.news or bool(lines or text)
        return bool(lines or text)

    def _take(self, line: bytes, report: Report) -> None:
        try:
            event = json.loads(line)
            kind = event["type"]
            if kind in ("step", "evaluation", "resumed"):
                event["step"] = int(event["step"])
        except (ValueError, KeyError, TypeError):
            log.warning("progress_line_not_understood", line=line[:200])
            return
        if kind in ("step", "evaluation"):
            report.points.append(event)
        if kind == "step":
            self.state |= {
                "done": event["step"],
                "total": event.get("total_steps"),
                "epoch": event.get("epoch"),
                "eta_seconds": event.get("eta_seconds"),
            }
        elif kind == "status":
            self.state |= {"phase": event.get("phase", ""), "text": event.get("text", "")}
        elif kind == "fold":
            self.state |= {"fold": event.get("number"), "folds": event.get("folds")}
        elif kind == "environment":
            report.environment = {key: value for key, value in event.items() if key != "type"}
        elif kind == "resumed":
            self.state["resumed"] = event["step"]
            report.points = [point for point in report.points if point["step"] <= event["step"]]
            if report.resumed_at is None or event["step"] < report.resumed_at:
                report.resumed_at = event["step"]

    def _new_lines(self) -> list[bytes]:
        data = _read_from(self._lines, self._lines_read)
        whole = data[: data.rfind(b"\n") + 1]
        self._lines_read += len(whole)
        return whole.splitlines()

    def _new_log(self) -> str:
        data = _read_from(self._log, self._log_read, _LOG_PIECE)
        self._log_read += len(data)
        return self._decoder.decode(data)


def _read_from(path: Path, offset: int, limit: int = -1) -> bytes:
    try:
        with path.open("rb") as stream:
            stream.seek(offset)
            return stream.read(limit)
    except FileNotFoundError:
        return b""
