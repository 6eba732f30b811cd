"""What models got wrong."""

from typing import Annotated

from fastapi import Query, Request
from starlette.responses import Response

from app.http.identity import Person
from app.http.routing import Db, Router
from app.services import evaluation, runs
from app.services.evaluation import Order, Split
from app.web.projects import project_context
from app.web.render import render

router = Router()


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
