"""The frame inventory of SRL projects."""

from datetime import datetime
from typing import Annotated

from fastapi import Path, Query, UploadFile
from pydantic import Field

from app.api.problems import ProblemItem, problem
from app.api.schemas import Answer, JobOut, ProjectId
from app.db import session_scope
from app.http.identity import Person
from app.http.routing import Db, Router
from app.models import FrameImport, Job
from app.services import frames

router = Router(prefix="/projects/{project_id}/rolesets", tags=["Frames"])

FileId = Annotated[str, Path(description="The frame file's id.", max_length=20)]


class RoleOut(Answer):
    """A role of a roleset."""

    role: str = Field(examples=["ARG0"])
    description: str = Field(examples=["giver"])


class RolesetOut(Answer):
    """A sense of a predicate."""

    id: str = Field(validation_alias="sense", examples=["give.01"])
    lemma: str = Field(examples=["give"])
    name: str = Field(examples=["transfer"])
    roles: list[RoleOut]


class RolesetList(Answer):
    """The senses of a word, best guess first."""

    items: list[RolesetOut]


class FrameFileOut(Answer):
    """A frame file that is being, or was, read into the inventory."""

    id: str
    filename: str
    size: int = Field(description="Bytes.")
    loaded: int | None = Field(description="Rolesets that were read; null until then.")
    problems: list[ProblemItem] = Field(description="What could not be read: the first 50.")
    created_at: datetime
    job: JobOut


@router.get("", response_model_by_alias=False)
def find_rolesets(
    session: Db,
    person: Person,
    project_id: ProjectId,
    lemma: Annotated[
        str, Query(description="A word of the text, inflected or not.", max_length=200)
    ],
) -> RolesetList:
    """The senses of a word and what their roles mean."""
    found = frames.find(session, person.actor, project_id, lemma)
    return RolesetList(items=[RolesetOut.model_validate(row) for row in found])


@router.post(
    "",
    status_code=202,
    responses={413: problem("The file is over the bound of this installation.")},
)
def load_frames(person: Person, project_id: ProjectId, file: UploadFile) -> FrameFileOut:
    """Read PropBank frame files: one XML, or a zip or tar of them. A roleset that is there is replaced.

    The work goes on in a job: ask `GET /jobs/{id}`, and afterwards this file's `loaded` and `problems`. All
    rolesets of the file come into the inventory, or none.
    """
    # No session for the request: the upload must hold none while the bytes come in.
    row = frames.load(
        person.actor, project_id, filename=file.filename or "frames.xml", stream=file.file
    )
    with session_scope(read_only=True) as session:
        return _shown(*frames.get(session, person.actor, project_id, row.id))


@router.get("/files/{file_id}")
def get_frame_file(
    session: Db, person: Person, project_id: ProjectId, file_id: FileId
) -> FrameFileOut:
    """A frame file with its job and, once it is read, what came of it."""
    return _shown(*frames.get(session, person.actor, project_id, file_id))


@router.delete("", status_code=204, responses={409: problem("A frame file is just being read.")})
def clear_frames(session: Db, person: Person, project_id: ProjectId) -> None:
    """Empty the inventory."""
    frames.clear(session, person.actor, project_id)


def _shown(row: FrameImport, job: Job) -> FrameFileOut:
    return FrameFileOut(
        id=row.id,
        filename=row.filename,
        size=row.size,
        loaded=row.report.get("loaded"),
        problems=[ProblemItem(**item) for item in row.report.get("problems", ())],
        created_at=row.created_at,
        job=JobOut.model_validate(job),
    )
