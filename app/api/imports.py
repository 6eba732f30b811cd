"""Importing files."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import orjson
from fastapi import Form, UploadFile
from pydantic import Field
from sqlalchemy.orm import Session

from app.api.problems import problem
from app.api.schemas import Answer, ImportId, JobOut, ProjectId, Question
from app.db import session_scope
from app.errors import InvalidInput
from app.http.identity import Person
from app.http.routing import Db, Router
from app.i18n import gettext as _
from app.models import Import, Job
from app.services import direct_import, import_undo, importing
from app.services.import_rows import ImportOptions
from app.tasks.base import parse

router = Router(prefix="/projects/{project_id}", tags=["Imports"])

_OPTIONS = '{"on_error": "skip", "read": {"encoding": "gb18030"}}'


class RejectedRow(Answer):
    """A row that cannot be imported."""

    row: int = Field(description="Its line in the file, from 1.")
    column: str | None = None
    message: str


class ReportOut(Answer):
    """What an import found."""

    encoding: str = Field("", description="How its bytes were read; empty for what is no text.")
    encoding_is_certain: bool = Field(
        True, description="False where another encoding is nearly as likely: look at the texts."
    )
    read: int = Field(0, description="Good rows.")
    labelled: int = Field(0, description="Of these, rows with an annotation.")
    duplicates: int = Field(0, description="Texts that were there already.")
    rejected: int = Field(0, description="Wrong rows.")
    rejected_is_exact: bool = Field(
        True, description="False where rows cannot be told apart: there are at least `rejected`."
    )
    matched: int = Field(
        0, description="With `on_duplicate: update`, rows about texts that were there already."
    )
    updates: dict[str, int] = Field(
        {},
        description="What became of what they say: `label`, it stands where nothing did; `suggestion`, it was put "
        "beside what stands; `same`, it was said already.",
        examples=[{"label": 40, "suggestion": 3, "same": 7}],
    )
    problems: list[RejectedRow] = Field([], description="The first 200 wrong rows.")
    new_labels: list[str] = Field([], description="Labels that the schema did not have.")
    taken_for: dict[str, str] = Field(
        {},
        description="Labels of the file that differ from the project's in case or blanks alone, and what they became.",
    )
    unused: dict[str, int] = Field(
        {},
        description="What rows hold that was neither read nor kept in `meta`, with the number of rows.",
    )


class ImportOut(Answer):
    """A file that is being, or was, imported."""

    id: str
    filename: str
    size: int = Field(description="Bytes.")
    sha256: str
    format: str = Field(description="How it is read.", examples=["conll"])
    options: dict[str, Any] = Field(description="As they were given at the start.")
    report: ReportOut
    created_at: datetime
    job: JobOut | None = Field(description="Null until it is started.")
    undo: JobOut | None = Field(
        description="The job that takes it back, if somebody wants that. Once that has succeeded, its progress says "
        "how many examples were `removed`, and how many were `kept` since people have worked on them."
    )


class ImportList(Answer):
    """Imports."""

    items: list[ImportOut]


class RecordOut(Answer):
    """A row as it will be imported."""

    row: int
    text: str
    tokens: list[tuple[int, int]] | None
    annotation: dict[str, Any] | None
    external_id: str | None
    meta: dict[str, Any]
    split: str | None


class PreviewOut(Answer):
    """The beginning of a file as it will be read."""

    format: str
    encoding: str
    encoding_is_certain: bool = Field(
        description="False where the encoding is only the most likely one: look at the texts, and name it."
    )
    columns: dict[str, list[str]] = Field(description="Columns with sample values.")
    mapping: dict[str, str] = Field(description="What the columns are taken for.")
    records: list[RecordOut] = Field(
        description="The good ones of the first rows, as they will be stored."
    )
    problems: list[RejectedRow] = Field(description="The others, by the checks of the import.")
    unused: dict[str, int] = Field(
        description="What these rows hold that is neither read nor kept in `meta`, with the number of rows."
    )
    new_labels: list[str] = Field(description="Labels that the schema lacks.")
    taken_for: dict[str, str] = Field(
        description="Labels that differ from the project's in case or blanks alone, and what they become."
    )
    duplicates: int = Field(description="Of these rows, those whose text the project has already.")
    updates: dict[str, int] = Field(
        description="With `on_duplicate: update`, how many of these rows match (`matched`), and what would become of "
        "them: `label`, `suggestion`, `same`."
    )


class NewExample(Question):
    """An example to be added."""

    text: str = Field(examples=["Ada gave Bo the map."])
    tokens: list[Annotated[tuple[int, int], Field(strict=False)]] | None = Field(
        None, description="[start, end) of each token; left out, ours are used."
    )
    annotation: dict[str, Any] | None = Field(None, description="In its task's form.")
    external_id: str | None = None
    meta: dict[str, Any] = Field({}, description="Anything else worth keeping.")


class NewExamples(Question):
    """Examples to be added, and what to do with wrong ones."""

    items: list[NewExample] = Field(min_length=1)
    options: ImportOptions = ImportOptions()


@router.get("/imports")
def list_imports(session: Db, person: Person, project_id: ProjectId) -> ImportList:
    """Imports that were started, newest first."""
    found = importing.list_imports(session, person.actor, project_id)
    return ImportList(items=[_shown(session, row, job) for row, job in found])


@router.post(
    "/imports",
    status_code=202,
    responses={413: problem("The file is over the bound of this installation.")},
)
def import_file(
    person: Person,
    project_id: ProjectId,
    file: UploadFile,
    options: Annotated[
        str,
        Form(
            description="JSON in the form that `start_import` takes; what is left out is detected.",
            examples=[_OPTIONS],
        ),
    ] = "{}",
    start: Annotated[
        bool, Form(description="False: only upload, to look at a preview first.")
    ] = True,
) -> ImportOut:
    """Upload a file and import it, in one step. All of it is imported, or nothing.

    The work goes on in a job: ask `GET /jobs/{id}`, and afterwards this import's `report`.
    """
    # No session for the request: the upload must hold none while the bytes come in.
    chosen = _options(options)
    row, job = direct_import.bring_in(
        person.actor,
        project_id,
        filename=file.filename or "file",
        stream=file.file,
        options=chosen if start else None,
    )
    return _shown(None, row, job)


@router.post("/examples", status_code=202, tags=["Examples"])
def add_examples(person: Person, project_id: ProjectId, new: NewExamples) -> ImportOut:
    """Add examples that the request itself carries: an import like any other, all or nothing."""
    rows = [item.model_dump(mode="json") for item in new.items]
    row, job = direct_import.bring_in_rows(person.actor, project_id, rows, new.options)
    return _shown(None, row, job)


@router.get("/imports/{import_id}")
def get_import(
    session: Db, person: Person, project_id: ProjectId, import_id: ImportId
) -> ImportOut:
    """An import with its job and, once it has read the file, its report."""
    row, job = importing.get(session, person.actor, project_id, import_id)
    return _shown(session, row, job)


@router.post(
    "/imports/{import_id}/preview", responses={409: problem("The import was started already.")}
)
def preview_import(
    person: Person,
    project_id: ProjectId,
    import_id: ImportId,
    options: ImportOptions | None = None,
) -> PreviewOut:
    """The first rows of an uploaded file as these options read them. Nothing is imported."""
    # A session that only reads: a request of this method would have one that holds a lock.
    with session_scope(read_only=True) as session:
        found = importing.preview(session, person.actor, project_id, import_id, options)
    return PreviewOut.model_validate(found)


@router.post(
    "/imports/{import_id}/start",
    status_code=202,
    responses={409: problem("It was started already, with other options.")},
)
def start_import(
    session: Db,
    person: Person,
    project_id: ProjectId,
    import_id: ImportId,
    options: ImportOptions | None = None,
) -> ImportOut:
    """Import an uploaded file. Starting it a second time changes nothing."""
    importing.start(session, person.actor, project_id, import_id, options or ImportOptions())
    row, job = importing.get(session, person.actor, project_id, import_id)
    return _shown(session, row, job)


@router.post(
    "/imports/{import_id}/undo",
    status_code=202,
    responses={409: problem("The import has not succeeded.")},
)
def undo_import(
    session: Db, person: Person, project_id: ProjectId, import_id: ImportId
) -> ImportOut:
    """Remove the examples of an import that nobody has worked on since. Versions keep theirs.

    The work goes on in the job `undo`; a version that is just being written is finished first.
    """
    import_undo.start(session, person.actor, project_id, import_id)
    row, job = importing.get(session, person.actor, project_id, import_id)
    return _shown(session, row, job)


@router.post(
    "/imports/{import_id}/again",
    status_code=201,
    responses={409: problem("The import has not failed, or its file is not kept any more.")},
)
def import_again(
    session: Db, person: Person, project_id: ProjectId, import_id: ImportId
) -> ImportOut:
    """A new import of the file of one that has failed or was cancelled, to be previewed and started."""
    new = import_undo.again(person.actor, project_id, import_id)
    row, job = importing.get(session, person.actor, project_id, new.id)
    return _shown(session, row, job)


@router.post(
    "/imports/{import_id}/cancel",
    status_code=204,
    responses={409: problem("The file is read, and its rows are just becoming visible.")},
)
def cancel_import(session: Db, person: Person, project_id: ProjectId, import_id: ImportId) -> None:
    """Stop an import; what it had read is taken back. An upload that was not started is removed."""
    importing.cancel(session, person.actor, project_id, import_id)


def _options(text: str) -> ImportOptions:
    try:
        data = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise InvalidInput.at("options", _("The options are not JSON: %(e)s", e=error)) from error
    return parse(ImportOptions, data, _("The import options are not right."))


def _shown(session: Session | None, row: Import, job: Job | None) -> ImportOut:
    undo = importing.undo_job(session, row) if session else None
    report: dict[str, Any] = row.report or {}
    problems: Sequence[dict[str, Any]] = report.get("problems", ())
    return ImportOut(
        id=row.id,
        filename=row.filename,
        size=row.size,
        sha256=row.sha256,
        format=row.format,
        options=row.options or {},
        report=ReportOut(**{**report, "problems": [RejectedRow(**item) for item in problems]}),
        created_at=row.created_at,
        job=JobOut.model_validate(job) if job else None,
        undo=JobOut.model_validate(undo) if undo else None,
    )
