"""Looking through a project's examples, and adding some."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Query
from pydantic import Field

from app.api.schemas import Answer, ExampleId, ProjectId
from app.http.identity import Person
from app.http.routing import Db, Router
from app.services import annotating, examples

router = Router(prefix="/projects/{project_id}/examples", tags=["Examples"])


class Inputs(Answer):
    """What is labelled."""

    text: str = Field(description="The exact text.", examples=["Ada gave Bo the map."])
    tokens: list[tuple[int, int]] | None = Field(
        None, description="[start, end) of each token, in Unicode code points."
    )


class AuthorRead(Answer):
    """Somebody, as their colleagues see them."""

    id: str
    name: str


class CommentRead(Answer):
    """What somebody wrote beside their newest annotation, or why they set the example aside."""

    text: str
    by: AuthorRead
    created_at: datetime


class ProposalRead(Answer):
    """What somebody would have in place of what stands, and no reviewer has settled yet."""

    by: AuthorRead
    summary: str = Field(description="What they propose, in a few words.")


class ExampleRow(Answer):
    """An example in a list."""

    id: int
    external_id: str | None = Field(description="The id that its file gave it.")
    inputs: Inputs
    meta: dict[str, Any]
    status: Literal["open", "labelled", "skipped"]
    annotation: dict[str, Any] | None = Field(description="What stands for it, in its task's form.")
    author: str | None = Field(description="Whose annotation stands; null for an import's.")
    summary: str = Field(description="The annotation in a few words.")
    skipped_by: AuthorRead | None = Field(description="Who set it aside.")
    proposals: list[ProposalRead] = Field(
        description="What waits for a reviewer; annotators see only their own."
    )
    comment: CommentRead | None = Field(
        description="The beginning of the newest comment. Annotators see their own, and those of reviewers "
        "on examples that they said something of."
    )


class ExamplePage(Answer):
    """Some examples, in the order they came."""

    items: list[ExampleRow]
    next_after: int | None = Field(
        description="Ask with this `after` for the next page; null at the end."
    )


class ProgressRead(Answer):
    """How far the project is, and what of it is the asking person's."""

    done: int = Field(description="Labelled examples.")
    total: int = Field(description="All examples.")
    mine: int = Field(description="Examples of which the asking person has said anything.")
    skipped: int = Field(description="Examples that are set aside.")
    skipped_mine: int = Field(description="Those of them that the asking person has set aside.")
    changed: int = Field(
        description="Annotations of the asking person that others have replaced, and that they have not "
        "seen yet."
    )


class SaidRead(Answer):
    """The newest annotation that one author gave an example."""

    annotation_id: int
    revision: int
    payload: dict[str, Any] | None = Field(description="In its task's form; null for a skip.")
    skipped: bool
    proposal: bool = Field(description="Kept beside what stood: it never stood itself.")
    comment: str
    by: AuthorRead | None = Field(description="Null for an import, or if the account is gone.")
    source: Literal["person", "import"]
    created_at: datetime


class WorkItemRead(Answer):
    """An example as its annotator gets it."""

    id: int
    external_id: str | None
    inputs: Inputs
    meta: dict[str, Any]
    status: Literal["open", "labelled", "skipped"]
    base: int = Field(
        description="The newest annotation of the example, by anyone; 0 for none. A save names it."
    )
    standing: SaidRead | None = Field(description="The annotation that stands.")
    mine: SaidRead | None = Field(description="The asking person's own newest one.")
    others: list[SaidRead] = Field(
        description="What each other person said that does not stand; for reviewers and managers."
    )
    comments: list[CommentRead] = Field(
        description="What others wrote, the newest first; for reviewers and managers. An annotator reads what "
        "reviewers wrote, on examples that they said something of."
    )
    changed: bool = Field(
        description="What the asking person said stood, and has been replaced by somebody else's."
    )
    access: Literal["write", "replace", "propose", "read"] = Field(
        description="What the asking person may do: write as they like; replace what somebody else said; "
        "keep theirs beside it; or only read."
    )
    access_reason: str = Field(description="Why it is not `write`, in words; else empty.")
    lease_until: datetime | None = Field(
        description="Until when it is reserved for the asking person; null when it is not."
    )
    labels_digest: str = Field(
        description="Changes with the project's labels, their keys and its guidelines: a client that shows them reads "
        "the project again."
    )
    progress: ProgressRead


@router.get("")
def list_examples(
    session: Db,
    person: Person,
    project_id: ProjectId,
    status: Annotated[
        Literal["open", "labelled", "skipped"] | None, Query(description="Only these.")
    ] = None,
    having: Annotated[
        Literal["proposals", "comments"] | None,
        Query(
            description="Only examples on which proposals wait for a reviewer, or that have comments. "
            "Annotators get those with their own."
        ),
    ] = None,
    label: Annotated[
        str | None, Query(description="Only examples whose gold has this label.", max_length=100)
    ] = None,
    breaks: Annotated[
        str | None,
        Query(
            description="Only examples whose gold this mode of the label schema would not allow.",
            examples=["single"],
            max_length=20,
        ),
    ] = None,
    q: Annotated[str, Query(description="Only texts that hold this.", max_length=500)] = "",
    after: Annotated[int, Query(description="Only ids behind this one.", ge=0, le=2**53 - 1)] = 0,
    limit: Annotated[int, Query(description="At most this many.", ge=1, le=500)] = 50,
) -> ExamplePage:
    """A page of examples. Walk on with `next_after` as `after`; with `label` or `breaks` a page may be short and yet
    not be the last."""
    page = examples.browse(
        session,
        person.actor,
        project_id,
        status=status,
        having=having,
        label=label,
        breaks=breaks,
        search=q,
        after=after,
        limit=limit,
    )
    items = [ExampleRow.model_validate(row) for row in page.rows]
    return ExamplePage(items=items, next_after=page.next_after)


@router.get("/{example_id}")
def get_example(
    session: Db, person: Person, project_id: ProjectId, example_id: ExampleId
) -> WorkItemRead:
    """One example as the asking person would label it. It is not reserved by this."""
    item = annotating.open_example(session, person.actor, project_id, example_id)
    return WorkItemRead.model_validate(item)
