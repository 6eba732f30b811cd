"""Exports as files beside their version: planned, made once, found again.

What an export holds follows from the version, from what the person has chosen, and from this program; a digest of all
of that is in the file's name. A file counts once the slip beside it is there, which is written last.
"""

import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from importlib.metadata import version as release_of
from typing import Any, Literal

import orjson

from app.errors import Damaged, Gone, InvalidInput
from app.formats import WRITERS
from app.formats.archive import write_apart
from app.formats.base import Message, Record, VersionFacts, Writer
from app.formats.licences import LICENCES
from app.i18n import gettext as _
from app.models import DatasetVersion, Project
from app.services.version_files import exports_key
from app.services.version_records import VersionRecords
from app.storage import get_storage
from app.strict import StrictModel
from app.tasks import get_task

Splits = Literal["train", "validation", "test", "all", "each"]
PIECE = 1 << 17
"""Bytes that are handed on together."""
_TURN = 0.02
"""Seconds after which what there is is handed on."""
_REVISION = 1
"""Raise it when a writer comes to write other bytes between releases: files of before are not served any more."""


class ExportOptions(StrictModel):
    """What a person may choose of an export. `split`: one of them, `all` in one file, or `each` in a file of its own;
    left out, `each` for formats that trainers read and `all` for the others."""

    format: str = "jsonl"
    split: Splits | None = None
    comments: bool = False
    licence: str = ""


@dataclass(frozen=True)
class Plan:
    """An export that can be made, or is there already."""

    version: DatasetVersion
    task: str
    writer: Writer
    options: ExportOptions
    """What was chosen, with nothing left open."""
    facts: VersionFacts

    @property
    def program(self) -> str:
        """What says which program made something."""
        return f"{release_of('annotune')}-{_REVISION}"

    @cached_property
    def digest(self) -> str:
        """Of all that the file depends on."""
        made_of = {
            "program": self.program,
            "options": self.options.model_dump(),
            "facts": asdict(self.facts),
        }
        dumped = orjson.dumps(made_of, option=orjson.OPT_SORT_KEYS)
        return hashlib.sha256(dumped).hexdigest()

    @property
    def key(self) -> str:
        name = f"{self.options.format}-{self.options.split}-{self.digest[:24]}"
        return f"{exports_key(self.version.id)}/{name}"

    @property
    def is_canonical(self) -> bool:
        """Whether it is the version's own file."""
        return self.options.format == "jsonl" and self.options.split == "all"

    @property
    def is_apart(self) -> bool:
        return self.options.split == "each"

    @property
    def media_type(self) -> str:
        return "application/zip" if self.is_apart else self.writer.media_type

    @property
    def filename(self) -> str:
        split = self.options.split
        parts = [slug(self.facts.project), f"v{self.facts.number}"]
        parts += [split] if split in ("train", "validation", "test") else []
        ending = self.writer.extension
        if self.is_apart:
            ending = f"{ending.partition('.')[0]}.zip"
        return f"{'-'.join(parts)}.{ending}"

    def records(self) -> VersionRecords:
        split = self.options.split
        return VersionRecords(self.version, None if split in ("all", "each") else split)


@dataclass(frozen=True, slots=True)
class Slip:
    """What is known of a file that was made."""

    size: int
    sha256: str


def plan(project: Project, version: DatasetVersion, options: ExportOptions) -> Plan:
    """What is to be made. Raises InvalidInput for a format that the task has not, or an unknown licence."""
    task = get_task(project.task)
    if options.format not in task.export_formats:
        raise InvalidInput.at(
            "format",
            _(
                "This task has no export “%(name)s”. There are: %(names)s.",
                name=options.format,
                names=", ".join(task.export_formats),
            ),
        )
    writer = WRITERS[options.format]
    if options.licence and options.licence not in LICENCES:
        raise InvalidInput.at(
            "licence",
            _(
                "“%(name)s” is no licence of the list. There are: %(names)s.",
                name=options.licence[:60],
                names=", ".join(LICENCES),
            ),
        )
    split = options.split or ("each" if writer.splits == "apart" else "all")
    if split == "each" and writer.extension == "zip":  # it has its own way
        split = "all"
    chosen = ExportOptions(
        format=options.format,
        split=split,
        comments=options.comments and writer.has_comments,
        licence=options.licence if writer.has_card else "",
    )
    facts = VersionFacts(
        project=project.name,
        number=version.number,
        language=project.language,
        schema=version.label_schema,
        instruction=version.instruction,
        note=version.note,
        created_at=version.created_at.isoformat(timespec="seconds"),
        counts=version.counts,
        sha256=str(version.sha256),
        guidelines=project.guidelines if writer.has_card else "",
        licence=chosen.licence,
    )
    return Plan(version, project.task, writer, chosen, facts)


def find(made: Plan, *, digest: bool = True) -> Slip | None:
    """What is known of the plan's file, if it is there and whole; by its size alone without `digest`."""
    storage = get_storage()
    try:
        with storage.reading(f"{made.key}.json") as stream:
            slip = Slip(**orjson.loads(stream.read()))
        if digest:
            storage.verify(made.key, size=slip.size, sha256=slip.sha256)
        else:
            storage.check(made.key, size=slip.size)
    except (Gone, Damaged, ValueError, TypeError):
        return None
    return slip


def make(made: Plan, records: VersionRecords | None = None) -> Iterator[bytes]:
    """The file's bytes, which are stored as they go; it counts once the last was taken."""
    records = records or made.records()
    digest, size = hashlib.sha256(), 0
    storage = get_storage()
    with storage.writing(made.key) as sink:
        for piece in _in_pieces(_written(made, records)):
            digest.update(piece)
            size += sink.write(piece)
            yield piece
    storage.trust(made.key, digest.hexdigest())
    with storage.writing(f"{made.key}.json") as sink:
        sink.write(orjson.dumps({"size": size, "sha256": digest.hexdigest()}))


def read(key: str) -> Iterator[bytes]:
    """The bytes of a stored file. Raises Gone."""
    with get_storage().reading(key) as stream:
        while chunk := stream.read(PIECE):
            yield chunk


def slug(name: str) -> str:
    """A name as part of a file's."""
    return "-".join("".join(c if c.isalnum() else " " for c in name).split())[:60] or "project"


def _written(made: Plan, records: VersionRecords) -> Iterator[bytes]:
    conversation = _conversation(made)
    common: dict[str, Any] = {
        "conversation": conversation,
        "comments": made.options.comments,
        "facts": made.facts,
    }
    if made.is_apart:
        return write_apart(made.writer, records, made.task, **common)
    return made.writer.write(records, made.task, **common)


def _conversation(made: Plan) -> Callable[[Record], list[Message]]:
    task, instruction = get_task(made.task), made.facts.instruction

    def said(record: Record) -> list[Message]:
        inputs = {"text": record.text, "tokens": record.tokens}
        return task.conversation(inputs, record.annotation or {}, instruction)

    return said


def _in_pieces(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces that are worth sending, and some at least often enough that others have their turn
    between; a piece is empty where a compressor still keeps everything."""
    waiting: list[bytes] = []
    size, since = 0, time.monotonic()
    for chunk in chunks:
        waiting.append(chunk)
        size += len(chunk)
        if size >= PIECE or time.monotonic() - since > _TURN:
            yield b"".join(waiting)
            waiting, size, since = [], 0, time.monotonic()
    if waiting:
        yield b"".join(waiting)
