"""The list of likely label errors."""

from typing import Annotated

from fastapi import Query, Request
from starlette.responses import Response

from app.http.identity import Identity, Person
from app.http.routing import Db, Router
from app.services import label_issues
from app.services.label_issues import State
from app.web.forms import Form, text
from app.web.projects import project_context
from app.web.render import is_htmx, redirect, render

router = Router()


@router.get("/projects/{project_id}/label-issues")
def label_issues_page(
    request: Request,
    session: Db,
    person: Person,
    project_id: str,
    run: str | None = None,
    state: State = "open",
    after: Annotated[int, Query(ge=0, le=2**63 - 1)] = 0,
) -> Response:
    return _list(request, session, person, project_id, run, state, after)


@router.post("/projects/{project_id}/label-issues/{issue_id}/dismiss")
def dismiss(
    request: Request, session: Db, person: Person, project_id: str, issue_id: int, form: Form
) -> Response:
    label_issues.dismiss(session, person.actor, project_id, issue_id)
    return _after_change(request, session, person, project_id, text(form, "run"), "open")


@router.post("/projects/{project_id}/label-issues/{issue_id}/reopen")
def reopen(
    request: Request, session: Db, person: Person, project_id: str, issue_id: int, form: Form
) -> Response:
    label_issues.reopen(session, person.actor, project_id, issue_id)
    return _after_change(request, session, person, project_id, text(form, "run"), "dismissed")


def _after_change(
    request: Request, session: Db, person: Identity, project_id: str, run: str, state: State
) -> Response:
    if is_htmx(request):
        return _list(request, session, person, project_id, run or None, state, 0)
    return redirect(request, f"/projects/{project_id}/label-issues?run={run}&state={state}")


def _list(
    request: Request,
    session: Db,
    person: Identity,
    project_id: str,
    run: str | None,
    state: State,
    after: int,
) -> Response:
    context = project_context(session, person, project_id, "runs")
    page = label_issues.browse(
        session, person.actor, project_id, run_id=run or None, state=state, after=after
    )
    return render(
        request,
        "partials/label_issues.html" if is_htmx(request) else "pages/label_issues.html",
        **context,
        page=page,
        state=state,
        after=after,
    )
