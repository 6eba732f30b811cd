"""Labelling: the next example, saving, going back."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Query, Response
from pydantic import Field, model_validator

from app.api.examples import AuthorRead, ProgressRead, WorkItemRead
from app.api.problems import problem
from app.api.schemas import Answer, ExampleId, ProjectId, Question
from app.http.identity import Person
from app.http.routing import Db, Router
from app.models import Annotation
from app.services import annotating, queue
from app.services.annotating import Draft
from app.services.queue import Whose

router = Router(prefix="/projects/{project_id}", tags=["Labelling"])

_CURRENT = (
    "`current` holds the example as it stands now, like an answer of `queue/next` without inputs."
)


class NextRequest(Question):
    """Which example is passed over."""

    after: int | None = Field(
        None,
        ge=0,
        le=2**53 - 1,
        description="The example that is left: its reservation ends, the search goes on behind it.",
    )


class RestoreRequest(Question):
    """Which skipped examples come back."""

    whose: Whose = Field(
        "mine", description="Those that the asking person has set aside, or, for managers, all."
    )


class RestoreRead(Answer):
    """What has come back into the queue."""

    restored: int


class AnnotationCreate(Question):
    """What a person says of an example."""

    payload: dict[str, Any] | None = Field(
        None,
        description="The annotation in its task's form; null when the example is skipped.",
        examples=[{"labels": ["positive"]}],
    )
    skipped: bool = Field(False, description="Set this aside without an annotation.")
    comment: str = Field("", max_length=5000)
    base: int = Field(
        0,
        ge=0,
        le=2**53 - 1,
        description="The `base` of the example as it was shown: if anybody has said something since, "
        "nothing is stored. A proposal needs none.",
    )
    effect: Literal["stand", "replace", "propose"] = Field(
        "stand",
        description="`stand`: only if nobody else's annotation stands. `replace`: also if one does, for "
        "reviewers and managers. `propose`: keep it beside what stands, and change nothing.",
    )
    client_key: str = Field(
        min_length=1,
        max_length=64,
        description="Chosen anew for each save, such as a UUID: a repeated request saves once. Used for "
        "anything else, it is refused.",
        examples=["0b0e8a34-9d7c-4c0e-a8e5-0f3b6f1f2a77"],
    )
    seconds: float | None = Field(
        None, ge=0, allow_inf_nan=False, description="How long the person worked on it."
    )

    @model_validator(mode="after")
    def _one_or_the_other(self) -> "AnnotationCreate":
        if self.skipped == (self.payload is not None):
            raise ValueError("give a payload, or set skipped: one of the two")
        return self


class AnnotationRead(Answer):
    """A stored revision."""

    id: int
    example_id: int
    revision: int = Field(description="1, 2, … of this person and example.")
    base: int = Field(
        description="What the next save of the example names, if nobody else says more."
    )
    stands: bool = Field(description="Whether it stands; a skip and a proposal do not.")
    payload: dict[str, Any] | None
    comment: str
    created_at: datetime


class LeaseRead(Answer):
    """A reservation."""

    lease_until: datetime | None = Field(
        description="Until when; null if the example needs none, since it is the asking person's own work."
    )


class QueueRead(ProgressRead):
    """What is left to do."""

    open: int = Field(description="Examples that are neither labelled nor skipped.")
    held_by_others: int = Field(description="Those of them that others have open at present.")


class HistoryChange(Answer):
    """That somebody else's annotation stands by now."""

    by: AuthorRead | None
    at: datetime
    summary: str = Field(description="What stands, in a few words.")


class HistoryItem(Answer):
    """Something the asking person labelled, skipped or proposed."""

    id: int = Field(description="The example's id.")
    text: str = Field(description="The beginning of its text.")
    summary: str = Field(description="The annotation in a few words.")
    skipped: bool
    stands: bool = Field(description="Whether it is what stands.")
    changed: HistoryChange | None = Field(description="By whom it was replaced, and when.")
    updated_at: datetime


class History(Answer):
    """What the asking person did last."""

    items: list[HistoryItem]


