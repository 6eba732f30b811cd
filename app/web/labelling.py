"""The labelling workbench. Its page starts the widget; saving goes through the REST API."""

from typing import Any

from fastapi import Request
from pydantic_core import to_jsonable_python
from starlette.responses import Response

from app.http.identity import Person
from app.http.routing import Db, Router
from app.services import annotating
from app.web.filters import markdown
from app.web.projects import project_context
from app.web.render import render
from app.web.workbench_strings import strings

router = Router()


@router.get("/projects/{project_id}/label")
def label_page(
    request: Request, session: Db, person: Person, project_id: str, example: int | None = None
) -> Response:
    context = project_context(session, person, project_id, "label")
    project = context["project"]
    item = None
    if example is not None:
        item = annotating.open_example(session, person.actor, project_id, example)
    workbench: dict[str, Any] = {
        "project": {
            "id": project.id,
            "name": project.name,
            "task": project.task,
            "language": project.language,
            "schema": project.label_schema,
        },
        "example": to_jsonable_python(item),
        "urls": {
            "api": f"/api/v1/projects/{project.id}",
            "import_": f"/projects/{project.id}/import",
            "versions": f"/projects/{project.id}/versions",
        },
        "strings": strings(),
    }
    return render(
        request,
        "pages/label.html",
        **context,
        workbench=workbench,
        guidelines_html=markdown(project.guidelines),
    )
