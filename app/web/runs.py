"""A run's page: watching it, what is said of it, what it left."""

from typing import Annotated, Any, Literal

from anyio import to_thread
from fastapi import Query, Request
from sqlalchemy.orm import Session
from starlette.responses import Response

from app.db import session_scope
from app.errors import InvalidInput, Unavailable
from app.http.download import send_stream
from app.http.figures import send_figures
from app.http.identity import Identity, Person, changes_nothing, identify_again
from app.http.live import Since, send_events
from app.http.routing import Db, Router
from app.i18n import gettext as _
from app.models import FINAL_STATES
from app.services import label_issues, runs, searches, versions, workers
from app.services import models as model_files
from app.services.runs import version_of
from app.tasks import get_task
from app.training import RUN_KINDS
from app.web.forms import Form, Problems, collecting, text
from app.web.projects import project_context
from app.web.render import is_htmx, redirect, render

router = Router()

Drawn = Annotated[int, Query(ge=-1, le=2**31 - 1)]


def run_context(
    session: Session, person: Identity, run_id: str, *, drawn: runs.Reach | None = None
) -> dict[str, Any]:
    """What the run page and its live part show. `drawn`: how far the curves go that an open page has."""
    view = runs.get(session, person.actor, run_id)
    live = view.job.state not in FINAL_STATES
    reach = runs.reach(session, run_id)
    curves_stay = live and drawn is not None and drawn.looks_like(reach)
    return {
        **project_context(session, person, view.project.id, "runs"),
        "view": view,
        "kind": RUN_KINDS[view.kind],
        "run": view.run,
        "job": view.job,
        "live": live,
        "since": runs.of_runs(session, [run_id])[run_id].token,
        "version": version_of(session, view),
        "curves_stay": curves_stay,
        "drawn": drawn if curves_stay else reach,
        "steps": runs.points(
            session, run_id, "step", after_step=reach.step - 1 if curves_stay else -1
        ),
        "evaluations": [] if curves_stay else _validations(session, run_id),
        "log": runs.log_tail(session, run_id),
        "ahead": runs.queued_before(session, view.job),
        "newest_version": versions.newest_ready(session, view.project.id),
        "issues_left": label_issues.left_of(session, run_id) if _has_issues(view) else None,
        "is_served": view.job.state != "queued"
        or view.job.queue == "cpu"
        or workers.is_served(session, "gpu", view.job.device),
        "search_title": searches.title_of(session, view.run),
    }


def _validations(session: Session, run_id: str) -> list[dict[str, Any]]:
    found = runs.points(session, run_id, "evaluation")
    return [point for point in found if point.get("split") == "validation"]


def _has_issues(view: runs.RunView) -> bool:
    return bool((view.run.result or {}).get("label_issues"))


@router.get("/runs/{run_id}")
def run_page(
    request: Request,
    session: Db,
    person: Person,
    run_id: str,
    step: Drawn = -1,
    evaluation: Drawn = -1,
) -> Response:
    if is_htmx(request):
        template, drawn = "partials/run_live.html", runs.Reach(step, evaluation)
    else:
        template, drawn = "pages/run.html", None
    context = run_context(session, person, run_id, drawn=drawn)
    return render(request, template, **context, problems=Problems(), editing=False)


@router.get("/runs/{run_id}/events")
def run_events(
    request: Request, session: Db, person: Person, run_id: str, since: Since = ""
) -> Response:
    runs.get(session, person.actor, run_id)

    def check() -> None:
        actor = identify_again(request).actor
        with session_scope(read_only=True) as again:
            runs.get(again, actor, run_id)

    return send_events(request, [f"run:{run_id}"], since=since, still_allowed=check)


@router.post("/runs/{run_id}/describe")
def describe_run(
    request: Request, session: Db, person: Person, run_id: str, form: Form
) -> Response:
    problems = Problems()
    with collecting(session, problems):
        runs.describe(
            session,
            person.actor,
            run_id,
            name=text(form, "name"),
            note=text(form, "note"),
            tags=text(form, "tags").replace("，", ",").split(","),
        )
    if not problems:
        return redirect(request, f"/runs/{run_id}")
    session.expire_all()
    context = run_context(session, person, run_id)
    values = {name: text(form, name) for name in ("name", "note", "tags")}
    return render(
        request,
        "pages/run.html",
        status=422,
        **context,
        problems=problems,
        editing=True,
        values=values,
    )


@router.post("/runs/{run_id}/archive")
def archive_run(request: Request, session: Db, person: Person, run_id: str, form: Form) -> Response:
    runs.describe(session, person.actor, run_id, archived=text(form, "archived") == "1")
    return redirect(request, f"/runs/{run_id}")


@router.post("/runs/{run_id}/resume")
def resume_run(request: Request, session: Db, person: Person, run_id: str) -> Response:
    runs.resume(session, person.actor, run_id)
    return redirect(request, f"/runs/{run_id}")


@router.post("/runs/{run_id}/cancel")
def cancel_run(request: Request, session: Db, person: Person, run_id: str) -> Response:
    runs.cancel(session, person.actor, run_id)
    return redirect(request, f"/runs/{run_id}")


@router.post("/runs/{run_id}/delete")
def delete_run(request: Request, session: Db, person: Person, run_id: str) -> Response:
    runs.clear_reports(person.actor, [run_id])
    project_id = runs.remove(session, person.actor, run_id)
    return redirect(request, f"/projects/{project_id}/runs", flash=_("The run is deleted."))


@router.get("/runs/{run_id}/model.zip")
def download_model(session: Db, person: Person, run_id: str) -> Response:
    view = runs.require_model(session, person.actor, run_id)
    pieces = model_files.archive(run_id, view.run.model_size)
    runs.note_download(person.actor, view, "model")
    return send_stream(
        pieces,
        filename=f"{view.run.name}.zip",
        media_type="application/zip",
    )


@router.post("/runs/{run_id}/try")
@changes_nothing
async def try_model(request: Request, person: Person, run_id: str, form: Form) -> Response:
    words = text(form, "text")
    context: dict[str, Any] = {"text": words, "prediction": None, "message": ""}
    status = 200
    try:
        context["prediction"] = (await runs.predict(person.actor, run_id, [words]))[0]
    except (InvalidInput, Unavailable) as error:
        context["message"], status = error.message, error.status
    return await to_thread.run_sync(_show_prediction, request, person, run_id, status, context)


def _show_prediction(
    request: Request, person: Identity, run_id: str, status: int, context: dict[str, Any]
) -> Response:
    with session_scope(read_only=True) as session:
        view = runs.get(session, person.actor, run_id)
        task = get_task(view.project.task)
        schema = runs.label_schema(session, view)
        labels = task.labels(task.parse_schema(schema))
    context |= {"run": view.run, "task": task, "labels": {label.name: label for label in labels}}
    if is_htmx(request):
        return render(request, "partials/prediction.html", status=status, **context)
    return render(request, "pages/prediction.html", status=status, **context)


@router.get("/runs/{run_id}/log.txt")
def download_log(session: Db, person: Person, run_id: str) -> Response:
    view = runs.get(session, person.actor, run_id)
    return send_stream(
        runs.log_chunks(view.run.id), filename=f"{view.run.name}.log.txt", media_type="text/plain"
    )


@router.get("/runs/{run_id}/figures.{form}")
def download_figures(
    session: Db, person: Person, run_id: str, form: Literal["csv", "json"]
) -> Response:
    return send_figures(runs.get(session, person.actor, run_id), form=form)
