"""Dataset versions: freezing, looking, exporting."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import Query, Request, Response
from pydantic import Field

from app.api.problems import Responses, problem
from app.api.schemas import Answer, JobOut, Number, ProjectId, Question, Split
from app.http.download import send_export
from app.http.identity import Person
from app.http.routing import Db, Router
from app.models import DatasetVersion, Job
from app.services import exporting, versions
from app.services.versions import SplitPercent

router = Router(prefix="/projects/{project_id}/versions", tags=["Versions"])

Format = Annotated[
    str,
    Query(description="One of the task's `export_formats`.", examples=["parquet"], max_length=40),
]
_NOT_READY: Responses = {
    409: problem("The version is not written yet: its job is going on, or has failed.")
}
_DOWNLOAD: Responses = {
    200: {
        "description": "The file, streamed; the same bytes each time.",
        "content": {media: {} for media in exporting.media_types()},
        "headers": {
            "ETag": {"schema": {"type": "string"}, "description": "For If-None-Match."},
            "X-Content-SHA256": {
                "schema": {"type": "string"},
                "description": "The digest of the canonical JSON Lines file.",
            },
        },
    },
    206: {
        "description": "A part of the canonical JSON Lines file, as Range asked.",
        "content": {exporting.CANONICAL_MEDIA_TYPE: {}, "multipart/byteranges": {}},
    },
    304: {"description": "The caller has this very file."},
    416: {
        "description": "The file has no such part.",
        "content": {"text/plain": {"schema": {"type": "string"}}},
    },
    **_NOT_READY,
}


class VersionOut(Answer):
    """A dataset version."""

    number: int
    note: str
    split_percent: SplitPercent
    counts: dict[str, Any] = Field(
        description="Examples, splits and labels; empty while the version is being written.",
        examples=[
            {
                "examples": 200,
                "splits": {"train": 160, "validation": 20, "test": 20},
                "labels": {"positive": 120, "negative": 80},
            }
        ],
    )
    size: int | None = Field(description="Bytes of the canonical file.")
    sha256: str | None = Field(
        description="Digest of the canonical file; null while it is being written."
    )
    created_at: datetime
    job: JobOut


class VersionList(Answer):
    """A project's versions."""

    items: list[VersionOut]


class FreezeWish(Question):
    """A version to be made."""

    note: str = Field("", description="What is new in it.", max_length=5000)
    split: SplitPercent | None = Field(
        None, description="Per cents of the splits; left out, the last version's, else 80/10/10."
    )


class NoteOut(Answer):
    """Something of one example that a format cannot say."""

    example_id: int
    message: str


class NotesOut(Answer):
    """What a format cannot say of a version."""

    examples: int = Field(description="How many examples have a note.")
    notes: list[NoteOut] = Field(description="The first 200.")


@router.get("")
def list_versions(session: Db, person: Person, project_id: ProjectId) -> VersionList:
    """The project's versions, newest first."""
    found = versions.list_versions(session, person.actor, project_id)
    return VersionList(items=[_shown(version, job) for version, job in found])


@router.post("", status_code=202)
def freeze_version(
    session: Db, person: Person, project_id: ProjectId, wish: FreezeWish | None = None
) -> VersionOut:
    """Freeze what is labelled at this moment. The number is given at once, a job writes the file.

    The split of an example follows from its text, so it stays there from version to version.
    """
    wish = wish or FreezeWish()
    version = versions.create(session, person.actor, project_id, note=wish.note, split=wish.split)
    return _shown(*versions.get(session, person.actor, project_id, version.number))


@router.get("/{number}")
def get_version(session: Db, person: Person, project_id: ProjectId, number: Number) -> VersionOut:
    """A version with its counts, its digest and the job that writes it."""
    return _shown(*versions.get(session, person.actor, project_id, number))


@router.post(
    "/{number}/retry",
    status_code=202,
    responses={409: problem("The version has neither failed nor was it cancelled.")},
)
def retry_version(session: Db, person: Person, project_id: ProjectId, number: Number) -> VersionOut:
    """Write a version that failed or was cancelled after all, with what is labelled at this moment."""
    versions.retry(session, person.actor, project_id, number)
    return _shown(*versions.get(session, person.actor, project_id, number))


@router.get("/{number}/manifest", responses=_NOT_READY)
def get_manifest(
    session: Db, person: Person, project_id: ProjectId, number: Number
) -> dict[str, Any]:
    """What stands beside the data: project, schema, instruction, splits, counts, digest."""
    return versions.manifest(session, person.actor, project_id, number)


@router.get("/{number}/export", response_class=Response, responses=_DOWNLOAD)
def export_version(
    request: Request,
    session: Db,
    person: Person,
    project_id: ProjectId,
    number: Number,
    format: Format = "jsonl",
    comments: Annotated[
        bool,
        Query(description="CoNLL: say each text exactly in comment lines, so that it reads back."),
    ] = False,
    split: Annotated[Split | None, Query(description="Only this split.")] = None,
) -> Response:
    """Download a version in one of its formats. The whole JSON Lines file answers Range requests."""
    export = exporting.open_export(
        session, person.actor, project_id, number, format, comments=comments, split=split
    )
    return send_export(request, export)


@router.get("/{number}/export/notes", responses=_NOT_READY)
def get_export_notes(
    session: Db, person: Person, project_id: ProjectId, number: Number, format: Format
) -> NotesOut:
    """What a format cannot say of this version, example by example: nothing is dropped in silence."""
    found = exporting.notes(session, person.actor, project_id, number, format)
    return NotesOut.model_validate(found)


def _shown(version: DatasetVersion, job: Job) -> VersionOut:
    return VersionOut(
        number=version.number,
        note=version.note,
        split_percent=SplitPercent(**version.split_percent),
        counts=version.counts or {},
        size=version.size,
        sha256=version.sha256,
        created_at=version.created_at,
        job=JobOut.model_validate(job),
    )
