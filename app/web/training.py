"""The forms that start trainings: fine-tuning, cross-validation, pre-training."""

from dataclasses import asdict
from typing import Any, get_args

from fastapi import Request
from starlette.datastructures import FormData
from starlette.responses import Response

from app.http.identity import Identity, Person
from app.http.routing import Db, Router
from app.i18n import gettext as _
from app.services import runs, versions
from app.tasks.base import parse
from app.training import (
    LEAST_TEXTS,
    Base,
    CrossValidateParams,
    FineTuneParams,
    PretrainParams,
    TrainingParams,
)
from app.web.forms import Form, Problems, collecting, reading_anew, text, turn
from app.web.projects import project_context
from app.web.render import redirect, render

router = Router()


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
    with reading_anew(session) as reading:
        return _train(request, reading, person, context, number, values, Problems())


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
        wish: dict[str, Any] = {
            "version_number": number,
            "name": text(form, "name"),
            "turn": turn(form),
        }
        if isinstance(params, CrossValidateParams):
            run = runs.cross_validate(session, person.actor, project_id, params=params, **wish)
        else:
            run = runs.create(session, person.actor, project_id, params=params, **wish)
    if problems:
        shown = (
            values | {"kind": "crossvalidate" if is_crossed else "finetune"} | asdict(turn(form))
        )
        return _train(request, session, person, context, number, shown, problems)
    return redirect(request, f"/runs/{run.id}")


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
            turn=turn(form),
        )
    if problems:
        with reading_anew(session) as reading:
            return _pretrain(
                request, reading, person, context, values | asdict(turn(form)), problems
            )
    return redirect(request, f"/runs/{run.id}")
