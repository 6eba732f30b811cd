"""The labelling workbench. Its page starts the widget; saving goes through the REST API."""

from typing import Annotated, Any

from fastapi import Query, Request
from pydantic_core import to_jsonable_python
from starlette.responses import Response

from app.http.identity import Person
from app.http.routing import Db, Router
from app.services import annotating, examples, label_issues, label_sets
from app.settings import get_settings
from app.tasks.hotkeys import with_usable_hotkeys
from app.web.filters import markdown
from app.web.projects import project_context
from app.web.render import render
from app.web.workbench_strings import strings

router = Router()
_WORKLIST, _LOOK_SECONDS = 2000, 3.0
"""How many examples are gone through one after the other, and how long they are looked for."""


@router.get("/projects/{project_id}/label")
def label_page(
    request: Request,
    session: Db,
    person: Person,
    project_id: str,
    example: Annotated[int | None, Query(ge=1, le=2**63 - 1)] = None,
    issues: str | None = None,
    having: Annotated[str | None, Query(max_length=100)] = None,
    breaks: Annotated[str | None, Query(max_length=20)] = None,
) -> Response:
    """`issues` is the run whose likely label errors are worked off, one after the other; `having`, a label whose
    examples are; `breaks`, a mode whose breaches are."""
    context = project_context(session, person, project_id, "label")
    project = context["project"]
    worklist = None
    if issues is not None:
        worklist = label_issues.open_examples(session, person.actor, project_id, issues)
    if having is not None or breaks is not None:
        work = examples.worklist(
            project, label=having, breaks=breaks, limit=_WORKLIST, seconds=_LOOK_SECONDS
        )
        worklist = work.ids
        example = example or next(iter(worklist), None)
    item = None
    if example is not None:
        item = annotating.open_example(session, person.actor, project_id, example)
    home = f"/projects/{project.id}"
    labels = with_usable_hotkeys([one for one in context["schema_labels"] if not one.retired])
    workbench: dict[str, Any] = {
        "project": {
            "id": project.id,
            "name": project.name,
            "task": project.task,
            "language": project.language,
            "schema": project.label_schema,
            "digest": label_sets.digest(project),
        },
        "person": {"id": person.user.id, "name": person.user.name},
        "example": to_jsonable_python(item),
        "worklist": worklist,
        "lease_seconds": get_settings().lease_minutes * 60,
        "urls": {
            "api": f"/api/v1{home}",
            "import_": f"{home}/import",
            "label": f"{home}/label",
            "label_issues": f"{home}/label-issues",
            "versions": f"{home}/versions",
        },
        "strings": strings(),
    }
    return render(
        request,
        "pages/label.html",
        **context | {"schema_labels": labels},
        workbench=workbench,
        guidelines_html=markdown(project.guidelines),
    )
