"""The dashboard: runs, starting one, watching it, its model."""

from typing import Annotated, Any, Literal, get_args

from fastapi import APIRouter, Depends, Query, Request
from sqlalchemy.orm import Session
from starlette.datastructures import FormData
from starlette.responses import Response

from app.db import session_scope
from app.errors import InvalidInput, Unavailable
from app.http.download import send_stream
from app.http.figures import send_figures, send_leaderboard
from app.http.identity import Db, Identity, Person, identify_again
from app.http.live import send_events
from app.i18n import gettext as _
from app.models import FINAL_STATES
from app.services import label_issues, runs, searches, versions, workers
from app.services import models as model_files
from app.services.access import project_for
from app.services.projects import list_projects
from app.services.runs import MAX_TAG, RunFilter, Sort, version_of
from app.tasks import get_task
from app.tasks.base import parse
from app.training import (
    LEAST_TEXTS,
    RUN_KINDS,
    Base,
    CrossValidateParams,
    FineTuneParams,
    PretrainParams,
    TrainingParams,
)
from app.web.forms import Form, Problems, collecting, text
from app.web.projects import project_context
from app.web.render import is_htmx, redirect, render

router = APIRouter()
PAGE = 50
Order = Literal["asc", "desc"]
Since = Annotated[str, Query(max_length=40)]


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


@router.get("/projects/{project_id}/versions/{number}/train")
def train_page(
    request: Request,
    session: Db,
    person: Person,
    project_id: str,
    number: int,
    clone: str | None = None,
    start_from: str | None = None,
) -> Response:
    context = project_context(session, person, project_id, "versions")
    values: dict[str, Any] = {}
    if clone:
        view = runs.get(session, person.actor, clone)
        values = view.run.params | {"kind": view.kind}
    if start_from:
        values = {"base": "run", "base_ref": start_from}
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
    suggested: dict[str | None, dict[str, Any]] = {
        base: runs.suggested_params(project.task, version, base).model_dump()
        for base in get_args(Base)
    }
    return render(
        request,
        "pages/train.html",
        status=422 if problems else 200,
        **context,
        version=version,
        values={"kind": "finetune", "folds": CrossValidateParams.model_fields["folds"].default}
        | suggested.get(values.get("base"), suggested["packaged"])
        | values,
        fields=CrossValidateParams.model_fields,
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
    is_crossed = text(form, "kind") == "crossvalidate"
    params_type = CrossValidateParams if is_crossed else FineTuneParams
    values = _values(form, params_type)
    with collecting(session, problems):
        params = parse(params_type, values, _("The run cannot be started as it is."))
        wish: dict[str, Any] = {"version_number": number, "name": text(form, "name"), **_turn(form)}
        if isinstance(params, CrossValidateParams):
            run = runs.cross_validate(session, person.actor, project_id, params=params, **wish)
        else:
            run = runs.create(session, person.actor, project_id, params=params, **wish)
    if problems:
        shown = values | {"kind": "crossvalidate" if is_crossed else "finetune"} | _turn(form)
        return _train(request, session, person, context, number, shown, problems)
    return redirect(request, f"/runs/{run.id}")


def _turn(form: FormData) -> dict[str, str]:
    """When a run is to be done, and on what, as a form says it."""
    return {"priority": text(form, "priority", "normal"), "device": text(form, "device")}


def _values(form: FormData, kind: type[TrainingParams]) -> dict[str, Any]:
    """The parameters that a form says."""
    values: dict[str, Any] = {
        name: text(form, name).strip() for name in kind.model_fields if text(form, name).strip()
    }
    values["base_ref"] = text(form, f"base_ref_{values.get('base', '')}").strip() or None
    return values


@router.get("/projects/{project_id}/pretrain")
def pretrain_page(
    request: Request, session: Db, person: Person, project_id: str, clone: str | None = None
) -> Response:
    context = project_context(session, person, project_id, "runs")
    values = runs.get(session, person.actor, clone).run.params if clone else {}
    return _pretrain(request, session, person, context, values, Problems())


def _pretrain(
    request: Request,
    session: Db,
    person: Identity,
    context: dict[str, Any],
    values: dict[str, Any],
    problems: Problems,
) -> Response:
    project = context["project"]
    suggested: dict[str | None, dict[str, Any]] = {
        base: runs.suggested_pretraining(project, base).model_dump() for base in get_args(Base)
    }
    return render(
        request,
        "pages/pretrain.html",
        status=422 if problems else 200,
        **context,
        least=LEAST_TEXTS,
        values=suggested.get(values.get("base"), suggested["packaged"]) | values,
        fields=PretrainParams.model_fields,
        suggested=suggested,
        base_folders=runs.base_folders(),
        base_runs=runs.base_runs(session, person.actor, project),
        problems=problems,
    )


@router.post("/projects/{project_id}/pretrain")
def start_pretraining(
    request: Request, session: Db, person: Person, project_id: str, form: Form
) -> Response:
    context = project_context(session, person, project_id, "runs")
    problems = Problems()
    values = _values(form, PretrainParams)
    with collecting(session, problems):
        run = runs.create_pretraining(
            session,
            person.actor,
            project_id,
            params=parse(PretrainParams, values, _("The run cannot be started as it is.")),
            name=text(form, "name"),
            **_turn(form),
        )
    if problems:
        return _pretrain(request, session, person, context, values | _turn(form), problems)
    return redirect(request, f"/runs/{run.id}")


def run_context(session: Session, person: Identity, run_id: str) -> dict[str, Any]:
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
        "since": runs.of_runs(session, [run_id])[run_id].token,
        "version": version_of(session, view),
        "steps": runs.points(session, run_id, "step"),
        "evaluations": evaluations,
        "log": runs.log_tail(session, run_id),
        "ahead": runs.queued_before(session, view.job),
        "newest_version": versions.newest_ready(session, view.project.id),
        "issues_left": label_issues.left_of(session, run_id) if _has_issues(view) else None,
        "is_served": view.job.state != "queued"
        or view.job.queue == "cpu"
        or workers.is_served(session, "gpu", view.job.device),
        "search_title": searches.title_of(session, view.run),
    }


def _has_issues(view: runs.RunView) -> bool:
    return bool((view.run.result or {}).get("label_issues"))


@router.get("/runs/{run_id}")
def run_page(request: Request, session: Db, person: Person, run_id: str) -> Response:
    context = run_context(session, person, run_id)
    template = "partials/run_live.html" if is_htmx(request) else "pages/run.html"
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


@router.get("/runs/{run_id}/figures.{form}")
def download_figures(
    session: Db, person: Person, run_id: str, form: Literal["csv", "json"]
) -> Response:
    return send_figures(runs.get(session, person.actor, run_id), form=form)
