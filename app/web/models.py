"""The page of a run's model: its card, speed, lineage, and pushing it to a hub."""

from fastapi import Request
from sqlalchemy.orm import Session
from starlette.responses import Response

from app.formats.model_card import card_text
from app.http.identity import Identity, Person
from app.http.routing import Db, Router
from app.services import model_card, runs
from app.settings import get_settings
from app.training import RUN_KINDS
from app.web.forms import Form, Problems, collecting, reading_anew, text
from app.web.projects import project_context
from app.web.render import redirect, render

router = Router()


@router.get("/runs/{run_id}/model")
def model_page(request: Request, session: Db, person: Person, run_id: str) -> Response:
    return _page(request, session, person, run_id, "", Problems())


def _page(
    request: Request,
    session: Session,
    person: Identity,
    run_id: str,
    repo_id: str,
    problems: Problems,
) -> Response:
    view = runs.evaluable(session, person.actor, run_id)
    return render(
        request,
        "pages/model.html",
        status=422 if problems else 200,
        **project_context(session, person, view.project.id, "runs"),
        view=view,
        run=view.run,
        # The page has its own heading.
        card=card_text(model_card.facts(session, view)).partition("\n\n")[2],
        lineage=model_card.lineage(session, person.actor, view),
        kinds=RUN_KINDS,
        repo_id=repo_id,
        shared=get_settings().hub_push,
        problems=problems,
    )


@router.post("/runs/{run_id}/push")
def push_model(request: Request, session: Db, person: Person, run_id: str, form: Form) -> Response:
    problems = Problems()
    with collecting(session, problems):
        run = runs.push(
            session,
            person.actor,
            run_id,
            repo_id=text(form, "repo_id"),
            private=text(form, "visibility", "private") != "public",
            token=text(form, "token"),
        )
    if problems:
        with reading_anew(session) as reading:
            return _page(request, reading, person, run_id, text(form, "repo_id"), problems)
    return redirect(request, f"/runs/{run.id}")