@router.get("/queue")
def get_queue(session: Db, person: Person, project_id: ProjectId) -> QueueRead:
    """How much is left, and how much is set aside."""
    state = queue.state(session, person.actor, project_id)
    return QueueRead(open=state.open, held_by_others=state.held_by_others, **asdict(state.progress))


@router.post(
    "/queue/next", response_model=WorkItemRead, responses={204: {"description": "Nothing is left."}}
)
def next_example(
    session: Db, person: Person, project_id: ProjectId, wish: NextRequest | None = None
) -> Any:
    """The next open example, reserved for the asking person for a while.

    What they have reserved already comes first. Two people never get the same example. Passing over an example
    says nothing of it.
    """
    after = wish.after if wish else None
    item = queue.next_example(session, person.actor, project_id, after=after)
    return Response(status_code=204) if item is None else WorkItemRead.model_validate(item)


@router.post("/queue/restore")
def restore_skipped(person: Person, project_id: ProjectId, wish: RestoreRequest) -> RestoreRead:
    """Put skipped examples back into the queue."""
    return RestoreRead(restored=queue.restore_skipped(person.actor, project_id, whose=wish.whose))


@router.post(
    "/examples/{example_id}/annotations",
    status_code=201,
    responses={
        409: problem(
            "Somebody said something meanwhile, or holds the example, or what stands is somebody else's: "
            f"{_CURRENT} Or the `client_key` belongs to another save."
        )
    },
)
def save_annotation(
    session: Db,
    person: Person,
    project_id: ProjectId,
    example_id: ExampleId,
    saving: AnnotationCreate,
) -> AnnotationRead:
    """Store an annotation, or skip the example. Nothing is overwritten: each save is a new revision.

    The same `client_key` again gives the same answer and stores nothing. Skipping never takes an annotation
    away that stands.
    """
    draft = Draft(
        payload=saving.payload,
        base=saving.base,
        client_key=saving.client_key,
        effect=saving.effect,
        comment=saving.comment,
        seconds=saving.seconds,
    )
    return _saved(annotating.save(session, person.actor, project_id, example_id, draft))


@router.post(
    "/examples/{example_id}/lease",
    responses={409: problem(f"Somebody else holds it, or has labelled it. {_CURRENT}")},
)
def renew_lease(
    session: Db, person: Person, project_id: ProjectId, example_id: ExampleId
) -> LeaseRead:
    """Reserve an open example for the asking person for a while longer."""
    until = queue.renew(session, person.actor, project_id, example_id)
    return LeaseRead(lease_until=until)


@router.post("/examples/{example_id}/release", status_code=204)
def release_example(
    session: Db, person: Person, project_id: ProjectId, example_id: ExampleId
) -> None:
    """Give a reserved example back to the queue."""
    queue.release(session, person.actor, project_id, example_id)


@router.post("/examples/{example_id}/seen", status_code=204)
def mark_seen(session: Db, person: Person, project_id: ProjectId, example_id: ExampleId) -> None:
    """The asking person has seen that their annotation was replaced."""
    annotating.mark_seen(session, person.actor, project_id, example_id)


@router.get("/mine")
def list_mine(
    session: Db,
    person: Person,
    project_id: ProjectId,
    changed: Annotated[
        bool,
        Query(description="Only what others have replaced and the asking person has not seen."),
    ] = False,
    limit: Annotated[int, Query(description="At most this many.", ge=1, le=500)] = 50,
) -> History:
    """What the asking person labelled, skipped or proposed, newest first, each example once."""
    found = annotating.history(session, person.actor, project_id, changed=changed, limit=limit)
    return History(items=[HistoryItem.model_validate(item) for item in found])


def _saved(annotation: Annotation) -> AnnotationRead:
    return AnnotationRead(
        id=annotation.id,
        example_id=annotation.example_id,
        revision=annotation.revision,
        base=annotation.id,
        stands=annotation.payload is not None and not annotation.is_proposal,
        payload=annotation.payload,
        comment=annotation.comment,
        created_at=annotation.created_at,
    )
