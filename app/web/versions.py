"""Dataset versions: the list, freezing one, looking at it, downloading it."""

from contextlib import suppress
from typing import Annotated, Any
from urllib.parse import urlencode

import orjson
from fastapi import Depends, Path, Query, Request
from starlette.responses import Response

from app.errors import Damaged, Gone
from app.formats import WRITERS
from app.formats.licences import LICENCES
from app.http.download import disposition, send_annotations, send_export
from app.http.identity import Identity, Person
from app.http.routing import Db, Router
from app.i18n import gettext as _
from app.services import (
    export_job,
    exporting,
    near_duplicates,
    projects,
    runs,
    version_diff,
    versions,
)
from app.services.export_files import ExportOptions, Splits
from app.services.version_diff import Kind
from app.tasks.base import parse
from app.web.forms import Form, Problems, collecting, reading_anew, text
from app.web.projects import project_context
from app.web.render import is_htmx, redirect, render

router = Router(prefix="/projects/{project_id}/versions")


@router.get("")
def versions_page(request: Request, session: Db, person: Person, project_id: str) -> Response:
    return _list(request, session, person, project_id, Problems(), {})


def _list(
    request: Request,
    session: Db,
    person: Person,
    project_id: str,
    problems: Problems,
    values: dict[str, Any],
) -> Response:
    context = project_context(session, person, project_id, "versions")
    found = versions.list_versions(session, person.actor, project_id)
    last = found[0][0].split_percent if found else versions.SplitPercent().model_dump()
    written = [version.number for version, _job in found if version.sha256]
    return render(
        request,
        "pages/versions.html",
        status=422 if problems else 200,
        **context,
        versions=found,
        counts=projects.status_counts(context["project"]),
        split={**last, **values},
        note=values.get("note", ""),
        last_written=written[0] if written else None,
        is_anew=bool(values.get("anew")),
        problems=problems,
    )


@router.post("")
def freeze(request: Request, session: Db, person: Person, project_id: str, form: Form) -> Response:
    problems = Problems()
    values = {name: text(form, name) for name in versions.SPLITS}
    with collecting(session, problems):
        split = _percent(values)
        version = versions.create(
            session,
            person.actor,
            project_id,
            note=text(form, "note"),
            split=split,
            keep_splits=not text(form, "anew"),
        )
    if problems:
        shown = {**values, "note": text(form, "note"), "anew": text(form, "anew")}
        with reading_anew(session) as reading:
            return _list(request, reading, person, project_id, problems, shown)
    return redirect(request, f"/projects/{project_id}/versions/{version.number}")


def _percent(values: dict[str, str]) -> versions.SplitPercent:
    return parse(versions.SplitPercent, values, _("The split is not right."), strict=False)


@router.post("/moves")
def moves(request: Request, session: Db, person: Person, project_id: str, form: Form) -> Response:
    """What splitting anew would move, before it is asked for."""
    split = _percent({name: text(form, name) for name in versions.SPLITS})
    with reading_anew(session) as reading:
        number, found = versions.moves(reading, person.actor, project_id, split)
    return render(request, "partials/version_moves.html", number=number, moves=found)


@router.get("/{number}/diff")
def diff_page(
    request: Request,
    session: Db,
    person: Person,
    project_id: str,
    number: int,
    base: int | None = None,
    kind: Kind | None = None,
    after: Annotated[int, Query(ge=0, le=2**53 - 1)] = 0,
) -> Response:
    """Compared with the version before, unless another is named."""
    context = project_context(session, person, project_id, "versions")
    others = [
        version.number
        for version, _job in versions.list_versions(session, person.actor, project_id)
        if version.sha256 and version.number != number
    ]
    base = base or next((other for other in others if other < number), number)
    found = version_diff.diff(
        session, person.actor, project_id, base, number, kind=kind, after=after
    )
    said = [
        (change, *version_diff.in_words(context["project"], change)) for change in found.changes
    ]
    return render(
        request,
        "partials/version_changes.html" if is_htmx(request) else "pages/version_diff.html",
        **context,
        number=number,
        base=base,
        others=others,
        kind=kind,
        titles={
            "added": _("Added"),
            "removed": _("Removed"),
            "relabelled": _("Relabelled"),
            "moved": _("In another split"),
        },
        found=found,
        changes=said,
    )


