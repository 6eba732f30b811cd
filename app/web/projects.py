"""The list of projects, making one, and a project's first page."""

from typing import Any

from fastapi import Request
from sqlalchemy.orm import Session
from starlette.responses import Response

from app.errors import NotFound
from app.http.identity import Identity, Person
from app.http.routing import Db, Router
from app.i18n import gettext as _
from app.services import audit, demo, label_issues, projects, runs, versions
from app.services.access import project_for, role_in
from app.tasks import TASKS, get_task
from app.web.forms import Form, Problems, collecting, schema_from, text
from app.web.render import redirect, render

router = Router()
LANGUAGES = {"en": "English", "zh": "中文", "und": "—"}


def project_context(
    session: Session, person: Identity, project_id: str, tab: str
) -> dict[str, Any]:
    """What every page of a project shows. Raises NotFound."""
    project = project_for(session, person.actor, project_id)
    task = get_task(project.task)
    return {
        "project": project,
        "task": task,
        "schema_labels": task.labels(task.parse_schema(project.label_schema)),
        "role": role_in(session, person.actor, project_id),
        "tab": tab,
        "active": "projects",
    }


@router.get("/")
def projects_page(request: Request, session: Db, person: Person) -> Response:
    return render(
        request,
        "pages/projects.html",
        projects=projects.list_projects(session, person.actor),
        active="projects",
    )


@router.post("/demo")
def load_demo(request: Request, person: Person) -> Response:
    made = demo.load(person.actor)
    return redirect(request, "/", flash=_("%(n)s demo projects are ready.", n=len(made)))


@router.get("/projects/new")
def new_project_page(request: Request, person: Person, task: str = "") -> Response:
    if task not in TASKS:
        return render(request, "pages/project_task.html", active="projects")
    kind = TASKS[task]
    schema = kind.default_schema("en")
    return _new(request, task, {"language": "en"}, schema.model_dump(mode="json"), Problems())


def _new(
    request: Request, task: str, values: dict[str, str], schema: dict[str, Any], problems: Problems
) -> Response:
    return render(
        request,
        "pages/project_new.html",
        status=422 if problems else 200,
        task=TASKS[task],
        values=values,
        schema=schema,
        problems=problems,
        languages=LANGUAGES,
        active="projects",
    )


@router.post("/projects/new")
def create_project(request: Request, session: Db, person: Person, form: Form) -> Response:
    name = text(form, "task")
    if name not in TASKS:
        raise NotFound(_("There is no such task."))
    task, problems = TASKS[name], Problems()
    values = {key: text(form, key) for key in ("name", "description", "language", "guidelines")}
    schema = schema_from(form, task)
    with collecting(session, problems):
        fields = projects.fields_from({**values, "label_schema": schema})
        project = projects.create(session, person.actor, task=name, fields=fields)
    if problems:
        return _new(request, name, values, schema, problems)
    return redirect(
        request,
        f"/projects/{project.id}/import",
        flash=_("The project is made. Now bring in texts."),
    )


@router.get("/projects/{project_id}")
def overview(request: Request, session: Db, person: Person, project_id: str) -> Response:
    context = project_context(session, person, project_id, "overview")
    return render(
        request,
        "pages/project.html",
        **context,
        counts=projects.status_counts(context["project"]),
        members=projects.members(session, person.actor, project_id),
        versions=versions.list_versions(session, person.actor, project_id)[:3],
        runs=runs.list_runs(session, person.actor, project_id, limit=3),
        issues=(label_issues.left(session, project_id) if context["role"] != "annotator" else None),
        activity=audit.recent(session, project_id, 10),
    )
