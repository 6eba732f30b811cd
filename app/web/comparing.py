"""Runs side by side."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import Query, Request
from starlette.responses import Response

from app.http.identity import Person
from app.http.routing import Db, Router
from app.services import comparing, runs
from app.services.comparing import Wanted
from app.services.evaluation import Split
from app.web.projects import project_context
from app.web.render import is_htmx, render

router = Router()
TABLE_OF_RUNS = 8
"""With more runs than these, what differs stands in columns of one table."""


@router.get("/projects/{project_id}/compare")
def compare_page(
    request: Request,
    session: Db,
    person: Person,
    project_id: str,
    run: Annotated[list[str], Query()] = [],  # noqa: B006 (FastAPI copies it)
    split: Split | None = None,
    baseline: str = "",
    parameters: Literal["differing", "all"] = "differing",
    metric: str = "",
    right: str = "",
    wrong: str = "",
    after: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
) -> Response:
    context = project_context(session, person, project_id, "runs")
    if len(set(run)) < 2:
        return _chooser(request, session, person, context, run)
    compared = comparing.compare_runs(
        session,
        person.actor,
        project_id,
        run,
        split=split,
        baseline=baseline or None,
        wanted=Wanted(right or None, wrong or None, after),
    )
    ids = [side.view.run.id for side in compared.sides]
    most = comparing.points_for(len(ids))
    steps = runs.curves(session, ids, "step", most=most)
    evaluations = runs.curves(session, ids, "evaluation", most=most)
    names = _measured(evaluations)
    chosen: dict[str, Any] = {
        "split": compared.split,
        "baseline": baseline,
        "parameters": parameters,
        "metric": metric if metric in names else _first_metric(names, compared.primary),
        "right": right,
        "wrong": wrong,
    }

    def address(**changes: Any) -> str:
        """This page with something else chosen."""
        wanted = {name: value for name, value in (chosen | changes).items() if value}
        return "?" + urlencode([*(("run", each) for each in ids), *wanted.items()])

    def named(found: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
        return [
            {"label": side.view.run.name, "points": found[side.view.run.id]}
            for side in compared.sides
        ]

    return render(
        request,
        "partials/compare/curves.html" if is_htmx(request) else "pages/compare.html",
        **context,
        compared=compared,
        ids=ids,
        many=len(ids) > TABLE_OF_RUNS,
        chosen=chosen,
        address=address,
        after=after,
        measured=names,
        steps=named(steps),
        evaluations=named(evaluations),
    )


def _chooser(
    request: Request, session: Db, person: Person, context: dict[str, Any], chosen: Sequence[str]
) -> Response:
    project_id = context["project"].id
    known = runs.list_runs(session, person.actor, project_id, limit=comparing.MAX_COMPARED)
    return render(request, "pages/compare_choose.html", **context, known=known, chosen=set(chosen))


def _measured(curves: dict[str, list[dict[str, Any]]]) -> list[str]:
    """The scores that were measured while training, the loss apart."""
    names = dict.fromkeys(
        name
        for points in curves.values()
        for point in points
        for name in point.get("metrics", {})
        if name != "loss"
    )
    return list(names)


def _first_metric(names: list[str], primary: str) -> str:
    return primary if primary in names or not names else names[0]
