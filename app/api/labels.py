"""Changing labels that annotations have."""

from typing import Annotated, Any

from fastapi import Body
from pydantic import Field

from app.api.schemas import Answer, ProjectId
from app.http.identity import Person, changes_nothing
from app.http.routing import Router
from app.services import label_changes
from app.services.label_changes import LabelChange

router = Router(prefix="/projects/{project_id}/labels", tags=["Projects"])

Wish = Annotated[LabelChange, Body(examples=[{"kind": "retire", "label": "negative"}])]


class UsesOut(Answer):
    """How many annotations have the label, by what they are."""

    examples: int = Field(description="Examples whose gold has it.")
    by_people: dict[str, int] = Field(description="Of these, by the name of whoever labelled them.")
    by_imports: int = Field(
        description="Of these, brought by imports, or by accounts that are gone."
    )
    beside: int = Field(description="What people said last that does not stand.")
    suggestions: int = Field(description="What is proposed in place of what stands.")
    history: int = Field(description="Earlier revisions.")
    is_complete: bool = Field(
        description="False: there was no time to count all; there are at least so many."
    )


class ChangePreview(Answer):
    """What a change of labels would do."""

    labels: list[dict[str, Any]] = Field(description="As they would be.")
    uses: UsesOut


@router.post("/preview")
@changes_nothing
def preview_label_change(person: Person, project_id: ProjectId, change: Wish) -> ChangePreview:
    """What a change of labels would touch. Nothing is changed."""
    found = label_changes.preview(person.actor, project_id, change)
    return ChangePreview(
        labels=[label.model_dump(mode="json") for label in found.labels],
        uses=UsesOut.model_validate(found.uses),
    )


@router.post("")
def change_labels(person: Person, project_id: ProjectId, change: Wish) -> dict[str, Any]:
    """Rename, merge, split, retire, restore, remove or separate a label; the schema afterwards.

    No annotation is written anew: a label keeps its `former` names, and what was labelled so is read as that label.
    `separate` makes a former name a label again. A split offers finer labels and retires the old one; its examples are
    those that `list_examples` gives with `label`. A retired label stays where it is, and nothing gets it anew.
    """
    return label_changes.apply(person.actor, project_id, change).label_schema
