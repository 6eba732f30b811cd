"""The audit trail: who did what, when, and from where."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from app.db import session_scope
from app.i18n import mark
from app.models import AuditEntry, Project, User
from app.services.access import Actor, require_admin

ACTIONS = {
    "annotations.export": mark("downloaded all annotations"),
    "audit.export": mark("downloaded the audit log"),
    "backup.create": mark("made a backup of everything"),
    "frames.clear": mark("emptied the frame inventory"),
    "frames.load": mark("loaded frames from %(subject)s"),
    "import.cancel": mark("stopped the import of %(subject)s"),
    "import.start": mark("imported %(subject)s"),
    "import.undo": mark("took back the import of %(subject)s"),
    "job.cancel": mark("stopped a job: %(subject)s"),
    "member.remove": mark("removed %(subject)s"),
    "member.set": mark("set the role of %(subject)s"),
    "model.download": mark("downloaded the model of %(subject)s"),
    "predictions.download": mark("downloaded the predictions of %(subject)s"),
    "project.create": mark("made the project"),
    "project.delete": mark("deleted the project %(subject)s"),
    "project.update": mark("changed the settings"),
    "run.cancel": mark("cancelled %(subject)s"),
    "run.create": mark("started %(subject)s"),
    "run.delete": mark("deleted %(subject)s"),
    "run.resume": mark("took up %(subject)s again"),
    "run.update": mark("changed what is said of %(subject)s"),
    "search.cancel": mark("cancelled %(subject)s"),
    "search.create": mark("started %(subject)s"),
    "search.delete": mark("deleted %(subject)s"),
    "token.create": mark("made the API token %(subject)s"),
    "labels.merge": mark("merged the label %(subject)s into another"),
    "labels.remove": mark("removed the label %(subject)s"),
    "labels.rename": mark("renamed the label %(subject)s"),
    "labels.restore": mark("offered the label %(subject)s again"),
    "labels.retire": mark("retired the label %(subject)s"),
    "labels.separate": mark("made %(subject)s a label of its own again"),
    "labels.split": mark("split the label %(subject)s"),
    "token.revoke": mark("revoked the API token %(subject)s"),
    "user.close": mark("closed the account %(subject)s"),
    "user.create": mark("made the account %(subject)s"),
    "user.logout_everywhere": mark("logged out everywhere"),
    "user.password": mark("changed their password"),
    "user.password_reset": mark("gave %(subject)s a new password"),
    "user.reopen": mark("opened the account %(subject)s again"),
    "user.setup": mark("made the first account"),
    "version.cancel": mark("stopped version %(subject)s"),
    "version.create": mark("froze version %(subject)s"),
    "version.export": mark("downloaded version %(subject)s"),
}
"""Every kind of entry, in words. `%(subject)s` is the entry's "name", if it has one."""
_CHUNK = 1000


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which entries; an empty field leaves none out."""

    person: str = ""
    """An e-mail address or an id."""
    project: str = ""
    """A name or an id."""
    action: str = ""
    since: datetime | None = None
    until: datetime | None = None
    """Entries before this moment."""


@dataclass(frozen=True, slots=True)
class AuditRow:
    """An entry with who did it, and where; the project may be deleted by now."""

    entry: AuditEntry
    user: User | None
    project: str | None


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Some entries, the newest first, and the cursor of the next ones."""

    rows: list[AuditRow]
    next_before: int | None


MAX_SUBJECT = 100
"""Characters: of a file with a longer name, the audit log has the beginning."""


def record(
    session: Session,
    *,
    user_id: str | None,
    action: str,
    project_id: str | None = None,
    subject: str = "",
    **details: Any,
) -> None:
    """Write one entry; it commits with what it tells of."""
    session.add(
        AuditEntry(
            user_id=user_id,
            project_id=project_id,
            action=action,
            subject=subject[:MAX_SUBJECT],
            details=details,
            address=structlog.contextvars.get_contextvars().get("address"),
        )
    )


def record_download(
    actor: Actor, action: str, *, project_id: str | None, subject: str, **details: Any
) -> None:
    """Write that somebody takes data or a model away, before the first byte of it is sent.

    In a session of its own: whoever only reads has none that writes.
    """
    with session_scope() as session:
        record(
            session,
            user_id=actor.user_id,
            action=action,
            project_id=project_id,
            subject=subject,
            **details,
        )


def recent(session: Session, project_id: str, limit: int = 20) -> list[tuple[AuditEntry, str]]:
    """The newest entries of a project with the name of who did it."""
    rows = session.execute(
        select(AuditEntry, User.name)
        .outerjoin(User, User.id == AuditEntry.user_id)
        .where(AuditEntry.project_id == project_id)
        .order_by(AuditEntry.id.desc())
        .limit(limit)
    )
    return [(entry, name or "—") for entry, name in rows]


def browse(
    session: Session,
    actor: Actor,
    wanted: AuditFilter,
    *,
    before: int | None = None,
    limit: int = 50,
) -> AuditPage:
    """A page of the entries of all projects, for an administrator; `before` is the last id of the page before."""
    require_admin(actor)
    rows = _page(session, wanted, before=before, limit=limit + 1)
    more = len(rows) > limit
    return AuditPage(rows[:limit], rows[limit - 1].entry.id if more else None)


def export(actor: Actor, wanted: AuditFilter) -> Iterator[AuditRow]:
    """All entries, the newest first, for an administrator; read some at a time, in sessions of their own."""
    require_admin(actor)
    record_download(actor, "audit.export", project_id=None, subject="")
    return _all(wanted)


def _all(wanted: AuditFilter) -> Iterator[AuditRow]:
    before = None
    while True:
        with session_scope(read_only=True) as session:
            rows = _page(session, wanted, before=before, limit=_CHUNK)
        yield from rows
        if len(rows) < _CHUNK:
            return
        before = rows[-1].entry.id


def _page(
    session: Session, wanted: AuditFilter, *, before: int | None, limit: int
) -> list[AuditRow]:
    query = (
        select(AuditEntry, User, Project.name)
        .outerjoin(User, User.id == AuditEntry.user_id)
        .outerjoin(Project, Project.id == AuditEntry.project_id)
        .order_by(AuditEntry.id.desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(AuditEntry.id < before)
    found = session.execute(_filtered(session, query, wanted))
    return [AuditRow(entry, user, project) for entry, user, project in found]


def _filtered(session: Session, query: Any, wanted: AuditFilter) -> Any:
    # People and projects are looked up first: by an id the index gives entries in their order, by a query it does not.
    if word := wanted.person.strip():
        found = session.scalar(
            select(User.id).where(or_(User.email == word.lower(), User.id == word)).limit(1)
        )
        query = query.where(AuditEntry.user_id == (found or word))
    if word := wanted.project.strip():
        ids = session.scalars(select(Project.id).where(Project.name == word)).all()
        one = AuditEntry.project_id == (ids[0] if ids else word)
        query = query.where(one if len(ids) < 2 else AuditEntry.project_id.in_(ids))
    if wanted.action:
        query = query.where(AuditEntry.action == wanted.action)
    if wanted.since is not None:
        query = query.where(AuditEntry.at >= wanted.since)
    if wanted.until is not None:
        query = query.where(AuditEntry.at < wanted.until)
    return query
