"""Sending the figures of runs as CSV or JSON, the same from the pages and from the API."""

import csv
import io
from typing import Literal

import orjson
from sqlalchemy.orm import Session
from starlette.responses import Response

from app.formats.spreadsheet import plain_cell
from app.http.download import disposition, send_stream
from app.services import runs
from app.services.access import Actor
from app.services.runs import RunFilter, RunView

Form = Literal["csv", "json"]
_MEDIA = {"csv": "text/csv; charset=utf-8", "json": "application/json"}


def send_figures(view: RunView, *, form: Form) -> Response:
    """All that a run has measured, streamed."""
    chunks = runs.figures_csv if form == "csv" else runs.figures_json
    return send_stream(
        chunks(view.run.id), filename=f"{view.run.name}.figures.{form}", media_type=_MEDIA[form]
    )


def send_leaderboard(
    session: Session, actor: Actor, project_id: str, *, form: Form, wanted: RunFilter
) -> Response:
    """The whole leaderboard of a project."""
    board = runs.leaderboard(session, actor, project_id, wanted=wanted, size=runs.MOST)
    rows = list(runs.leaderboard_rows(board))
    if form == "json":
        body = orjson.dumps({"metric": board.metric, "items": rows}, option=orjson.OPT_UTC_Z)
    else:
        text = io.StringIO()
        sheet = csv.DictWriter(text, runs.LEADERBOARD_COLUMNS, lineterminator="\n")
        sheet.writeheader()
        sheet.writerows({name: plain_cell(value) for name, value in row.items()} for row in rows)
        body = text.getvalue().encode()
    headers = {"Content-Disposition": disposition(f"leaderboard.{form}")}
    return Response(body, media_type=_MEDIA[form], headers=headers)
