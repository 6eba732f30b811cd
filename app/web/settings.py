"""A project's settings: labels, guidelines, instruction, frames, members."""

from typing import Any

from fastapi import Request, UploadFile
from sqlalchemy.orm import Session
from starlette.responses import Response

from app.errors import InvalidInput
from app.http.identity import Identity, Person
from app.http.routing import Db, Router
from app.i18n import gettext as _
from app.i18n import ngettext
from app.services import frames, projects
from app.services.access import ROLES, project_for
from app.tasks import get_task
from app.tasks.hotkeys import with_usable_hotkeys
from app.web.forms import Form, Problems, collecting, schema_from, text
from app.web.projects import LANGUAGES, project_context
from app.web.render import redirect, render

router = Router(prefix="/projects/{project_id}")


def _page(
    request: Request,
    session: Session,
    person: Identity,
    project_id: str,
    *,
    problems: Problems | None = None,
    schema: dict[str, Any] | None = None,
    frame_problems: list[Any] | None = None,
) -> Response:
    project_for(session, person.actor, project_id, "manager")
    context = project_context(session, person, project_id, "settings")
    labels = context["schema_labels"]
    pairs = zip(labels, with_usable_hotkeys(labels), strict=True)
    return render(
        request,
        "pages/settings.html",
        status=422 if problems else 200,
        **context,
        replaced_keys=[(own, used) for own, used in pairs if own.hotkey != used.hotkey],
        schema=schema or context["project"].label_schema,
        members=projects.members(session, person.actor, project_id),
        roleset_count=frames.count(session, project_id),
        instruction=projects.instruction(context["project"]),
        problems=problems or Problems(),
        frame_problems=frame_problems or [],
        roles=ROLES,
        languages=LANGUAGES,
    )


@router.get("/settings")
def settings_page(request: Request, session: Db, person: Person, project_id: str) -> Response:
    return _page(request, session, person, project_id)


@router.post("/settings")
def save_settings(
    request: Request, session: Db, person: Person, project_id: str, form: Form
) -> Response:
    project = project_for(session, person.actor, project_id, "manager")
    names = ("name", "description", "language", "guidelines", "instruction")
    values: dict[str, Any] = {name: text(form, name) for name in names if name in form}
    if values.get("instruction") == projects.instruction(project):
        del values["instruction"]  # untouched: keep following the task's own
    if "label_name" in form:
        values["label_schema"] = schema_from(form, get_task(project.task))
    problems = Problems()
    with collecting(session, problems):
        projects.update(session, person.actor, project_id, projects.fields_from(values))
    if problems:
        return _page(
            request,
            session,
            person,
            project_id,
            problems=problems,
            schema=values.get("label_schema"),
        )
    return redirect(request, f"/projects/{project_id}/settings", flash=_("Saved."))


@router.post("/members")
def set_member(
    request: Request, session: Db, person: Person, project_id: str, form: Form
) -> Response:
    problems = Problems()
    with collecting(session, problems):
        projects.set_member(
            session, person.actor, project_id, email=text(form, "email"), role=text(form, "role")
        )
    if problems:
        return _page(request, session, person, project_id, problems=problems)
    return redirect(request, f"/projects/{project_id}/settings#members", flash=_("Saved."))


@router.post("/members/{user_id}/remove")
def remove_member(
    request: Request, session: Db, person: Person, project_id: str, user_id: str
) -> Response:
    projects.remove_member(session, person.actor, project_id, user_id)
    return redirect(request, f"/projects/{project_id}/settings#members", flash=_("Saved."))


@router.post("/frames")
def load_frames(
    request: Request, session: Db, person: Person, project_id: str, file: UploadFile
) -> Response:
    problems = Problems()
    try:
        count, missed = frames.load(
            session, person.actor, project_id, file.file, file.filename or "frames.xml"
        )
    except InvalidInput as error:
        problems.message, problems.fields = error.message, {"file": error.message}
        return _page(
            request, session, person, project_id, problems=problems, frame_problems=error.problems
        )
    flash = ngettext("%(n)s sense is loaded.", "%(n)s senses are loaded.", count)
    if missed:
        files = "; ".join(f"{problem.where}: {problem.message}" for problem in missed[:3])
        flash += " " + _("Some files could not be read: %(files)s", files=files)
    return redirect(
        request,
        f"/projects/{project_id}/settings#frames",
        flash=flash,
        level="warning" if missed else "success",
    )


@router.post("/frames/clear")
def clear_frames(request: Request, session: Db, person: Person, project_id: str) -> Response:
    frames.clear(session, person.actor, project_id)
    return redirect(
        request, f"/projects/{project_id}/settings#frames", flash=_("The inventory is empty.")
    )


@router.post("/delete")
def delete_project(
    request: Request, session: Db, person: Person, project_id: str, form: Form
) -> Response:
    project = project_for(session, person.actor, project_id, "manager", write=True)
    if text(form, "confirm") != project.name:
        problems = Problems()
        problems.message = _("Type the project's name to delete it.")
        problems.fields = {"confirm": problems.message}
        return _page(request, session, person, project_id, problems=problems)
    projects.remove(session, person.actor, project_id)
    return redirect(request, "/", flash=_("The project is deleted."))
