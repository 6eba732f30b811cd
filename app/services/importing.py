"""Importing a file into a project: upload, preview, and the start of the job that reads it (`import_job`)."""

import hashlib
import time
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from pathlib import PurePath
from typing import IO

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db import session_scope
from app.errors import Conflict, InvalidInput, NotFound, TooLarge
from app.formats import READERS, guess_format
from app.formats import preview as preview_format
from app.formats.base import Record, RowProblem
from app.formats.bounds import batched
from app.i18n import gettext as _
from app.models import ACTIVE_STATES, Import, Job, Project, new_id
from app.services import audit, id_findings, import_updates, jobs
from app.services.access import Actor, project_for
from app.services.import_job import known_texts
from app.services.import_rows import (
    ImportOptions,
    ImportPreview,
    checked_preview,
)
from app.services.split_findings import SplitFindings
from app.settings import get_settings
from app.storage import CHUNK, get_storage
from app.tasks import get_task
from app.tasks.content import content_hash

_PREVIEW_ROWS = 20
_LOOK_SECONDS = 2.0
_LOOK_ROWS, _LOOK_SIZE = 500, 1 << 20
"""Rows, and characters of texts, that are read between two looks at the time."""


def upload(
    actor: Actor, project_id: str, *, filename: str, stream: IO[bytes], form: str | None = None
) -> Import:
    """Store a file for import, in the format that is named or recognised. Opens its own sessions, so that a slow
    upload holds no lock.

    Raises TooLarge or InvalidInput (an empty file, one of no known format).
    """
    with session_scope(read_only=True) as session:
        project = project_for(session, actor, project_id, "manager", write=True)
    import_id, digest, size = new_id(), hashlib.sha256(), 0
    bound = get_settings().max_upload_mb << 20
    head = b""
    with get_storage().writing(f"uploads/{import_id}") as sink:
        while chunk := stream.read(CHUNK):
            head = head or chunk
            size += len(chunk)
            if size > bound:
                raise TooLarge(_("The file is larger than %(n)s MiB: split it.", n=bound >> 20))
            digest.update(chunk)
            sink.write(chunk)
        if not size:
            raise InvalidInput.at("file", _("The file is empty."))
        name = PurePath(filename.replace("\\", "/")).name[-300:] or "file"
        form = (
            _reader_name(project, form)
            if form
            else guess_format(name, head, project.task, language=project.language)
        )
    with session_scope() as session:
        row = Import(
            id=import_id,
            project_id=project_id,
            user_id=actor.user_id,
            filename=name,
            size=size,
            sha256=digest.hexdigest(),
            format=form,
        )
        session.add(row)
    return row


def preview(
    session: Session,
    actor: Actor,
    project_id: str,
    import_id: str,
    options: ImportOptions | None = None,
) -> ImportPreview:
    """The first rows as they will be read, the columns, and what is wrong with them. Raises Conflict once the
    import is started."""
    row = _waiting(session, actor, project_id, import_id)
    project = project_for(session, actor, project_id, "manager")
    options = options or ImportOptions()
    name = _reader_name(project, options.format or row.format)
    with get_storage().reading(f"uploads/{import_id}") as stream:
        read = options.reading(project)
        found = preview_format(stream, name, project.task, read, limit=_PREVIEW_ROWS)
    shown = checked_preview(found, project, options)
    hashes = [content_hash(record.text) for record in shown.records]
    known = known_texts(row, set(hashes))
    labels, findings = _look_ahead(row, project, options)
    shown = replace(
        shown,
        duplicates=sum(digest in known for digest in hashes),
        labels=labels,
        unused=shown.unused | findings,
    )
    if options.on_duplicate != "update":
        return shown
    good = [(record, {"text": record.text}, record.annotation) for record in shown.records]
    return replace(shown, updates=dict(import_updates.expected(row, project, good)))


