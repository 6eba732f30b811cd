"""Searches: their form, how many runs they would start, their page."""

from typing import Any, get_args

from fastapi import Request
from starlette.responses import Response

from app.db import session_scope
from app.errors import InvalidInput
from app.http.identity import Identity, Person, changes_nothing
from app.http.routing import Db, Router
from app.i18n import gettext as _
from app.services import runs, searches, versions, workers
from app.services.searches import SearchPlan
from app.tasks.base import parse
from app.training import Base, FineTuneParams
from app.training.search import MAX_SEARCH_RUNS
from app.web.forms import Form, Problems, collecting, text
from app.web.projects import project_context
from app.web.render import is_htmx, redirect, render

router = Router()

_SEVERAL = ("head", "tuning")
"""Fields that are checkboxes."""
_OWN = {"strategy": "grid", "runs": "10", "random_seed": "42", "name": "", "device": ""}


@router.get("/projects/{project_id}/versions/{number}/search")
def search_form(
    request: Request, session: Db, person: Person, project_id: str, number: int
) -> Response:
    context = project_context(session, person, project_id, "versions")
    version = versions.ready(session, person.actor, project_id, number)
    suggested = runs.suggested_params(context["project"].task, version).model_dump()
    words: dict[str, Any] = {
        name: "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
        for name, value in suggested.items()
    }
    words |= {name: [words[name]] for name in _SEVERAL}
    return _page(request, session, person, context, number, words | _OWN, Problems())


@router.post("/projects/{project_id}/versions/{number}/search")
def start_search(
    request: Request, person: Person, project_id: str, number: int, form: Form
) -> Response:
    problems = Problems()
    # No session of the request's own: to check all combinations may take a while.
    try:
        with session_scope(read_only=True) as session:
            params, wish = _read(session, person, project_id, number, form)
        made = searches.create(
            person.actor,
            project_id,
            version_number=number,
            params=params,
            wish=wish,
            name=text(form, "name"),
            device=text(form, "device"),
        )
    except InvalidInput as error:
        problems.message = error.message
        problems.fields = {problem.where: problem.message for problem in error.problems}
        with session_scope(read_only=True) as session:
            context = project_context(session, person, project_id, "versions")
            return _page(request, session, person, context, number, _words(form), problems)
    return redirect(request, f"/searches/{made.id}")


@router.post("/projects/{project_id}/versions/{number}/search/count")
@changes_nothing
def count_runs(
    request: Request, person: Person, project_id: str, number: int, form: Form
) -> Response:
    """How many runs the form would start: the line alone for htmx, else the form again."""
    problems = Problems()
    # A session that only reads: a request of this method would have one that holds a lock.
    with session_scope(read_only=True) as session:
        context = project_context(session, person, project_id, "versions")
        told = _count(session, person, project_id, number, form, problems)
        if is_htmx(request):
            return render(request, "partials/search_count.html", **told)
        return _page(request, session, person, context, number, _words(form), problems, **told)


def _count(
    session: Db, person: Identity, project_id: str, number: int, form: Form, problems: Problems
) -> dict[str, Any]:
    count = 0
    with collecting(session, problems):
        params, wish = _read(session, person, project_id, number, form)
        count = len(
            searches.plan(
                session,
                person.actor,
                project_id,
                version_number=number,
                params=params,
                wish=wish,
            )
        )
    return {"count": count, "count_problem": problems.message}


def _words(form: Form) -> dict[str, Any]:
    """What was written in the form, to be shown again."""
    words: dict[str, Any] = {name: text(form, name).strip() for name in FineTuneParams.model_fields}
    words |= {name: [str(value) for value in form.getlist(name)] for name in _SEVERAL}
    words["base_ref"] = text(form, f"base_ref_{words['base']}").strip()
    return words | {name: text(form, name, default).strip() for name, default in _OWN.items()}


def _read(
    session: Db, person: Identity, project_id: str, number: int, form: Form
) -> tuple[FineTuneParams, SearchPlan]:
    """What the form says. Raises InvalidInput."""
    words = _words(form)
    written = {
        name: ", ".join(words[name]) if name in _SEVERAL else words[name]
        for name in FineTuneParams.model_fields
    }
    # A reference is a name, and may have commas in it.
    named = {name: written.pop(name) for name in ("base", "base_ref") if written[name]}
    written.pop("base_ref", None)
    fixed, space = searches.read_words({name: word for name, word in written.items() if word})
    params = runs.params_from(
        session, person.actor, project_id, number, named | fixed, FineTuneParams
    )
    plan = {
        "space": space,
        "strategy": words["strategy"],
        "runs": words["runs"] or _OWN["runs"],
        "seed": words["random_seed"] or _OWN["random_seed"],
    }
    try:
        return params, parse(SearchPlan, plan, _("The search cannot be started as it is."))
    except InvalidInput as error:  # its seed has another name in the form, where a run has one, too
        own = [
            p if p.where != "seed" else type(p)("random_seed", p.message) for p in error.problems
        ]
        raise InvalidInput(error.message, own) from error


def _page(
    request: Request,
    session: Db,
    person: Identity,
    context: dict[str, Any],
    number: int,
    words: dict[str, Any],
    problems: Problems,
    **told: Any,
) -> Response:
    project = context["project"]
    version = versions.ready(session, person.actor, project.id, number)
    base = words["base"] if words["base"] in get_args(Base) else "packaged"
    return render(
        request,
        "pages/search_new.html",
        status=422 if problems else 200,
        **context,
        version=version,
        words=words,
        values={"base": base, "base_ref": words["base_ref"]},
        fields=FineTuneParams.model_fields,
        most=MAX_SEARCH_RUNS,
        base_folders=runs.base_folders(),
        base_runs=runs.base_runs(session, person.actor, project),
        problems=problems,
        **{"count": 0, "count_problem": problems.message} | told,
    )


@router.get("/searches/{search_id}")
def search_page(request: Request, session: Db, person: Person, search_id: str) -> Response:
    view = searches.get(session, person.actor, search_id)
    # All of its runs are pinned to the same.
    device = view.children[0].job.device if view.children else None
    return render(
        request,
        "partials/search.html" if is_htmx(request) else "pages/search.html",
        **project_context(session, person, view.project.id, "runs"),
        view=view,
        device=device,
        is_served=not view.counts["queued"] or workers.is_served(session, "gpu", device),
    )


@router.post("/searches/{search_id}/cancel")
def cancel_search(request: Request, session: Db, person: Person, search_id: str) -> Response:
    searches.cancel(session, person.actor, search_id)
    return redirect(request, f"/searches/{search_id}")


@router.post("/searches/{search_id}/delete")
def delete_search(request: Request, session: Db, person: Person, search_id: str) -> Response:
    searches.clear_reports(person.actor, search_id)
    project_id = searches.remove(session, person.actor, search_id)
    return redirect(request, f"/projects/{project_id}/runs", flash=_("The search is deleted."))
