"""Second thoughts about an import: taking its examples out again, or reading its file once more in another way."""

import shutil
import time

from sqlalchemy import ColumnElement, delete, exists, func, select
from sqlalchemy.orm import Session

from app.db import session_scope
from app.errors import Conflict, NotFound
from app.i18n import gettext as _
from app.models import ACTIVE_STATES, Annotation, Example, Import, ImportUpdate, Job, new_id
from app.services import (
    audit,
    contributions,
    import_updates,
    importing,
    jobs,
    label_sets,
    versions,
)
from app.services.access import Actor, project_for
from app.services.batches import Batches
from app.services.import_job import next_rows
from app.storage import CHUNK, get_storage


def start(session: Session, actor: Actor, project_id: str, import_id: str) -> Import:
    """Queue the removal of an import's examples, with what the file said of them; those that people have worked on
    stay, and versions keep theirs.

    Versions that are asked for from now on have none of it. Asking again while it goes on changes nothing. Raises
    Conflict for an import that has not succeeded.
    """
    project_for(session, actor, project_id, "manager", write=True)
    label_sets.locked(session, project_id)
    row, job = importing.get(session, actor, project_id, import_id, lock=True)
    if job is None or job.state != "succeeded":
        raise Conflict(_("Only an import that has succeeded can be taken back."))
    before = session.get(Job, row.undo_job_id) if row.undo_job_id else None
    if before is not None and before.state in ACTIVE_STATES:
        return row
    row.undo_job_id = jobs.create(
        session, kind="undo", queue="cpu", project_id=project_id, created_by=actor.user_id
    ).id
    row.report = row.report | {"removed": 0}
    audit.record(
        session,
        user_id=actor.user_id,
        action="import.undo",
        project_id=project_id,
        subject=row.filename,
    )
    session.flush()
    return row


def cancel(session: Session, actor: Actor, project_id: str, import_id: str) -> None:
    """Stop taking an import back: what is removed by then is gone, the rest stays."""
    project_for(session, actor, project_id, "manager", write=True)
    row, _job = importing.get(session, actor, project_id, import_id)
    if undo := importing.undo_job(session, row):
        jobs.request_cancel(session, undo)


def run(claim: jobs.Claim) -> None:
    """Take out what an import brought in, some examples at a time; a later attempt goes on where this one ends."""
    with session_scope(read_only=True) as session:
        row = session.scalars(select(Import).where(Import.undo_job_id == claim.job_id)).one()
        if versions.needs_rows_of(session, row):
            raise jobs.Interrupted  # back into the queue, behind the version's job
        left = _count(session, Example.import_id == row.id)
    removed = int(row.report.get("removed", 0))
    total = removed + left
    batches, after = Batches(), 0
    while True:
        if not jobs.renew(claim, {"phase": "removing", "done": removed, "total": total}):
            raise jobs.Cancelled
        with batches.transaction() as session:
            jobs.hold(session, claim).attempt = 1  # what is done stays done
            last = next_rows(session, row.id, after, batches.rows)
            if last is not None:
                removed += _remove(session, row, after, last)
                session.get_one(Import, row.id).report = row.report | {"removed": removed}
                after = last
                continue
        with session_scope(read_only=True) as session:
            if not _count(session, _untouched(row), limit=1):
                break
        time.sleep(0.05)  # somebody had just one of them open
        after = 0
    said = import_updates.take_back(claim, row)
    label_sets.recount(row.project_id)
    with session_scope() as session:
        kept = _count(session, Example.import_id == row.id)
        end = {"done": total, "total": total, "removed": removed, "kept": kept}
        end |= {"labels_removed": said[0], "labels_kept": said[1]}
        jobs.succeed(session, claim, end)


def _remove(session: Session, row: Import, after: int, last: int) -> int:
    """Remove an import's examples up to `last` that nobody has worked on, and count them out of the project; how many.

    Examples are locked before the project, as whoever saves an annotation does; one that somebody is just writing
    to is passed by.
    """
    untouched = _untouched(row) & (Example.id > after) & (Example.id <= last)
    ids = session.scalars(
        select(Example.id)
        .where(untouched)
        .order_by(Example.id)
        .with_for_update(of=Example, skip_locked=True)
    ).all()
    # Looked at again, now that nobody can add a word to them.
    rows = session.execute(
        select(Example.id, Example.gold_id).where(untouched, Example.id.in_(ids))
    ).all()
    if not rows:
        return 0
    found = [example.id for example in rows]
    session.execute(delete(Annotation).where(Annotation.example_id.in_(found)))
    session.execute(delete(Example).where(Example.id.in_(found)))
    labelled = sum(example.gold_id is not None for example in rows)
    contributions.add(session, row.project_id, {}, examples=-len(rows), labelled=-labelled)
    return len(rows)


def _untouched(row: Import) -> ColumnElement[bool]:
    by_people = exists().where(Annotation.example_id == Example.id, Annotation.source != "import")
    updated = exists().where(ImportUpdate.example_id == Example.id)
    return (Example.import_id == row.id) & ~by_people & ~updated


def _count(session: Session, which: ColumnElement[bool], limit: int | None = None) -> int:
    found = select(Example.id).where(which).limit(limit).subquery()
    return session.scalar(select(func.count()).select_from(found)) or 0


def again(actor: Actor, project_id: str, import_id: str) -> Import:
    """A new import of the file of one that has failed or was cancelled, with its choices, to be looked at and
    started. Raises Conflict for another import, or where the file has been cleared away."""
    with session_scope(read_only=True) as session:
        project_for(session, actor, project_id, "manager", write=True)
        row, job = importing.get(session, actor, project_id, import_id)
    if job is None or job.state not in ("failed", "cancelled"):
        raise Conflict(_("Only an import that has failed or was cancelled can be tried again."))
    new, storage = new_id(), get_storage()
    try:
        with (
            storage.reading(f"uploads/{import_id}") as source,
            storage.writing(f"uploads/{new}") as sink,
        ):
            shutil.copyfileobj(source, sink, CHUNK)
    except NotFound:
        raise Conflict(_("The file is not kept any more: upload it again.")) from None
    with session_scope() as session:
        copy = Import(
            id=new,
            project_id=project_id,
            user_id=actor.user_id,
            filename=row.filename,
            size=row.size,
            sha256=row.sha256,
            format=row.format,
            options=row.options,
        )
        session.add(copy)
    return copy
