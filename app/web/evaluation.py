"""What models got wrong, and runs side by side."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from app.http.identity import Db, Person
from app.services import evaluation, runs
from app.services.evaluation import Order, Split
from app.web.projects import project_context
from app.web.render import render

router = APIRouter()


@router.get("/runs/{run_id}/errors")
def errors_page(
    request: Request,
    session: Db,
    person: Person,
    run_id: str,
    split: Split | None = None,
    gold: str | None = None,
    predicted: str | None = None,
    order: Order = "sure",
    after: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
) -> Response:
    view = runs.require_scored(session, person.actor, run_id)
    splits = evaluation.splits_of(view)
    split = split or splits[0]
    page = evaluation.wrong(
        session,
        person.actor,
        run_id,
        split=split,
        gold=gold or None,
        predicted=predicted or None,
        order=order,
        after=after,
    )
    report = (view.run.result or {}).get("metrics", {}).get(split)
    return render(
        request,
        "pages/errors.html",
        **project_context(session, person, view.project.id, "runs"),
        run=view.run,
        page=page,
        splits=splits,
        confusion=(report or {}).get("confusion"),
        chosen={"split": split, "gold": gold or "", "predicted": predicted or "", "order": order},
        after=after,
    )


@router.get("/projects/{project_id}/compare")
def compare_page(
    request: Request,
    session: Db,
    person: Person,
    project_id: str,
    run: Annotated[list[str], Query()] = [],  # noqa: B006 (FastAPI copies it)
    split: Split | None = None,
) -> Response:
    context = project_context(session, person, project_id, "runs")
    compared = evaluation.compare_runs(session, person.actor, project_id, run, split=split)
    curves = {
        kind: [
            {"label": item.view.run.name, "points": runs.points(session, item.view.run.id, kind)}
            for item in compared.runs
        ]
        for kind in ("step", "evaluation")
    }
    return render(request, "pages/compare.html", **context, compared=compared, curves=curves)
