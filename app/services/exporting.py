"""Exports: a version in any of its formats, made once and then served as the file that it is."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sqlalchemy.orm import Session

from app.errors import Conflict
from app.formats import WRITERS
from app.i18n import gettext as _
from app.i18n import mark
from app.services import audit, export_files, export_notes
from app.services.access import Actor, project_for
from app.services.export_files import ExportOptions, Plan, Slip
from app.services.export_notes import Note, Notes
from app.services.version_files import data_key, verify
from app.services.versions import ready
from app.storage import get_storage
from app.tasks import get_task

CANONICAL_MEDIA_TYPE = WRITERS["jsonl"].media_type
AT_ONCE = 16 << 20
"""Bytes of a version whose exports are made before they are answered: about a second. Those of a larger one are sent
while they are made, or made by a job."""


_PURPOSES = {
    "rows": mark("As rows"),
    "columns": mark("As columns of words"),
    "tools": mark("For other tools"),
    "training": mark("To train language models (SFT)"),
}


@dataclass(frozen=True, slots=True)
class Export:
    """A download: a stored file, or chunks that are stored while they are sent."""

    filename: str
    media_type: str
    etag: str
    chunks: Callable[[], Iterator[bytes]]
    size: int | None = None
    """Bytes, where the file is there."""
    path: Path | None = None
    """Where it lies on this machine."""
    sha256: str | None = None
    """Its digest, where it is there."""


def formats_for(task: str) -> dict[str, str]:
    """Names and titles of the formats that a task's versions can be exported to."""
    return {name: WRITERS[name].title for name in get_task(task).export_formats}


def formats_by_purpose(task: str) -> dict[str, dict[str, str]]:
    """The same, apart by what people want them for; by the titles of these."""
    return {
        title: {
            name: WRITERS[name].title
            for name in get_task(task).export_formats
            if WRITERS[name].purpose == purpose
        }
        for purpose, title in _PURPOSES.items()
    }


def loses_splits(format_name: str) -> bool:
    """Whether a file of this format does not say which split an example is of."""
    return format_name in WRITERS and WRITERS[format_name].splits == "unsaid"


def media_types() -> list[str]:
    """All that a download may be, without their parameters."""
    single = {writer.media_type.partition(";")[0] for writer in WRITERS.values()}
    return sorted(single | {"application/zip"})


def plan_export(
    session: Session, actor: Actor, project_id: str, number: int, options: ExportOptions
) -> Plan:
    """What is to be made. Raises InvalidInput for a format that the task has not."""
    project = project_for(session, actor, project_id)
    return export_files.plan(project, ready(session, actor, project_id, number), options)


def is_small(plan: Plan) -> bool:
    """Whether it is made in no time."""
    return (plan.version.size or 0) <= AT_ONCE


def find(plan: Plan, *, digest: bool = True) -> Slip | None:
    """What is known of the export's file, if there is one; looked at by its size alone without `digest`."""
    if plan.is_canonical:
        return Slip(plan.version.size or 0, str(plan.version.sha256))
    return export_files.find(plan, digest=digest)


def make(plan: Plan) -> None:
    """Make the file and gather the notes, as far as they are not there."""
    if find(plan) is None:
        for _piece in export_files.make(plan):
            pass
    if export_notes.find(plan) is None:
        export_notes.gather(plan)


def open_export(
    session: Session, actor: Actor, project_id: str, number: int, options: ExportOptions
) -> Export:
    """A version as a download. What is not there yet is made now if it is small, and else while it is sent. Raises
    InvalidInput for a format that the task has not, Gone or Damaged where the version's file is not what was stored."""
    plan = plan_export(session, actor, project_id, number, options)
    verify(plan.version)  # here, before anything is sent
    slip = find(plan)
    if slip is None and is_small(plan):
        for _piece in export_files.make(plan):
            pass
        slip = find(plan)
    if slip is None:
        made = partial(export_files.make, plan)
        return Export(plan.filename, plan.media_type, plan.digest, made)
    storage, key = get_storage(), data_key(plan.version.id) if plan.is_canonical else plan.key
    return Export(
        plan.filename,
        plan.media_type,
        slip.sha256 if plan.is_canonical else plan.digest,
        partial(export_files.read, key),
        size=slip.size,
        path=Path(storage.path(key)) if storage.is_local else None,
        sha256=slip.sha256,
    )


def notes(
    session: Session,
    actor: Actor,
    project_id: str,
    number: int,
    options: ExportOptions,
    *,
    wait: bool = False,
) -> Notes:
    """What the format cannot say of this version: nothing is dropped in silence. A large version is only gone through
    here with `wait`; else Conflict is raised until a job has done so."""
    plan = plan_export(session, actor, project_id, number, options)
    verify(plan.version)
    found = export_notes.find(plan)
    if found is None and (wait or is_small(plan)):
        found = export_notes.gather(plan)
    if found is None:
        raise Conflict(
            _("The version is large: prepare this export first, which goes through all examples.")
        )
    return found


def note_download(actor: Actor, project_id: str, number: int, options: ExportOptions) -> None:
    """Write into the audit trail that somebody takes a version's data away."""
    audit.record_download(
        actor,
        "version.export",
        project_id=project_id,
        subject=str(number),
        format=options.format,
        **({"split": options.split} if options.split else {}),
    )


__all__ = ["Export", "ExportOptions", "Note", "Notes", "open_export"]
