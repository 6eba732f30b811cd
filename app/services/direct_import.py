"""Importing in one step, as scripts do: a file, or rows that a request carries."""

from collections.abc import Iterable
from io import BytesIO
from typing import IO, Any

from app.db import session_scope
from app.errors import AnnotuneError
from app.formats.example import StoredExample, write_line
from app.models import Import, Job
from app.services import importing
from app.services.access import Actor
from app.services.import_rows import ImportOptions


def bring_in(
    actor: Actor,
    project_id: str,
    *,
    filename: str,
    stream: IO[bytes],
    options: ImportOptions | None,
) -> tuple[Import, Job | None]:
    """Upload a file and start its import; only upload it where there are no options.

    Opens its own sessions, so that a slow upload holds no lock. A file that cannot be started is removed.
    """
    form = options.format if options is not None else None
    row = importing.upload(actor, project_id, filename=filename, stream=stream, form=form)
    if options is None:
        return row, None
    try:
        with session_scope() as session:
            importing.start(session, actor, project_id, row.id, options)
    except AnnotuneError:
        with session_scope() as session:
            importing.cancel(session, actor, project_id, row.id)
        raise
    with session_scope(read_only=True) as session:
        return importing.get(session, actor, project_id, row.id)


def bring_in_rows(
    actor: Actor, project_id: str, rows: Iterable[dict[str, Any]], options: ImportOptions
) -> tuple[Import, Job | None]:
    """Import rows, each with `text` and maybe `tokens`, `annotation`, `external_id`, `meta`."""
    lines = [
        write_line(
            StoredExample(
                {"text": row["text"], "tokens": row.get("tokens")},
                external_id=row.get("external_id"),
                annotation=row.get("annotation"),
                meta=row.get("meta") or {},
            )
        )
        for row in rows
    ]
    return bring_in(
        actor,
        project_id,
        filename="rows.jsonl",
        stream=BytesIO(b"".join(lines)),
        options=options.model_copy(update={"format": "jsonl"}),
    )
