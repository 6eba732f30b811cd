"""Dataset versions: freezing, looking, exporting."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import Depends, Query, Request, Response
from pydantic import Field

from app.api.problems import Responses, problem
from app.api.schemas import Answer, JobOut, Number, ProjectId, Question
from app.http.download import send_export
from app.http.identity import Person
from app.http.routing import Db, Router
from app.models import DatasetVersion, Job
from app.services import export_job, exporting, runs, version_diff, versions
from app.services.export_files import ExportOptions, Splits
from app.services.version_diff import Kind
from app.services.versions import SplitPercent

router = Router(prefix="/projects/{project_id}/versions", tags=["Versions"])

Format = Annotated[
    str,
    Query(description="One of the task's `export_formats`.", examples=["parquet"], max_length=40),
]
_SPLIT = (
    "Only this split; `all`: everything in one file; `each`: a zip of one file for each split. Left out, `each` for "
    "the formats that language models are trained from, so that no test example is trained on, and else `all`."
)
_COMMENTS = "CoNLL: say each text exactly in comment lines, so that it reads back."
_LICENCE = "For a data set's card: an identifier such as `cc-by-4.0`."
_NOT_READY: Responses = {
    409: problem("The version is not written yet: its job is going on, or has failed.")
}
_DOWNLOAD: Responses = {
    200: {
        "description": "The file, the same bytes each time. One of a large version that nobody has asked for before is "
        "sent while it is made, without Content-Length; any other one is a stored file.",
        "content": {media: {} for media in exporting.media_types()},
        "headers": {
            "ETag": {"schema": {"type": "string"}, "description": "For If-None-Match."},
            "X-Content-SHA256": {
                "schema": {"type": "string"},
                "description": "The digest of a stored file.",
            },
        },
    },
    206: {
        "description": "A part of a stored file, as Range asked.",
        "content": {**{media: {} for media in exporting.media_types()}, "multipart/byteranges": {}},
    },
    304: {"description": "The caller has this very file."},
    416: problem("The file has no such part."),
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
    manifest_sha256: str | None = Field(
        description="Digest of the manifest, which says what exports of the version depend on beside the data; null "
        "for versions of before."
    )
    near_duplicates: dict[str, Any] | None = Field(
        description="How many test examples nearly stand in train; null until they are counted.",
        examples=[{"examples": 3, "is_complete": True}],
    )
    created_at: datetime
    job: JobOut


class RunOn(Answer):
    """A run that used a version."""

    id: str
    name: str
    kind: str = Field(examples=["finetune"])
    state: str = Field(examples=["succeeded"])


class VersionDetail(VersionOut):
    """A dataset version with the runs that used it."""

    runs: list[RunOn] = Field(description="The newest 200 that this person sees.")


class VersionList(Answer):
    """A project's versions."""

    items: list[VersionOut]


class FreezeWish(Question):
    """A version to be made."""

    note: str = Field("", description="What is new in it.", max_length=5000)
    split: SplitPercent | None = Field(
        None, description="Per cents of the splits; left out, the last version's, else 80/10/10."
    )
    keep_splits: bool = Field(
        True,
        description="Examples stay in the splits that the version before has them in. False: all are split anew, by "
        "what their files say, else by the per cents; `counts.moves` then says what moved.",
    )


class SideOut(Answer):
    """An example as one version has it."""

    split: str
    annotation: dict[str, Any]


class ChangeOut(Answer):
    """An example that is not the same in both versions."""

    example_id: int
    text: str
    kinds: list[Kind]
    before: SideOut | None = Field(description="Null where the earlier version does not have it.")
    after: SideOut | None = Field(description="Null where the later version does not have it.")


class DiffOut(Answer):
    """How two versions differ."""

    counts: dict[Kind, int] = Field(
        description="Examples of each kind; one that is relabelled and moved counts as both.",
        examples=[{"added": 12, "removed": 0, "relabelled": 3, "moved": 0}],
    )
    unchanged: int
    labels: dict[str, tuple[int, int]] = Field(
        description="How often each label is used before and after, where that differs."
    )
    changes: list[ChangeOut]
    next_after: int | None = Field(description="`after` of the following ones; null at the end.")


class NoteOut(Answer):
    """Something of one example that a format cannot say."""

    example_id: int
    message: str


class NotesOut(Answer):
    """What a format cannot say of a version."""

    examples: int = Field(description="How many examples have a note.")
    by_split: dict[str, int] = Field(description="How many of them each split has.")
    notes: list[NoteOut] = Field(description="The first 200.")
    remarks: list[str] = Field(description="What is to be known of the file as a whole.")


class ExportCreate(Question):
    """An export to be made."""

    format: str = Field("jsonl", description="One of the task's `export_formats`.", max_length=40)
    split: Splits | None = Field(None, description=_SPLIT)
    comments: bool = Field(False, description=_COMMENTS)
    licence: str = Field("", description=_LICENCE, max_length=40)


