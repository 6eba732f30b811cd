"""The task types: what can be labelled, read, written and trained."""

from typing import Any

from pydantic import Field

from app.api.schemas import Answer
from app.http.identity import Person
from app.http.routing import Router
from app.i18n import gettext as _
from app.services import exporting, importing
from app.tasks import TASKS
from app.training import FineTuneParams

router = Router(prefix="/tasks", tags=["Tasks"])


class TaskOut(Answer):
    """A task type."""

    name: str = Field(examples=["ner"])
    title: str
    summary: str
    schema_form: dict[str, Any] = Field(description="JSON Schema of this task's label schemas.")
    annotation_form: dict[str, Any] = Field(description="JSON Schema of this task's annotations.")
    heads: list[str] = Field(description="What a model may end in.")
    import_formats: dict[str, str] = Field(description="Names and titles of what it reads.")
    export_formats: dict[str, str] = Field(description="Names and titles of what it writes.")
    training_defaults: FineTuneParams


class TaskList(Answer):
    """All task types."""

    items: list[TaskOut]


@router.get("")
def list_tasks(person: Person) -> TaskList:
    """Every task type with its formats, the form of its annotations and its training defaults."""
    return TaskList(
        items=[
            TaskOut(
                name=task.name,
                title=_(task.title),
                summary=_(task.summary),
                schema_form=task.schema_type.model_json_schema(),
                annotation_form=task.payload_type.model_json_schema(),
                heads=list(task.heads),
                import_formats=importing.readers_for(task.name),
                export_formats=exporting.formats_for(task.name),
                training_defaults=task.training_defaults,
            )
            for task in TASKS.values()
        ]
    )
