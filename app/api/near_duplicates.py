"""Test examples of a version that nearly stand in its train split."""

from typing import Annotated

from fastapi import Query
from pydantic import Field

from app.api.problems import problem
from app.api.schemas import Answer, JobOut, Number, ProjectId
from app.http.identity import Person
from app.http.routing import Db, Router
from app.services import near_duplicates, versions

router = Router(
    prefix="/projects/{project_id}/versions/{number}/near-duplicates", tags=["Versions"]
)


class NearDuplicateOut(Answer):
    """A test example, and the first train example that it nearly equals."""

    example_id: int
    text: str | None = Field(description="Null where the example is not there any more.")
    train_id: int
    train_text: str | None
    similarity: float = Field(
        description="Jaccard similarity of their words, or of their pairs of characters in scripts without spaces; "
        "estimated, from 0.8 on.",
        examples=[0.93],
    )


class NearDuplicatesOut(Answer):
    """What was found, and the job that looks for it when nothing else waits."""

    examples: int | None = Field(
        description="Test examples that nearly stand in train; null until they are counted."
    )
    is_complete: bool | None = Field(
        description="False where so many texts are alike that not all pairs were compared."
    )
    job: JobOut | None
    items: list[NearDuplicateOut]
    next_after: int | None = Field(description="`after` of the next page; null at the end.")


@router.get("", responses={409: problem("The version is not written yet.")})
def list_near_duplicates(
    session: Db,
    person: Person,
    project_id: ProjectId,
    number: Number,
    after: Annotated[int, Query(ge=0, le=2**53 - 1, description="The last example shown.")] = 0,
    limit: Annotated[int, Query(ge=1, le=1000, description="At most so many.")] = 100,
) -> NearDuplicatesOut:
    """Test examples that nearly stand in train. Equal texts never do: they are in one split."""
    page = near_duplicates.browse(
        session, person.actor, project_id, number, after=after, limit=limit
    )
    version = versions.ready(session, person.actor, project_id, number)
    job = near_duplicates.job_of(session, version)
    found = version.near_duplicates or {}
    return NearDuplicatesOut(
        examples=found.get("examples"),
        is_complete=found.get("is_complete"),
        job=JobOut.model_validate(job) if job else None,
        items=[NearDuplicateOut.model_validate(row) for row in page.rows],
        next_after=page.next_after,
    )


@router.post(
    "",
    status_code=202,
    responses={409: problem("The version is just being looked through, or is not written yet.")},
)
def count_near_duplicates(
    session: Db, person: Person, project_id: ProjectId, number: Number
) -> NearDuplicatesOut:
    """Look a version through again, as one of before this was done."""
    near_duplicates.start(session, person.actor, project_id, number)
    session.flush()
    return list_near_duplicates(session, person, project_id, number)