class ExportOut(Answer):
    """An export, and whether it is there."""

    format: str
    split: Splits
    comments: bool
    licence: str
    size: int | None = Field(description="Bytes of the stored file; null while there is none.")
    notes: NotesOut | None = Field(
        description="What the format cannot say; null while nobody has gone through the version for it."
    )
    job: JobOut | None = Field(description="The last one that made it, or is to.")


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

    An example's split is decided once, by its file or else by its text, and stays from version to version.
    """
    wish = wish or FreezeWish()
    version = versions.create(
        session,
        person.actor,
        project_id,
        note=wish.note,
        split=wish.split,
        keep_splits=wish.keep_splits,
    )
    return _shown(*versions.get(session, person.actor, project_id, version.number))


@router.get("/{number}")
def get_version(
    session: Db, person: Person, project_id: ProjectId, number: Number
) -> VersionDetail:
    """A version with its counts, its digests, the job that writes it and the runs that used it."""
    shown = _shown(*versions.get(session, person.actor, project_id, number))
    used = [
        RunOn(id=view.run.id, name=view.run.name, kind=view.job.kind, state=view.job.state)
        for view in runs.list_runs(session, person.actor, project_id, limit=200)
        if view.version_number == number
    ]
    return VersionDetail(**dict(shown), runs=used)


@router.post(
    "/{number}/retry",
    status_code=202,
    responses={409: problem("The version has neither failed nor was it cancelled.")},
)
def retry_version(session: Db, person: Person, project_id: ProjectId, number: Number) -> VersionOut:
    """Write a version that failed or was cancelled after all, with what is labelled at this moment."""
    versions.retry(session, person.actor, project_id, number)
    return _shown(*versions.get(session, person.actor, project_id, number))


@router.get(
    "/{number}/diff",
    responses={409: problem("One of the two versions is not written yet.")},
)
def diff_versions(
    session: Db,
    person: Person,
    project_id: ProjectId,
    number: Number,
    base: Annotated[int, Query(ge=1, le=2**31 - 1, description="The version to compare with.")],
    kind: Annotated[Kind | None, Query(description="Only changes of this kind.")] = None,
    after: Annotated[int, Query(ge=0, le=2**53 - 1, description="The last example shown.")] = 0,
    limit: Annotated[int, Query(ge=1, le=1000, description="At most so many changes.")] = 100,
) -> DiffOut:
    """What changed from version `base` to this one: examples added, removed, relabelled, moved to another split."""
    found = version_diff.diff(
        session,
        person.actor,
        project_id,
        base,
        number,
        kind=kind,
        after=after,
        limit=limit,
    )
    return DiffOut.model_validate(found)


@router.get("/{number}/manifest", responses=_NOT_READY)
def get_manifest(
    session: Db, person: Person, project_id: ProjectId, number: Number
) -> dict[str, Any]:
    """What stands beside the data: project, schema, guidelines, instruction, splits, counts, digest, and its lineage:
    imports, annotators (by the ids of their accounts), sources, and by which rules the gold stands."""
    return versions.manifest(session, person.actor, project_id, number)


def _options(
    format: Format = "jsonl",
    split: Annotated[Splits | None, Query(description=_SPLIT)] = None,
    comments: Annotated[bool, Query(description=_COMMENTS)] = False,
    licence: Annotated[str, Query(description=_LICENCE, max_length=40)] = "",
) -> ExportOptions:
    return ExportOptions(format=format, split=split, comments=comments, licence=licence)


Options = Annotated[ExportOptions, Depends(_options)]


@router.get("/{number}/export", response_class=Response, responses=_DOWNLOAD)
def export_version(
    request: Request,
    session: Db,
    person: Person,
    project_id: ProjectId,
    number: Number,
    options: Options,
) -> Response:
    """Download a version in one of its formats. It is made once, and answers Range requests from then on."""
    export = exporting.open_export(session, person.actor, project_id, number, options)
    return send_export(
        request,
        export,
        on_send=lambda: exporting.note_download(person.actor, project_id, number, options),
    )


@router.get(
    "/{number}/export/notes",
    responses={
        409: problem(
            "The version is not written yet, or so large that the export is to be prepared first."
        )
    },
)
def get_export_notes(
    session: Db, person: Person, project_id: ProjectId, number: Number, options: Options
) -> NotesOut:
    """What a format cannot say of this version, example by example: nothing is dropped in silence."""
    return NotesOut.model_validate(
        exporting.notes(session, person.actor, project_id, number, options)
    )


@router.get("/{number}/exports", responses=_NOT_READY)
def get_export(
    session: Db, person: Person, project_id: ProjectId, number: Number, options: Options
) -> ExportOut:
    """Whether an export is there already, and what its format cannot say."""
    return _export(export_job.state(session, person.actor, project_id, number, options))


@router.post("/{number}/exports", status_code=202, responses=_NOT_READY)
def prepare_export(
    session: Db, person: Person, project_id: ProjectId, number: Number, wish: ExportCreate
) -> ExportOut:
    """Have a job make an export, as is best for a large version, and gather what its format cannot say. One that is
    there already is not made again."""
    options = ExportOptions(**wish.model_dump())
    return _export(export_job.prepare(session, person.actor, project_id, number, options))


def _export(state: export_job.State) -> ExportOut:
    return ExportOut(
        **state.options.model_dump(),
        size=state.size,
        notes=NotesOut.model_validate(state.notes) if state.notes else None,
        job=JobOut.model_validate(state.job) if state.job else None,
    )


def _shown(version: DatasetVersion, job: Job) -> VersionOut:
    return VersionOut(
        number=version.number,
        note=version.note,
        split_percent=SplitPercent(**version.split_percent),
        counts=version.counts or {},
        size=version.size,
        sha256=version.sha256,
        manifest_sha256=version.manifest_sha256,
        near_duplicates=version.near_duplicates,
        created_at=version.created_at,
        job=JobOut.model_validate(job),
    )
