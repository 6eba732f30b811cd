"""The audit trail: who did what, when."""

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.models import AuditEntry, User

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
        )
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
