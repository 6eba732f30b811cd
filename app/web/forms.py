"""Reading HTML forms: the whole form as a dependency, problems by field, label rows."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

from fastapi import Depends, Request
from sqlalchemy.orm import Session
from starlette.datastructures import FormData

from app.db import session_scope
from app.errors import InvalidInput
from app.services.runs import Turn
from app.tasks.base import Json, TaskType


async def read_form(request: Request) -> FormData:
    """The submitted form."""
    return await request.form()


Form = Annotated[FormData, Depends(read_form)]


def text(form: FormData, name: str, default: str = "") -> str:
    """A text field, as it was sent."""
    value = form.get(name)
    return value if isinstance(value, str) else default


def turn(form: FormData) -> Turn:
    """When a run is to be done, and on what."""
    return Turn(text(form, "priority", "normal"), text(form, "device"))


class Problems:
    """What was wrong with a form: one message on top, and one for each field."""

    def __init__(self) -> None:
        self.message = ""
        self.fields: dict[str, str] = {}

    def __bool__(self) -> bool:
        return bool(self.message)

    @contextmanager
    def collecting(self) -> Iterator[None]:
        """Do something that may find the input wrong; then that is told."""
        try:
            yield
        except InvalidInput as error:
            self.message = error.message
            self.fields = {problem.where: problem.message for problem in error.problems}


@contextmanager
def collecting(session: Session, problems: Problems) -> Iterator[None]:
    """The same inside a transaction, in which what found its input wrong is undone."""
    with problems.collecting(), session.begin_nested():
        yield


@contextmanager
def reading_anew(session: Session) -> Iterator[Session]:
    """A session that only reads, to show a form again with its problems: what was begun is rolled back, so that
    no lock is held while the page is made. What was loaded before can still be shown."""
    session.expunge_all()
    session.rollback()
    with session_scope(read_only=True) as reading:
        yield reading


def schema_from(form: FormData, task: TaskType[Any, Any]) -> Json:
    """The label schema that the label editor's rows describe."""
    columns = [
        form.getlist(f"label_{part}")
        for part in ("name", "title", "color", "hotkey", "description")
    ]
    columns.append(form.getlist("label_retired") or [""] * len(columns[0]))
    rows = [
        {
            "name": str(name).strip(),
            "title": str(title).strip() or None,
            "color": str(color),
            "hotkey": str(hotkey).strip() or None,
            "description": str(description),
            "retired": bool(retired),
        }
        for name, title, color, hotkey, description, retired in zip(*columns, strict=False)
        if str(name).strip()
    ]
    field = "roles" if "roles" in task.schema_type.model_fields else "labels"
    schema: Json = {field: rows}
    if "mode" in task.schema_type.model_fields and text(form, "mode"):
        schema["mode"] = text(form, "mode")
    return schema