@router.get("/{number}")
def version_page(
    request: Request,
    session: Db,
    person: Person,
    project_id: str,
    number: int,
    part: str = "",
) -> Response:
    context = project_context(session, person, project_id, "versions")
    version, job = versions.get(session, person.actor, project_id, number)
    near_job = near_duplicates.job_of(session, version)
    if is_htmx(request):
        name = "version_near_duplicates" if part == "near-duplicates" else "version_job"
        return render(
            request,
            f"partials/{name}.html",
            **context,
            version=version,
            job=job,
            near_job=near_job,
        )
    return render(
        request,
        "pages/version.html",
        **context,
        version=version,
        job=job,
        near_job=near_job,
        lineage=_lineage(session, person, project_id, number),
        before=versions.number_before(session, version),
        formats=exporting.formats_by_purpose(context["project"].task),
        runs=[
            view
            for view in runs.list_runs(session, person.actor, project_id)
            if view.version_number == number
        ],
    )


def _lineage(session: Db, person: Identity, project_id: str, number: int) -> dict[str, Any] | None:
    """None, too, where the manifest is damaged: asking for it says so, and the page has more to show."""
    with suppress(Gone, Damaged):
        return versions.lineage(session, person.actor, project_id, number)
    return None


@router.post("/{number}/retry")
def retry(request: Request, session: Db, person: Person, project_id: str, number: int) -> Response:
    versions.retry(session, person.actor, project_id, number)
    return redirect(request, f"/projects/{project_id}/versions/{number}")


@router.post("/{number}/cancel")
def cancel(request: Request, session: Db, person: Person, project_id: str, number: int) -> Response:
    versions.cancel(session, person.actor, project_id, number)
    return redirect(request, f"/projects/{project_id}/versions/{number}")


@router.get("/all/annotations")
def all_annotations(session: Db, person: Person, project_id: str) -> Response:
    """Everybody's annotations of the whole project, every revision."""
    return send_annotations(session, person.actor, project_id)


@router.get("/{number}/annotations")
def version_annotations(session: Db, person: Person, project_id: str, number: int) -> Response:
    """Everybody's annotations of a version's examples, up to its moment."""
    return send_annotations(session, person.actor, project_id, number=number)


@router.get("/{number}/manifest")
def manifest(session: Db, person: Person, project_id: str, number: int) -> Response:
    found = versions.manifest(session, person.actor, project_id, number)
    name = f"manifest-v{number}.json"
    body = orjson.dumps(found, option=orjson.OPT_INDENT_2)
    headers = {"Content-Disposition": disposition(name)}
    return Response(body, media_type="application/json", headers=headers)


def _options(
    format_name: Annotated[str, Path(max_length=40)],
    split: Splits | None = None,
    comments: bool = False,
    licence: str = "",
) -> ExportOptions:
    return ExportOptions(format=format_name, split=split, comments=comments, licence=licence)


Options = Annotated[ExportOptions, Depends(_options)]


@router.get("/{number}/download/{format_name}")
def download_page(
    request: Request, session: Db, person: Person, project_id: str, number: int, options: Options
) -> Response:
    """What there is to choose of an export, and what its format cannot say, before anything is downloaded."""
    context = project_context(session, person, project_id, "versions")
    version, _job = versions.get(session, person.actor, project_id, number)
    if options.split is None and exporting.loses_splits(options.format):
        options = options.model_copy(update={"split": "each"})
    state = export_job.make_small(session, person.actor, project_id, number, options)
    return render(
        request,
        "partials/export.html" if is_htmx(request) else "pages/version_export.html",
        **context,
        version=version,
        writer=WRITERS[state.options.format],
        state=state,
        licences=LICENCES,
        chosen=_query(state.options),
    )


@router.post("/{number}/download/{format_name}")
def prepare(
    request: Request, session: Db, person: Person, project_id: str, number: int, options: Options
) -> Response:
    """Have a job make an export of a large version."""
    state = export_job.prepare(session, person.actor, project_id, number, options)
    here = f"/projects/{project_id}/versions/{number}/download/{options.format}"
    return redirect(request, f"{here}?{_query(state.options)}")


@router.post("/{number}/download/{format_name}/cancel")
def cancel_export(
    request: Request, session: Db, person: Person, project_id: str, number: int, options: Options
) -> Response:
    """Stop preparing an export."""
    state = export_job.cancel(session, person.actor, project_id, number, options)
    here = f"/projects/{project_id}/versions/{number}/download/{options.format}"
    return redirect(request, f"{here}?{_query(state.options)}")


@router.get("/{number}/export/{format_name}")
def export(
    request: Request, session: Db, person: Person, project_id: str, number: int, options: Options
) -> Response:
    return send_export(
        request,
        exporting.open_export(session, person.actor, project_id, number, options),
        on_send=lambda: exporting.note_download(person.actor, project_id, number, options),
    )


def _query(options: ExportOptions) -> str:
    """The options but for the format, as a URL has them."""
    chosen = options.model_dump(exclude={"format"})
    return urlencode({k: "true" if v is True else v for k, v in chosen.items() if v})
