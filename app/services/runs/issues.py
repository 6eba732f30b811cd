"""What a run found to be wrong with its data."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from app.models import Example, LabelIssue, Run


def store_issues(session: Session, run: Run, found: Iterable[dict[str, Any]]) -> None:
    """Keep the likely label errors that a run found, the worst first.

    What somebody has dismissed stays so in a new list, as long as the same is given.
    """
    known = {
        issue.example_id: issue
        for issue in session.scalars(
            select(LabelIssue)
            .where(LabelIssue.project_id == run.project_id, LabelIssue.dismissed_at.is_not(None))
            .order_by(LabelIssue.id)
        )
    }
    there = set(session.scalars(select(Example.id).where(Example.project_id == run.project_id)))
    rows = []
    for line in found:
        if line["id"] not in there:  # deleted since the version was frozen
            continue
        earlier = known.get(line["id"])
        dismissed = earlier if earlier is not None and earlier.given == line["given"] else None
        rows.append(
            {
                "project_id": run.project_id,
                "run_id": run.id,
                "example_id": line["id"],
                "score": line["score"],
                "given": line["given"],
                "suggested": line["suggested"],
                "dismissed_by": dismissed and dismissed.dismissed_by,
                "dismissed_at": dismissed and dismissed.dismissed_at,
            }
        )
    if rows:
        session.execute(insert(LabelIssue), rows)