def _look_ahead(
    row: Import, project: Project, options: ImportOptions
) -> tuple[list[str], Counter[str]]:
    """(the labels that the file uses, in the order they come, what it says of splits and ids and is not followed), as
    far as it is read within two seconds: sorted files have some of it at the end alone."""
    reader = READERS[_reader_name(project, options.format or row.format)]
    task = get_task(project.task)
    labels: dict[str, None] = {}
    findings, split_findings = Counter[str](), SplitFindings(row, is_staged=False)
    ids: list[str | None] = []
    until = time.monotonic() + _LOOK_SECONDS
    with (
        get_storage().reading(f"uploads/{row.id}") as stream,
        suppress(InvalidInput),  # a wrong file: the preview says so
    ):
        items = reader.read(stream, project.task, options.reading(project))
        for batch in batched(items, count=_LOOK_ROWS, weight=_LOOK_SIZE, weigh=_weight):
            records = [item for item in batch if isinstance(item, Record)]
            for record in records:
                if record.annotation is not None:
                    with suppress(InvalidInput):  # a wrong row: the preview names it
                        names = task.label_names(task.parse_payload(record.annotation))
                        labels |= dict.fromkeys(names)
            ids += [record.external_id for record in records]
            findings += split_findings.find(
                (record.text, options.split or record.split) for record in records
            )
            if time.monotonic() > until:
                break
    return list(labels), findings + id_findings.among(ids)


def _weight(item: Record | RowProblem) -> int:
    return len(item.text) if isinstance(item, Record) else 0


def start(
    session: Session, actor: Actor, project_id: str, import_id: str, options: ImportOptions
) -> Import:
    """Queue the import. Starting it a second time changes nothing. Raises Conflict for other options then."""
    row, job = get(session, actor, project_id, import_id, lock=True)
    project = project_for(session, actor, project_id, "manager", write=True)
    if job is not None:
        if row.options != options.model_dump(mode="json"):
            raise Conflict(_("This import was started already, with other options."))
        return row
    row.format = _reader_name(project, options.format or row.format)
    row.options = options.model_dump(mode="json")
    row.job_id = jobs.create(
        session, kind="import", queue="cpu", project_id=project_id, created_by=actor.user_id
    ).id
    audit.record(
        session,
        user_id=actor.user_id,
        action="import.start",
        project_id=project_id,
        subject=row.filename,
    )
    session.flush()
    return row


def get(
    session: Session, actor: Actor, project_id: str, import_id: str, *, lock: bool = False
) -> tuple[Import, Job | None]:
    """An import with its job, once it has one. Raises NotFound."""
    project_for(session, actor, project_id)
    query = select(Import).where(Import.id == import_id, Import.project_id == project_id)
    row = session.scalar(query.with_for_update() if lock else query)
    if row is None:
        raise NotFound(_("There is no such import."))
    return row, session.get(Job, row.job_id) if row.job_id else None


def _waiting(session: Session, actor: Actor, project_id: str, import_id: str) -> Import:
    row, job = get(session, actor, project_id, import_id)
    if job is not None:
        raise Conflict(_("This import was started already: there is nothing to preview any more."))
    return row


def undo_job(session: Session, row: Import) -> Job | None:
    """The job that takes an import back, if somebody wanted that."""
    return session.get(Job, row.undo_job_id) if row.undo_job_id else None


def list_imports(
    session: Session, actor: Actor, project_id: str, *, limit: int = 50
) -> list[tuple[Import, Job]]:
    """Imports that were started, newest first."""
    project_for(session, actor, project_id)
    rows = session.execute(
        select(Import, Job)
        .join(Job, Job.id == Import.job_id)
        .where(Import.project_id == project_id)
        .order_by(Import.created_at.desc())
        .limit(limit)
    )
    return [(row, job) for row, job in rows]


def cancel(session: Session, actor: Actor, project_id: str, import_id: str) -> None:
    """Stop an import; what it had read is taken back."""
    project_for(session, actor, project_id, "manager", write=True)
    row, job = get(session, actor, project_id, import_id)
    audit.record(
        session,
        user_id=actor.user_id,
        action="import.cancel",
        project_id=project_id,
        subject=row.filename,
    )
    if job is None:
        session.delete(row)
        get_storage().remove(f"uploads/{import_id}")
    elif row.published_at and job.state in ACTIVE_STATES:
        raise Conflict(_("The file is read already, and its rows are just becoming visible."))
    else:
        jobs.request_cancel(session, job)


def readers_for(task: str) -> dict[str, str]:
    """Names and titles of the formats that a task can be imported from."""
    return {name: reader.title for name, reader in READERS.items() if task in reader.tasks}


def _reader_name(project: Project, name: str) -> str:
    if name not in readers_for(project.task):
        raise InvalidInput.at(
            "format", _("This task cannot be read from the format “%(name)s”.", name=name)
        )
    return name
