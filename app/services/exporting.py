"""Exports: a version in any of its formats, streamed from the canonical file, the same bytes each time."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from app.errors import InvalidInput
from app.formats import WRITERS
from app.formats.base import Record
from app.formats.example import record_of
from app.i18n import gettext as _
from app.models import DatasetVersion, Project
from app.services import audit
from app.services.access import Actor, project_for
from app.services.version_files import data_key, examples, verify
from app.services.versions import ready
from app.storage import get_storage
from app.tasks import get_task

MAX_NOTES = 200
CANONICAL_MEDIA_TYPE = WRITERS["jsonl"].media_type


@dataclass(frozen=True, slots=True)
class Export:
    """A download: either a file on disk, or chunks that are made while they are sent."""

    filename: str
    media_type: str
    etag: str
    chunks: Callable[[], Iterator[bytes]]
    path: Path | None = None
    sha256: str | None = None
    """The digest, where it is known before sending: the canonical file's."""


@dataclass(frozen=True, slots=True)
class Note:
    """Something of one example that a format cannot say."""

    example_id: int
    message: str


@dataclass(frozen=True, slots=True)
class Notes:
    """The first notes, and how many examples have one."""

    notes: list[Note]
    examples: int


def formats_for(task: str) -> dict[str, str]:
    """Names and titles of the formats that a task's versions can be exported to."""
    return {name: WRITERS[name].title for name in get_task(task).export_formats}


def media_types() -> list[str]:
    """All that a download may be, without their parameters."""
    return sorted({writer.media_type.partition(";")[0] for writer in WRITERS.values()})


def open_export(
    session: Session,
    actor: Actor,
    project_id: str,
    number: int,
    format_name: str,
    *,
    comments: bool = False,
    split: str | None = None,
) -> Export:
    """A version as a download. Raises InvalidInput for a format that the task has not, Gone or
    Damaged where the version's file is not what was stored.

    `comments`: CoNLL files say each text exactly in comment lines, so that they read back to the same
    characters. `split`: only that split's examples.
    """
    project = project_for(session, actor, project_id)
    version = ready(session, actor, project_id, number)
    writer = _writer(project, format_name)
    storage, key = get_storage(), data_key(version.id)
    verify(version)  # here, before anything is sent
    parts = [_slug(project.name), f"v{number}", *([split] if split else [])]
    filename = f"{'-'.join(parts)}.{writer.extension}"
    if format_name == "jsonl" and split is None:
        return Export(
            filename,
            writer.media_type,
            str(version.sha256),
            lambda: _raw(key),
            path=Path(storage.path(key)) if storage.is_local else None,
            sha256=version.sha256,
        )
    etag = f"{version.sha256}-{format_name}{'-c' if comments else ''}{f'-{split}' if split else ''}"
    return Export(
        filename,
        writer.media_type,
        etag,
        lambda: writer.write(
            records(version, split),
            project.task,
            conversation=_conversation(project, version),
            comments=comments,
        ),
    )


def note_download(
    actor: Actor, project_id: str, number: int, format_name: str, split: str | None = None
) -> None:
    """Write into the audit trail that somebody takes a version's data away."""
    audit.record_download(
        actor,
        "version.export",
        project_id=project_id,
        subject=str(number),
        format=format_name,
        **({"split": split} if split else {}),
    )


def notes(session: Session, actor: Actor, project_id: str, number: int, format_name: str) -> Notes:
    """What the format cannot say of this version: nothing is dropped in silence."""
    project = project_for(session, actor, project_id)
    version = ready(session, actor, project_id, number)
    writer = _writer(project, format_name)
    found: list[Note] = []
    examples = 0
    for record in records(version):
        messages = writer.check(record, project.task)
        examples += bool(messages)
        found.extend(
            Note(record.row, message) for message in messages[: max(0, MAX_NOTES - len(found))]
        )
    return Notes(found, examples)


def records(version: DatasetVersion, split: str | None = None) -> Iterator[Record]:
    """The examples of a version, in its order; `row` is the example's id. Raises Gone or Damaged before the first."""
    for item in examples(version):
        if split is not None and item.split != split:
            continue
        yield record_of(item)


def _writer(project: Project, name: str) -> Any:
    if name not in get_task(project.task).export_formats:
        raise InvalidInput.at(
            "format",
            _(
                "This task has no export “%(name)s”. There are: %(names)s.",
                name=name,
                names=", ".join(get_task(project.task).export_formats),
            ),
        )
    return WRITERS[name]


def _conversation(
    project: Project, version: DatasetVersion
) -> Callable[[Record], list[dict[str, str]]]:
    task = get_task(project.task)
    return lambda record: task.conversation(
        {"text": record.text, "tokens": record.tokens}, record.annotation or {}, version.instruction
    )


def _raw(key: str) -> Iterator[bytes]:
    with get_storage().reading(key) as stream:
        while chunk := stream.read(1 << 16):
            yield chunk


def _slug(name: str) -> str:
    return "-".join("".join(c if c.isalnum() else " " for c in name).split())[:60] or "project"
