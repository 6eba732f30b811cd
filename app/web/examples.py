"""Looking through a project's examples."""

from typing import Annotated

from fastapi import Query, Request
from starlette.responses import Response

from app.http.identity import Person
from app.http.routing import Db, Router
from app.services import examples, projects, remarks
from app.web.projects import project_context
from app.web.render import is_htmx, render

router = Router()


@router.get("/projects/{project_id}/examples")
def examples_page(
    request: Request,
    session: Db,
    person: Person,
    project_id: str,
    status: str = "",
    label: Annotated[str, Query(max_length=100)] = "",
    breaks: Annotated[str, Query(max_length=20)] = "",
    q: str = "",
    after: int = 0,
) -> Response:
    context = project_context(session, person, project_id, "examples")
    having: remarks.Which | None = (
        "proposals" if status == "proposals" else "comments" if status == "comments" else None
    )
    page = examples.browse(
        session,
        person.actor,
        project_id,
        status=status,
        having=having,
        label=label or None,
        breaks=breaks or None,
        search=q,
        after=after,
    )
    return render(
        request,
        "partials/examples.html" if is_htmx(request) else "pages/examples.html",
        **context,
        page=page,
        chosen_status=status,
        label=label,
        breaks=breaks,
        q=q,
        after=after,
        counts=projects.status_counts(context["project"]),
        remark_counts=remarks.counts(session, person.actor, context["project"]),
    )
