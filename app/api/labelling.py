"""Labelling: the next example, saving, going back."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import Query, Response
from pydantic import Field, model_validator

from app.api.examples import WorkItemOut
from app.api.problems import problem
from app.api.schemas import Answer, ExampleId, ProjectId, Question
from app.http.identity import Person
from app.http.routing import Db, Router
from app.services import annotating

router = Router(prefix="/projects/{project_id}", tags=["Labelling"])


class NextWish(Question):
    """Which example is passed over."""

    after: int | None = Field(
        None,
        ge=0,
        le=2**62,
        description="The example that is left: its reservation ends, the search goes on behind it.",
    )


class Saving(Question):
    """What a person says of an example."""

    payload: dict[str, Any] | None = Field(
        None,
        description="The annotation in its task's form; null when the example is skipped.",
        examples=[{"spans": [{"start": 0, "end": 3, "label": "PER"}]}],
    )
    skipped: bool = Field(False, description="Set this aside without an annotation.")
    comment: str = Field("", max_length=5000)
    base_revision: int = Field(
        0, ge=0, le=2**31 - 2, description="The revision it starts from; 0 for a first one."
    )
    client_key: str = Field(
        min_length=1,
        max_length=64,
        description="Chosen anew for each save, such as a UUID: a repeated request saves once.",
        examples=["0b0e8a34-9d7c-4c0e-a8e5-0f3b6f1f2a77"],
    )
    seconds: float | None = Field(
        None, ge=0, allow_inf_nan=False, description="How long the person worked on it."
    )

    @model_validator(mode="after")
    def _one_or_the_other(self) -> "Saving":
        if self.skipped == (self.payload is not None):
            raise ValueError("give a payload, or set skipped: one of the two")
        return self


class Saved(Answer):
    """A stored revision."""

    id: int
    example_id: int
    revision: int = Field(description="1, 2, …; the next save starts from it.")
    payload: dict[str, Any] | None
    comment: str
    created_at: datetime


class HistoryItem(Answer):
    """Something the asking person labelled or skipped."""

    id: int = Field(description="The example's id.")
    text: str = Field(description="The beginning of its text.")
    summary: str = Field(description="The annotation in a few words.")
    skipped: bool
    updated_at: datetime


class History(Answer):
    """What the asking person did last."""

    items: list[HistoryItem]


@router.post(
    "/queue/next", response_model=WorkItemOut, responses={204: {"description": "Nothing is left."}}
)
def next_example(
    session: Db, person: Person, project_id: ProjectId, wish: NextWish | None = None
) -> Any:
    """The next open example, reserved for the asking person for a while.

    What they have reserved already comes first. Two people never get the same example.
    """
    after = wish.after if wish else None
    item = annotating.next_example(session, person.actor, project_id, after=after)
    return Response(status_code=204) if item is None else WorkItemOut.model_validate(item)


@router.post(
    "/examples/{example_id}/annotations",
    status_code=201,
    responses={409: problem("Another tab was quicker; `current` holds what it saved.")},
)
def save_annotation(
    session: Db, person: Person, project_id: ProjectId, example_id: ExampleId, saving: Saving
) -> Saved:
    """Store an annotation, or skip the example. Nothing is overwritten: each save is a new revision.

    The same `client_key` again gives the same answer and stores nothing.
    """
    annotation = annotating.save(
        session,
        person.actor,
        project_id,
        example_id,
        payload=saving.payload,
        base_revision=saving.base_revision,
        client_key=saving.client_key,
        comment=saving.comment,
        seconds=saving.seconds,
    )
    return Saved.model_validate(annotation)


@router.post("/examples/{example_id}/release", status_code=204)
def release_example(
    session: Db, person: Person, project_id: ProjectId, example_id: ExampleId
) -> None:
    """Give a reserved example back to the queue."""
    annotating.release(session, person.actor, project_id, example_id)


@router.get("/mine")
def list_mine(
    session: Db,
    person: Person,
    project_id: ProjectId,
    limit: Annotated[int, Query(description="At most this many.", ge=1, le=500)] = 50,
) -> History:
    """What the asking person labelled or skipped, newest first, each example once."""
    found = annotating.history(session, person.actor, project_id, limit=limit)
    return History(items=[HistoryItem(**item) for item in found])
