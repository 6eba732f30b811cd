"""Second thoughts about an import: taking its examples out again, or reading its file once more in another way."""

import shutil
from dataclasses import dataclass

from sqlalchemy import delete, exists, func, select

from app.db import session_scope
from app.errors import Conflict, NotFound
from app.i18n import gettext as _
from app.models import Annotation, Example, Import, new_id
from app.services import audit, contributions, importing
from app.services.access import Actor, project_for
from app.storage import CHUNK, get_storage

_BATCH = 2000


@dataclass(frozen=True, slots=True)
class Undone:
    """What became of an import's examples."""

    removed: int
    kept: int
    """Those that somebody has labelled, skipped or commented on since."""


def undo(actor: Actor, project_id: str, import_id: str) -> Undone:
    """Remove the examples of an import, with what the file said of them; those that people have worked on stay,
    and versions keep theirs.

    Opens its own sessions, some thousands of examples at a time: where it is broken off, it can be done again.
    Raises Conflict for an import that has not succeeded.
    """
    with session_scope(read_only=True) as session:
        project_for(session, actor, project_id, "manager", write=True)
        row, job = importing.get(session, actor, project_id, import_id)
        if job is None or job.state != "succeeded":
            raise Conflict(_("Only an import that has succeeded can be taken back."))
    removed = 0
    while (found := _remove_some(project_id, import_id)) is not None:
        removed += found
    with session_scope() as session:
        audit.record(
            session,
            user_id=actor.user_id,
            action="import.undo",
            project_id=project_id,
            subject=row.filename,
        )
        kept = session.scalar(select(func.count()).where(Example.import_id == import_id)) or 0
    return Undone(removed, kept)


def _remove_some(project_id: str, import_id: str) -> int | None:
    """Remove some of an import's examples that nobody has worked on, and count them out of the project; how many,
    None where there are none left."""
    by_people = exists().where(Annotation.example_id == Example.id, Annotation.source != "import")
    untouched = (Example.import_id == import_id) & ~by_people
    with session_scope() as session:
        looked = select(Example.id).where(untouched).order_by(Example.id).limit(_BATCH)
        ids = session.scalars(looked.with_for_update(of=Example)).all()
        if not ids:
            return None
        # Looked at again, now that nobody can add a word to them.
        rows = session.execute(
            select(Example.id, Example.gold_id).where(Example.id.in_(ids), untouched)
        ).all()
        session.execute(delete(Example).where(Example.id.in_([row.id for row in rows])))
        labelled = sum(row.gold_id is not None for row in rows)
        contributions.add(session, project_id, {}, examples=-len(rows), labelled=-labelled)
        return len(rows)


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
