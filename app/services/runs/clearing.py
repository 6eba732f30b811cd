"""Clearing what a run has reported, before the run itself is deleted."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, select

from app.db import session_scope
from app.errors import Conflict
from app.i18n import gettext as _
from app.models import FINAL_STATES, LabelIssue, RunLog, RunPoint
from app.services.access import Actor
from app.services.batches import Batches
from app.services.runs.reading import managed

_TABLES: tuple[Any, ...] = (RunPoint, RunLog, LabelIssue)


def clear_reports(actor: Actor, run_ids: Sequence[str]) -> None:
    """Delete the curves, logs and lists of label issues of ended runs that are about to be deleted.

    Opens its own sessions, since there may be very many rows. Raises NotFound, Forbidden, and Conflict while one of
    the runs is going on.
    """
    with session_scope(read_only=True) as session:
        for run_id in run_ids:
            if managed(session, actor, run_id).job.state not in FINAL_STATES:
                raise Conflict(_("Cancel the run first, then delete it."))
    batches = Batches()
    for table in _TABLES:
        own, found = table.run_id.in_(run_ids), True
        while found:
            with session_scope(read_only=True) as session:
                ids = session.scalars(select(table.id).where(own).limit(batches.rows)).all()
            if found := bool(ids):
                with batches.transaction() as session:
                    session.execute(delete(table).where(table.id.in_(ids)))
