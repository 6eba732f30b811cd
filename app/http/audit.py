"""Sending the audit log as a table, the same from the page and from the API."""

import orjson
from starlette.responses import Response

from app.formats import spreadsheet
from app.http.download import send_stream
from app.services import audit
from app.services.access import Actor

COLUMNS = (
    "id",
    "at",
    "person",
    "email",
    "address",
    "project_id",
    "project",
    "action",
    "subject",
    "details",
)


def send_audit_log(actor: Actor, wanted: audit.AuditFilter) -> Response:
    """All entries that fit, as CSV."""
    rows = (
        (
            row.entry.id,
            row.entry.at.isoformat(),
            row.user.name if row.user else "",
            row.user.email if row.user else "",
            row.entry.address or "",
            row.entry.project_id or "",
            row.project or "",
            row.entry.action,
            row.entry.subject,
            orjson.dumps(row.entry.details).decode(),
        )
        for row in audit.export(actor, wanted)
    )
    return send_stream(
        spreadsheet.lines(COLUMNS, rows), filename="audit.csv", media_type="text/csv; charset=utf-8"
    )
