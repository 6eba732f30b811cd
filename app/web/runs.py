"""The dashboard: runs, starting one, watching it, its model."""

from typing import Any, get_args

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.db import session_scope
from app.errors import InvalidInput, Unavailable
from app.http.download import send_stream
from app.http.identity import Db, Identity, Person
from app.i18n import gettext as _
from app.models import FINAL_STATES
from app.services import models as model_files
from app.services import runs, searches, versions, workers
from app.tasks import get_task
from app.tasks.base import parse
from app.training import RUN_KINDS, Base, FineTuneParams
from app.web.forms import Form, Problems, collecting, text
from app.web.projects import project_context
from app.web.render import is_htmx, redirect, render

router = APIRouter()


@router.get("/runs")
def runs_page(request: Request, session: Db, person: Person) -> Response:
    return render(
        request,
        "partials/runs.html" if is_htmx(request) else "pages/runs.html",
        runs=runs.list_runs(session, person.actor),
        active="runs",
        everywhere=True,
    )


@router.get("/projects/{project_id}/runs")
def project_runs(request: Request, session: Db, person: Person, project_id: str) -> Response:
    return render(
        request,
        "partials/runs.html" if is_htmx(request) else "pages/project_runs.html",
        **project_context(session, person, project_id, "runs"),
        runs=runs.list_runs(session, person.actor, project_id),
        versions=versions.list_versions(session, person.actor, project_id),
        searches=searches.list_searches(session, person.actor, project_id),
        everywhere=False,
    )


@router.get("/projects/{project_id}/versions/{number}/train")
def train_page(
    request: Request,
    session: Db,
    person: Person,
    project_id: str,
    number: int,
    clone: str | None = None,
) -> Response:
    context = project_context(session, person, project_id, "versions")
    values = runs.get(session, person.actor, clone).run.params if clone else {}
    return _train(request, session, person, context, number, values, Problems())


def _train(
    request: Request,
    session: Db,
    person: Identity,
    context: dict[str, Any],
    number: int,
    values: dict[str, Any],
    problems: Problems,
) -> Response:
    project = context["project"]
    version = versions.ready(session, person.actor, project.id, number)
    suggested = {
        base: runs.suggested_params(project.task, version, base).model_dump()
        for base in get_args(Base)
    }
    return render(
        request,
        "pages/train.html",
        status=422 if problems else 200,
        **context,
        version=version,
        values=suggested[values.get("base", "packaged")] | values,
        fields=FineTuneParams.model_fields,
        suggested=suggested,
        base_folders=runs.base_folders(),
        base_runs=runs.base_runs(session, person.actor, project),
        problems=problems,
    )


@router.post("/projects/{project_id}/versions/{number}/train")
def start_run(
    request: Request, session: Db, person: Person, project_id: str, number: int, form: Form
) -> Response:
    context = project_context(session, person, project_id, "versions")
    problems = Problems()
    values: dict[str, Any] = {
        name: text(form, name).strip()
        for name in FineTuneParams.model_fields
        if text(form, name).strip()
    }
    values["base_ref"] = text(form, f"base_ref_{values.get('base', '')}").strip() or None
    with collecting(session, problems):
        params = parse(FineTuneParams, values, _("The run cannot be started as it is."))
        run = runs.create(
            session,
            person.actor,
            project_id,
            version_number=number,
            params=params,
            name=text(form, "name"),
            priority=text(form, "priority", "normal"),
            device=text(form, "device"),
        )
    if problems:
        values |= {"priority": text(form, "priority"), "device": text(form, "device")}
        return _train(request, session, person, context, number, values, problems)
    return redirect(request, f"/runs/{run.id}")


def run_context(session: Db, person: Identity, run_id: str) -> dict[str, Any]:
    """What the run page and its live part show."""
    view = runs.get(session, person.actor, run_id)
    evaluations = [
        point
        for point in runs.points(session, run_id, "evaluation")
        if point.get("split") == "validation"
    ]
    return {
        **project_context(session, person, view.project.id, "runs"),
        "view": view,
        "kind": RUN_KINDS[view.kind],
        "run": view.run,
        "job": view.job,
        "live": view.job.state not in FINAL_STATES,
        "steps": runs.points(session, run_id, "step"),
        "evaluations": evaluations,
        "log": runs.log_tail(session, run_id),
        "ahead": runs.queued_before(session, view.job),
        "is_served": view.job.state != "queued"
        or workers.is_served(session, "gpu", view.job.device),
        "search_title": searches.title_of(session, view.run),
    }


@router.get("/runs/{run_id}")
def run_page(request: Request, session: Db, person: Person, run_id: str) -> Response:
    context = run_context(session, person, run_id)
    template = "partials/run_live.html" if is_htmx(request) else "pages/run.html"
    return render(request, template, **context)


@router.post("/runs/{run_id}/cancel")
def cancel_run(request: Request, session: Db, person: Person, run_id: str) -> Response:
    runs.cancel(session, person.actor, run_id)
    return redirect(request, f"/runs/{run_id}")


@router.post("/runs/{run_id}/delete")
def delete_run(request: Request, session: Db, person: Person, run_id: str) -> Response:
    project_id = runs.remove(session, person.actor, run_id)
    return redirect(request, f"/projects/{project_id}/runs", flash=_("The run is deleted."))


@router.get("/runs/{run_id}/model.zip")
def download_model(session: Db, person: Person, run_id: str) -> Response:
    view = runs.require_model(session, person.actor, run_id)
    return send_stream(
        model_files.archive(run_id), filename=f"{view.run.name}.zip", media_type="application/zip"
    )


@router.post("/runs/{run_id}/try")
def try_model(request: Request, person: Person, run_id: str, form: Form) -> Response:
    words = text(form, "text")
    context: dict[str, Any] = {"text": words, "prediction": None, "message": ""}
    try:
        context["prediction"] = runs.predict(person.actor, run_id, [words])[0]
    except (InvalidInput, Unavailable) as error:
        context["message"] = error.message
    with session_scope(read_only=True) as session:
        view = runs.get(session, person.actor, run_id)
        task = get_task(view.project.task)
        schema = runs.label_schema(session, view)
        labels = task.labels(task.parse_schema(schema))
    context |= {"run": view.run, "task": task, "labels": {label.name: label for label in labels}}
    status = 422 if context["message"] else 200
    if is_htmx(request):
        return render(request, "partials/prediction.html", status=status, **context)
    return render(request, "pages/prediction.html", status=status, **context)


@router.get("/runs/{run_id}/log.txt")
def download_log(session: Db, person: Person, run_id: str) -> Response:
    view = runs.get(session, person.actor, run_id)
    return send_stream(
        runs.log_chunks(view.run.id), filename=f"{view.run.name}.log.txt", media_type="text/plain"
    )
