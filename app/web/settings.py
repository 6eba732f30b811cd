"""A project's settings: labels, guidelines, instruction, frames, members."""

from typing import Any

from fastapi import Request, UploadFile
from sqlalchemy.orm import Session
from starlette.responses import Response

from app.db import session_scope
from app.errors import InvalidInput, TooLarge
from app.http.identity import Identity, Person
from app.http.routing import Db, Router
from app.i18n import gettext as _
from app.services import deletion, frames, projects
from app.services.access import ROLES, project_for
from app.tasks import get_task
from app.tasks.hotkeys import with_usable_hotkeys
from app.web.forms import Form, Problems, collecting, reading_anew, schema_from, text
from app.web.projects import LANGUAGES, project_context
from app.web.render import is_htmx, redirect, render

router = Router(prefix="/projects/{project_id}")


def _page(
    request: Request,
    session: Session,
    person: Identity,
    project_id: str,
    *,
    problems: Problems | None = None,
    schema: dict[str, Any] | None = None,
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
        **_frames(session, person, project_id),
        instruction=projects.instruction(context["project"]),
        problems=problems or Problems(),
        roles=ROLES,
        languages=LANGUAGES,
    )


@router.get("/settings")
def settings_page(request: Request, session: Db, person: Person, project_id: str) -> Response:
    return _page(request, session, person, project_id)


@router.post("/settings")
def save_settings(request: Request, person: Person, project_id: str, form: Form) -> Response:
    with session_scope(read_only=True) as session:
        project = project_for(session, person.actor, project_id, "manager")
    names = ("name", "description", "language", "guidelines", "instruction")
    values: dict[str, Any] = {name: text(form, name) for name in names if name in form}
    if values.get("instruction") == projects.instruction(project):
        del values["instruction"]  # untouched: keep following the task's own
    if "label_name" in form:
        values["label_schema"] = schema_from(form, get_task(project.task))
    problems = Problems()
    with problems.collecting():
        projects.update(person.actor, project_id, projects.fields_from(values))
    if problems:
        with session_scope(read_only=True) as reading:
            return _page(
                request,
                reading,
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
        with reading_anew(session) as reading:
            return _page(request, reading, person, project_id, problems=problems)
    return redirect(request, f"/projects/{project_id}/settings#members", flash=_("Saved."))


@router.post("/members/{user_id}/remove")
def remove_member(
    request: Request, session: Db, person: Person, project_id: str, user_id: str
) -> Response:
    projects.remove_member(session, person.actor, project_id, user_id)
    return redirect(request, f"/projects/{project_id}/settings#members", flash=_("Saved."))


@router.post("/frames")
def load_frames(request: Request, person: Person, project_id: str, file: UploadFile) -> Response:
    # Opens no session of its own: the service's upload holds none while the bytes come in.
    back = f"/projects/{project_id}/settings#frames"
    try:
        frames.load(
            person.actor, project_id, filename=file.filename or "frames.xml", stream=file.file
        )
    except (InvalidInput, TooLarge) as error:
        return redirect(request, back, flash=error.message, level="error")
    return redirect(request, back)


@router.get("/frames")
def frames_fragment(request: Request, session: Db, person: Person, project_id: str) -> Response:
    if not is_htmx(request):
        return redirect(request, f"/projects/{project_id}/settings#frames")
    context = project_context(session, person, project_id, "settings")
    return render(
        request, "partials/frames.html", **context, **_frames(session, person, project_id)
    )


@router.post("/frames/cancel")
def cancel_frames(request: Request, session: Db, person: Person, project_id: str) -> Response:
    frames.cancel(session, person.actor, project_id)
    return redirect(request, f"/projects/{project_id}/settings#frames")


def _frames(session: Session, person: Identity, project_id: str) -> dict[str, Any]:
    found = frames.newest(session, person.actor, project_id)
    return {
        "roleset_count": frames.count(session, project_id),
        "frame_file": found[0] if found else None,
        "frame_job": found[1] if found else None,
    }


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
        with reading_anew(session) as reading:
            return _page(request, reading, person, project_id, problems=problems)
    deletion.start(session, person.actor, project_id)
    return redirect(request, "/", flash=_("The project is deleted."))
