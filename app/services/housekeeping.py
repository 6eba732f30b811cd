"""Clearing away what work that was broken off has left: files that no row speaks of, rows that nobody sees."""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import Select, delete, select

from app.db import session_scope
from app.models import (
    ACTIVE_STATES,
    FINAL_STATES,
    DatasetVersion,
    Example,
    FrameImport,
    Import,
    Job,
    Run,
    now,
)
from app.services import deletion, frames, import_job, throttle
from app.services.version_files import is_export
from app.storage import PART, get_storage

KEEP_UPLOADS = timedelta(days=7)
"""How long a file that was uploaded waits for its import to be started."""
KEEP_ORPHANS = timedelta(days=1)
"""How long a file may lie without a row: files are written first, and an upload may take hours."""

KEEP_EXPORTS = timedelta(days=30)
"""How long the file of an export stays: whoever asks for it after that has it made again."""

OWNERS: Mapping[str, Select[Any]] = {
    "uploads": select(Import.id)
    .outerjoin(Job, Job.id == Import.job_id)
    .where(Import.job_id.is_(None) | Job.state.in_(ACTIVE_STATES)),
    "frames": select(FrameImport.id)
    .join(Job, Job.id == FrameImport.job_id)
    .where(Job.state.in_(ACTIVE_STATES)),
    "versions": select(DatasetVersion.id),
    "models": select(Run.id),
    "predictions": select(Run.id),
    "evaluations": select(Run.id),
}
"""The ids under each prefix of the storage whose files are still needed. Backups hold these files, too, but for
exports."""


def tidy() -> None:
    """Forget uploads that were never imported, take back rows of imports that have failed, go on with deletions that
    were given up, and remove old exports and files that belong to nothing. Any process may call this at any time, as
    often as it likes."""
    throttle.tidy()
    _forget_uploads()
    _take_back_rows()
    frames.remove_cleared()
    deletion.resume_lost()
    _forget_exports()
    for prefix, needed in OWNERS.items():
        _remove_orphans(prefix, needed)


def _forget_uploads() -> None:
    """Their files are orphans then."""
    with session_scope() as session:
        session.execute(
            delete(Import).where(Import.job_id.is_(None), Import.created_at < now() - KEEP_UPLOADS)
        )


def _forget_exports() -> None:
    storage = get_storage()
    for name in filter(is_export, storage.names("versions")):
        if storage.modified(f"versions/{name}") < now() - KEEP_EXPORTS:
            storage.remove(f"versions/{name}")


def _take_back_rows() -> None:
    """An import that could not take back what it had read, since its worker was killed once too often."""
    staged = select(Example.id).where(Example.import_id == Import.id, Example.status == "staged")
    with session_scope(read_only=True) as session:
        found = session.execute(
            select(Import.id)
            .join(Job, Job.id == Import.job_id)
            # One that is published has rows that are seen already.
            .where(Job.state.in_(FINAL_STATES), Import.published_at.is_(None), staged.exists())
        ).all()
    for (import_id,) in found:
        import_job.take_back(import_id)


def _remove_orphans(prefix: str, needed: Select[Any]) -> None:
    """Remove the files under a prefix that nothing needs, and halves of files whose writer is gone."""
    storage = get_storage()
    # Listed before the query: what comes in between has no file in the list.
    names = storage.names(prefix, parts=True)
    with session_scope(read_only=True) as session:
        known = set(session.scalars(needed))
    for name in names:
        is_orphan = re.split(r"[./]", name)[0] not in known
        if (is_orphan or name.endswith(PART)) and (
            storage.modified(f"{prefix}/{name}") < now() - KEEP_ORPHANS
        ):
            storage.remove(f"{prefix}/{name.split('/')[0] if is_orphan else name}")
