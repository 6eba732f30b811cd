"""The audit log, for administrators."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Depends, Query, Response
from pydantic import BeforeValidator, Field

from app.api.schemas import Answer
from app.http.audit import send_audit_log
from app.http.identity import Person
from app.http.routing import Db, Router
from app.services import audit
from app.services.audit import AuditFilter

router = Router(prefix="/audit", tags=["Audit log (administrators)"])


class AuditPerson(Answer):
    """Who did it."""

    id: str
    email: str
    name: str


class AuditEntryOut(Answer):
    """One thing that somebody did."""

    id: int
    at: datetime
    person: AuditPerson | None = Field(description="Null for the program itself.")
    address: str | None = Field(
        description="The network address it came from; null for the command line."
    )
    project_id: str | None
    project: str | None = Field(description="The project's name; null for one that is deleted.")
    action: str = Field(examples=["version.create"])
    subject: str = Field(description="What it was done to.")
    details: dict[str, Any]


class AuditList(Answer):
    """Some entries, the newest first."""

    items: list[AuditEntryOut]
    next_before: int | None = Field(
        description="Ask with this `before` for the next page; null at the end."
    )


def _no_number(value: str) -> str:
    """Pydantic takes a number for seconds since 1970, which the document does not say."""
    try:
        float(value)
    except ValueError:
        return value
    raise ValueError("write a date and time, such as 2026-11-27T12:00:00Z")


Moment = Annotated[datetime, BeforeValidator(_no_number)]


def _wanted(
    person: Annotated[
        str, Query(description="Only this person's: an e-mail address or an id.", max_length=254)
    ] = "",
    project: Annotated[
        str, Query(description="Only of this project: a name or an id.", max_length=200)
    ] = "",
    action: Annotated[
        str, Query(description="Only of this kind.", examples=["version.create"], max_length=60)
    ] = "",
    since: Annotated[Moment | None, Query(description="Not before this moment.")] = None,
    until: Annotated[Moment | None, Query(description="Before this moment.")] = None,
) -> AuditFilter:
    return AuditFilter(person, project, action, _aware(since), _aware(until))


def _aware(moment: datetime | None) -> datetime | None:
    """A time without a zone is UTC."""
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment


Wanted = Annotated[AuditFilter, Depends(_wanted)]


@router.get("")
def list_audit_log(
    session: Db,
    person: Person,
    wanted: Wanted,
    before: Annotated[
        int | None, Query(description="Only ids below this one.", ge=1, le=2**62)
    ] = None,
    limit: Annotated[int, Query(description="At most this many.", ge=1, le=500)] = 50,
) -> AuditList:
    """Who did what, the newest first. Walk on with `next_before` as `before`."""
    page = audit.browse(session, person.actor, wanted, before=before, limit=limit)
    return AuditList(
        items=[
            AuditEntryOut(
                person=row.user and AuditPerson.model_validate(row.user),
                project=row.project,
                **{
                    field: getattr(row.entry, field)
                    for field in AuditEntryOut.model_fields
                    if field not in ("person", "project")
                },
            )
            for row in page.rows
        ],
        next_before=page.next_before,
    )


@router.get(
    "/export.csv",
    response_class=Response,
    responses={200: {"description": "All entries that fit.", "content": {"text/csv": {}}}},
)
def download_audit_log(person: Person, wanted: Wanted) -> Response:
    """The audit log as a table. A cell that a spreadsheet would run begins with an apostrophe."""
    return send_audit_log(person.actor, wanted)
