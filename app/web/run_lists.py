"""Lists of runs: all, a project's, the leaderboard; and the streams that tell of their news."""

from typing import Annotated, Any, Literal

from fastapi import Depends, Query, Request
from sqlalchemy.orm import Session
from starlette.responses import Response

from app.db import session_scope
from app.http.figures import send_leaderboard
from app.http.identity import Identity, Person, identify_again
from app.http.live import Since, send_events
from app.http.routing import Db, Router
from app.services import runs, searches, versions
from app.services.access import project_for
from app.services.projects import list_projects
from app.services.runs import MAX_TAG, RunFilter, Sort
from app.web.projects import project_context
from app.web.render import is_htmx, render

router = Router()
PAGE = 50
Order = Literal["asc", "desc"]
After = Annotated[str | None, Query(max_length=20)]


def wanted_runs(
    tag: Annotated[str, Query(max_length=MAX_TAG)] = "",
    version: Annotated[str, Query(max_length=9)] = "",
    archived: bool = False,
) -> RunFilter:
    """What a form of filters asks for; its empty fields ask for nothing."""
    number = int(version) if version.isdecimal() else None
    return RunFilter(version=number, tag=tag or None, archived=archived)


Wanted = Annotated[RunFilter, Depends(wanted_runs)]


@router.get("/runs")
def runs_page(
    request: Request, session: Db, person: Person, wanted: Wanted, after: After = None
) -> Response:
    projects = [project.id for project in list_projects(session, person.actor)]
    return render(
        request,
        "partials/runs.html" if is_htmx(request) else "pages/runs.html",
        **_list(session, person, None, wanted, after),
        news=runs.joined(runs.of_lists(session, sorted(projects)).values()),
        events="/runs/events",
        active="runs",
        everywhere=True,
    )


@router.get("/projects/{project_id}/runs")
def project_runs(
    request: Request,
    session: Db,
    person: Person,
    project_id: str,
    wanted: Wanted,
    after: After = None,
) -> Response:
    return render(
        request,
        "partials/runs.html" if is_htmx(request) else "pages/project_runs.html",
        **project_context(session, person, project_id, "runs"),
        **_list(session, person, project_id, wanted, after),
        news=runs.joined(runs.of_lists(session, [project_id]).values()),
        events=f"/projects/{project_id}/runs/events",
        versions=versions.list_versions(session, person.actor, project_id),
        searches=searches.list_searches(session, person.actor, project_id),
        tags=runs.tags_of_project(session, project_id),
        numbers=runs.versions_with_runs(session, project_id),
        everywhere=False,
    )


def _list(
    session: Session,
    person: Identity,
    project_id: str | None,
    wanted: RunFilter,
    after: str | None,
) -> dict[str, Any]:
    page = runs.page_of_runs(
        session, person.actor, project_id, limit=PAGE, after=after, wanted=wanted
    )
    return {"runs": page.runs, "next_after": page.next_after, "after": after, "wanted": wanted}


@router.get("/runs/events")
def all_runs_events(request: Request, session: Db, person: Person, since: Since = "") -> Response:
    projects = [project.id for project in list_projects(session, person.actor)]

    def check() -> None:
        identify_again(request)

    return send_events(
        request, [f"runs:{key}" for key in projects], since=since, still_allowed=check
    )


@router.get("/projects/{project_id}/runs/events")
def project_runs_events(
    request: Request, session: Db, person: Person, project_id: str, since: Since = ""
) -> Response:
    project_for(session, person.actor, project_id)

    def check() -> None:
        actor = identify_again(request).actor
        with session_scope(read_only=True) as again:
            project_for(again, actor, project_id)

    return send_events(request, [f"runs:{project_id}"], since=since, still_allowed=check)


@router.get("/projects/{project_id}/leaderboard")
def leaderboard_page(
    request: Request,
    session: Db,
    person: Person,
    project_id: str,
    wanted: Wanted,
    sort: Sort = "test",
    order: Order = "desc",
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
) -> Response:
    context = project_context(session, person, project_id, "runs")
    board = runs.leaderboard(
        session,
        person.actor,
        project_id,
        wanted=wanted,
        sort=sort,
        descending=order == "desc",
        page=page,
    )
    return render(
        request,
        "pages/leaderboard.html",
        **context,
        board=board,
        wanted=wanted,
        sort=sort,
        order=order,
        page=page,
        tags=runs.tags_of_project(session, project_id),
        numbers=runs.versions_with_runs(session, project_id),
    )


@router.get("/projects/{project_id}/leaderboard.{form}")
def download_leaderboard(
    session: Db,
    person: Person,
    project_id: str,
    form: Literal["csv", "json"],
    wanted: Wanted,
) -> Response:
    return send_leaderboard(session, person.actor, project_id, form=form, wanted=wanted)
