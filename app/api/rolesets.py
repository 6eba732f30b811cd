"""The frame inventory of SRL projects."""

from typing import Annotated

from fastapi import Query, UploadFile
from pydantic import Field

from app.api.problems import ProblemItem
from app.api.schemas import Answer, ProjectId
from app.http.identity import Person
from app.http.routing import Db, Router
from app.services import frames

router = Router(prefix="/projects/{project_id}/rolesets", tags=["Frames"])


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


class FramesLoaded(Answer):
    """What came out of frame files."""

    loaded: int = Field(description="Rolesets that are in the inventory now.")
    problems: list[ProblemItem] = Field(description="What could not be read.")


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


@router.post("", status_code=201)
def load_frames(
    session: Db, person: Person, project_id: ProjectId, file: UploadFile
) -> FramesLoaded:
    """Read PropBank frame files: one XML, or a zip or tar of them. A roleset that is there is replaced."""
    loaded, problems = frames.load(
        session, person.actor, project_id, file.file, file.filename or "frames.xml"
    )
    items = [ProblemItem(where=p.where, message=p.message) for p in problems]
    return FramesLoaded(loaded=loaded, problems=items)


@router.delete("", status_code=204)
def clear_frames(session: Db, person: Person, project_id: ProjectId) -> None:
    """Empty the inventory."""
    frames.clear(session, person.actor, project_id)
