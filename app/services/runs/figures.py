"""Everything that a run has measured, unthinned, for programs."""

import csv
import io
from collections.abc import Iterator
from typing import Any

import orjson
from sqlalchemy import select, tuple_

from app.db import session_scope
from app.formats.spreadsheet import plain_cell
from app.models import RunPoint

_CHUNK = 2000
_COLUMNS = ("kind", "step", "epoch", "split", "figure", "value")


def figures_csv(run_id: str) -> Iterator[bytes]:
    """One line a figure, since evaluations and steps have different ones; opens its own sessions."""
    yield _lines([_COLUMNS])
    for chunk in _chunks(run_id):
        yield _lines(
            (point["kind"], point["step"], point.get("epoch"), point.get("split"), name, value)
            for point in chunk
            for name, value in _numbers(point)
        )


def figures_json(run_id: str) -> Iterator[bytes]:
    """All points as one JSON document, as the worker reported them; opens its own sessions."""
    yield b'{"run":' + orjson.dumps(run_id) + b',"items":['
    between = b""
    for chunk in _chunks(run_id):
        yield between + b",".join(map(orjson.dumps, chunk))
        between = b","
    yield b"]}"


def _chunks(run_id: str) -> Iterator[list[dict[str, Any]]]:
    """Steps, then evaluations, each in order; no session is held while the receiver reads."""
    for kind in ("step", "evaluation"):
        last = (-1, 0)
        while True:
            query = (
                select(RunPoint.step, RunPoint.id, RunPoint.values)
                .where(
                    RunPoint.run_id == run_id,
                    RunPoint.kind == kind,
                    tuple_(RunPoint.step, RunPoint.id) > last,
                )
                .order_by(RunPoint.step, RunPoint.id)
                .limit(_CHUNK)
            )
            with session_scope(read_only=True) as session:
                rows = session.execute(query).all()
            if not rows:
                break
            last = (rows[-1].step, rows[-1].id)
            yield [{"kind": kind, "step": step, **values} for step, _id, values in rows]


def _numbers(point: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The figures of a point: numbers, those of `metrics` by their own names."""
    for name, value in {**point, **point.get("metrics", {})}.items():
        if name not in ("step", "epoch") and isinstance(value, int | float):
            yield name, value


def _lines(rows: Any) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(map(plain_cell, row) for row in rows)
    return text.getvalue().encode()
