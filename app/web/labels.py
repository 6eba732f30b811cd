"""Changing labels that annotations have: look at what a change touches, then make it."""

from typing import Annotated, Any

from fastapi import Query, Request
from starlette.datastructures import FormData
from starlette.responses import Response

from app.db import session_scope
from app.errors import InvalidInput
from app.http.identity import Identity, Person
from app.http.routing import Router
from app.i18n import gettext as _
from app.i18n import mark
from app.services import label_changes
from app.services.access import project_for
from app.web.forms import Form, Problems, text
from app.web.projects import project_context
from app.web.render import redirect, render

router = Router(prefix="/projects/{project_id}")

KINDS = {
    "rename": mark("Rename it"),
    "merge": mark("Merge it into another"),
    "split": mark("Split it into finer ones"),
    "retire": mark("Retire it: no longer offered"),
    "restore": mark("Offer it again"),
    "remove": mark("Remove it: only history has it"),
}
Word = Annotated[str, Query(max_length=100)]


@router.get("/labels")
def labels_page(
    request: Request,
    person: Person,
    project_id: str,
    kind: Word = "",
    label: Word = "",
    to: Word = "",
    into: Word = "",
    former: Word = "",
    parts: Annotated[str, Query(max_length=6000)] = "",
) -> Response:
    """With a `kind`, what that change would touch."""
    values = {
        "kind": kind,
        "label": label,
        "to": to,
        "into": into,
        "former": former,
        "parts": parts,
    }
    return _page(request, person, project_id, values)


@router.post("/labels")
def change_labels(request: Request, person: Person, project_id: str, form: Form) -> Response:
    values = _values(form)
    home = f"/projects/{project_id}/labels"
    try:
        change = label_changes.change_from(_wish(values))
        label_changes.apply(person.actor, project_id, change)
    except InvalidInput:
        return _page(request, person, project_id, values)
    return redirect(request, home, flash=_("The labels are changed."))


def _page(request: Request, person: Identity, project_id: str, values: dict[str, str]) -> Response:
    problems, preview = Problems(), None
    with session_scope(read_only=True) as session:
        project_for(session, person.actor, project_id, "manager")
        context = project_context(session, person, project_id, "settings")
    if values["kind"]:
        with problems.collecting():
            change = label_changes.change_from(_wish(values))
            preview = label_changes.preview(person.actor, project_id, change)
    return render(
        request,
        "pages/labels.html",
        status=422 if problems else 200,
        **context,
        kinds=KINDS,
        values=values,
        preview=preview,
        problems=problems,
    )


def _values(form: FormData) -> dict[str, str]:
    return {name: text(form, name) for name in ("kind", "label", "to", "into", "former", "parts")}


def _wish(values: dict[str, str]) -> dict[str, Any]:
    """The fields that this kind of change has."""
    parts = [line.strip() for line in values["parts"].splitlines() if line.strip()]
    fields: dict[str, dict[str, Any]] = {
        "rename": {"label": values["label"], "to": values["to"].strip()},
        "merge": {"label": values["label"], "into": values["into"]},
        "split": {"label": values["label"], "parts": parts},
        "separate": {"former": values["former"]},
    }
    return {"kind": values["kind"], **fields.get(values["kind"], {"label": values["label"]})}
