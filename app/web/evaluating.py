"""Evaluating a run's model on other data: on a version, or on a file."""

from dataclasses import asdict
from typing import Any

from fastapi import Request, UploadFile
from sqlalchemy.orm import Session
from starlette.responses import Response

from app.db import session_scope
from app.errors import InvalidInput, TooLarge
from app.formats.glue import TASKS, TEXT_TASKS
from app.http.identity import Identity, Person
from app.http.routing import Db, Router
from app.i18n import gettext as _
from app.services import runs, versions
from app.web.forms import Form, Problems, collecting, reading_anew, text, turn
from app.web.projects import project_context
from app.web.render import redirect, render

router = Router()


@router.get("/runs/{run_id}/evaluate")
def evaluate_page(request: Request, session: Db, person: Person, run_id: str) -> Response:
    return _page(request, session, person, run_id, {}, Problems())


def _page(
    request: Request,
    session: Session,
    person: Identity,
    run_id: str,
    values: dict[str, Any],
    problems: Problems,
) -> Response:
    view = runs.evaluable(session, person.actor, run_id)
    context = project_context(session, person, view.project.id, "runs")
    labels = runs.model_labels(session, view)
    layouts = TEXT_TASKS if context["task"].recipe == "classification" else ()
    return render(
        request,
        "pages/evaluate.html",
        status=422 if problems else 200,
        **context,
        run=view.run,
        choices=versions.list_ready(session, person.actor, view.project.task),
        layouts={name: TASKS[name].title for name in layouts},
        model_labels=labels,
        values={"version": "", "split": "test", "glue": "sst2", "priority": "normal", "device": ""}
        | values,
        problems=problems,
    )


@router.post("/runs/{run_id}/evaluate")
def evaluate_version(
    request: Request, session: Db, person: Person, run_id: str, form: Form
) -> Response:
    problems = Problems()
    project_id, _slash, number = text(form, "version").partition("/")
    with collecting(session, problems):
        if not number.isdecimal() or len(number) > 9:
            raise InvalidInput.at("version", _("Choose a version."))
        run = runs.evaluate_version(
            session,
            person.actor,
            run_id,
            project_id=project_id,
            version_number=int(number),
            split=text(form, "split", "test"),
            turn=turn(form),
        )
    if problems:
        values = {name: text(form, name) for name in ("version", "split")}
        with reading_anew(session) as reading:
            return _page(request, reading, person, run_id, values | asdict(turn(form)), problems)
    return redirect(request, f"/runs/{run.id}")


@router.post("/runs/{run_id}/evaluate/file")
def evaluate_file(
    request: Request, person: Person, run_id: str, form: Form, file: UploadFile
) -> Response:
    # Opens no session of its own: the service's upload holds none while the bytes come in.
    glue = text(form, "glue")
    meaning = {value: text(form, f"label_{value}") for value in ("0", "1")}
    try:
        run = runs.evaluate_file(
            person.actor,
            run_id,
            task=glue,
            filename=file.filename or "file",
            stream=file.file,
            labels=meaning,
            turn=turn(form),
        )
    except (InvalidInput, TooLarge) as error:
        problems = Problems()
        problems.message = error.message
        values = {"glue": glue, **{f"label_{value}": name for value, name in meaning.items()}}
        with session_scope(read_only=True) as session:
            return _page(request, session, person, run_id, values | asdict(turn(form)), problems)
    return redirect(request, f"/runs/{run.id}")
