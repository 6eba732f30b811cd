"""The audit log's page, for administrators."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated

from fastapi import Depends, Query, Request
from starlette.responses import Response

from app.http.audit import send_audit_log
from app.http.identity import Person
from app.http.routing import Db, Router
from app.services import audit
from app.services.audit import ACTIONS, AuditFilter
from app.web import audit_words
from app.web.render import is_htmx, render

router = Router(prefix="/admin/audit")


def _wanted(
    person: str = "", project: str = "", action: str = "", since: str = "", until: str = ""
) -> AuditFilter:
    first, last = _day(since), _day(until)
    return AuditFilter(
        person.strip()[:254],
        project.strip()[:200],
        action if action in ACTIONS else "",
        first,
        last and last + timedelta(days=1),
    )


def _day(text: str) -> datetime | None:
    """The beginning of a day, in UTC; None for what is no date that a database takes."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return datetime.combine(day, time(), UTC) if 1970 <= day.year < 9999 else None


Wanted = Annotated[AuditFilter, Depends(_wanted)]


@router.get("")
def audit_page(
    request: Request,
    session: Db,
    person: Person,
    wanted: Wanted,
    before: Annotated[int | None, Query(ge=1, le=2**62)] = None,
) -> Response:
    names = ("person", "project", "action", "since", "until")
    return render(
        request,
        "partials/audit.html" if is_htmx(request) else "pages/audit.html",
        page=audit.browse(session, person.actor, wanted, before=before),
        before=before,
        actions=audit_words.actions(),
        values={name: request.query_params.get(name, "") for name in names},
        active="audit",
    )


@router.get("/export.csv")
def download(person: Person, wanted: Wanted) -> Response:
    return send_audit_log(person.actor, wanted)
