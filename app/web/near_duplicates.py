"""Test examples of a version that nearly stand in its train split."""

from typing import Annotated

from fastapi import Query, Request
from starlette.responses import Response

from app.http.identity import Person
from app.http.routing import Db, Router
from app.services import near_duplicates, versions
from app.web.projects import project_context
from app.web.render import redirect, render

router = Router(prefix="/projects/{project_id}/versions/{number}/near-duplicates")


@router.get("")
def near_duplicates_page(
    request: Request,
    session: Db,
    person: Person,
    project_id: str,
    number: int,
    after: Annotated[int, Query(ge=0, le=2**53 - 1)] = 0,
) -> Response:
    version = versions.ready(session, person.actor, project_id, number)
    return render(
        request,
        "pages/near_duplicates.html",
        **project_context(session, person, project_id, "versions"),
        version=version,
        page=near_duplicates.browse(session, person.actor, project_id, number, after=after),
        after=after,
    )


@router.post("")
def count(request: Request, session: Db, person: Person, project_id: str, number: int) -> Response:
    near_duplicates.start(session, person.actor, project_id, number)
    return redirect(request, f"/projects/{project_id}/versions/{number}")
