"""Importing a file: upload, look at the preview, start, watch."""

from typing import Any

from fastapi import Request, UploadFile
from sqlalchemy.orm import Session
from starlette.responses import Response

from app.db import session_scope
from app.errors import InvalidInput, TooLarge
from app.formats.base import Record
from app.http.identity import Identity, Person
from app.http.routing import Db, Router
from app.i18n import gettext as _
from app.i18n import mark
from app.services import import_undo, importing
from app.services.access import project_for
from app.services.import_rows import ImportOptions, alike
from app.tasks.base import Label, TaskType, TextInputs, parse
from app.web.forms import Form, Problems, reading_anew, text
from app.web.projects import project_context
from app.web.render import is_htmx, redirect, render

router = Router(prefix="/projects/{project_id}")

ENCODINGS = {
    "": mark("detected"),
    "utf-8": "UTF-8",
    "gb18030": "GB18030 / GBK",
    "big5": "Big5",
    "utf-16": "UTF-16",
    "cp1252": "Windows-1252",
    "latin-1": "ISO 8859-1",
    "shift_jis": "Shift JIS",
    "euc-kr": "EUC-KR",
    "cp1251": "Windows-1251",
}


@router.get("/import")
def import_page(request: Request, session: Db, person: Person, project_id: str) -> Response:
    return _upload_page(request, session, person, project_id)


def _upload_page(
    request: Request, session: Session, person: Identity, project_id: str, message: str = ""
) -> Response:
    project_for(session, person.actor, project_id, "manager")
    context = project_context(session, person, project_id, "import")
    return render(
        request,
        "pages/import.html",
        status=422 if message else 200,
        **context,
        imports=importing.list_imports(session, person.actor, project_id),
        formats=importing.readers_for(context["project"].task),
        message=message,
    )


@router.post("/import")
def upload(request: Request, person: Person, project_id: str, file: UploadFile) -> Response:
    # Opens no session of its own: the service's upload holds none while the bytes come in.
    try:
        row = importing.upload(
            person.actor, project_id, filename=file.filename or "file", stream=file.file
        )
    except (InvalidInput, TooLarge) as error:
        return redirect(
            request, f"/projects/{project_id}/import", flash=error.message, level="error"
        )
    return redirect(request, f"/projects/{project_id}/imports/{row.id}")


@router.get("/imports/{import_id}")
def import_detail(
    request: Request, session: Db, person: Person, project_id: str, import_id: str
) -> Response:
    row, job = importing.get(session, person.actor, project_id, import_id)
    context = project_context(session, person, project_id, "import")
    if job is not None:
        template = "partials/import_job.html" if is_htmx(request) else "pages/import_job.html"
        undo = importing.undo_job(session, row)
        return render(request, template, **context, row=row, job=job, undo=undo)
    options = ImportOptions.model_validate(row.options or {})
    return _preview(request, session, person, context, row, options, Problems())


def _preview(
    request: Request,
    session: Session,
    person: Identity,
    context: dict[str, Any],
    row: Any,
    options: ImportOptions,
    problems: Problems,
) -> Response:
    preview = None
    project_id = context["project"].id
    try:
        preview = importing.preview(session, person.actor, project_id, row.id, options)
    except InvalidInput as error:
        # The columns chosen before another format or separator was: they are guessed anew.
        read = options.read.model_copy(update={"columns": {}})
        if options.read.columns and not problems.message:
            options = options.model_copy(update={"read": read})
            return _preview(request, session, person, context, row, options, problems)
        problems.message = problems.message or error.message
    labels = preview.labels if preview and preview.records else []
    return render(
        request,
        "partials/import_preview.html" if is_htmx(request) else "pages/import_preview.html",
        **context,
        row=row,
        preview=preview,
        rows=_as_read(context["task"], preview.records if preview else []),
        beside=_beside(preview.records if preview else []),
        label_map=_label_map(labels, options, context["schema_labels"]),
        options=options,
        format_name=options.format or row.format,
        formats=importing.readers_for(context["project"].task),
        encodings=ENCODINGS,
        problems=problems,
    )


def _beside(records: list[Record]) -> dict[str, str]:
    """What these rows say besides text and annotation, with the title of its column."""
    titles = {
        "split": _("Split"),
        "external_id": _("Id"),
        "tokens": _("Tokens"),
        "meta": _("Kept beside"),
    }
    return {
        name: title
        for name, title in titles.items()
        if any(getattr(record, name) for record in records)
    }


def _as_read(task: TaskType[Any, Any], records: list[Record]) -> list[tuple[Record, str]]:
    """The records with their annotation in a few words."""
    rows = []
    for record in records:
        said = ""
        if record.annotation is not None:
            payload = task.parse_payload(record.annotation)
            said = task.brief(payload, TextInputs.model_construct(text=record.text))
        rows.append((record, said))
    return rows


def _label_map(
    labels: list[str], options: ImportOptions, known: list[Label]
) -> list[tuple[str, str]]:
    """The file's labels and what each becomes; those that the project has keep their name, and one that differs
    from a name or title only in case is taken for that."""
    chosen = options.read.label_map
    settled = set(chosen.values()) | {label.name for label in known}
    same = alike(known)
    new = [label for label in labels if label not in settled]
    return [*chosen.items(), *((label, same.get(label.strip().casefold(), "")) for label in new)]


@router.post("/imports/{import_id}/preview")
def preview_again(
    request: Request, person: Person, project_id: str, import_id: str, form: Form
) -> Response:
    problems, options = Problems(), ImportOptions()
    try:
        options = _options(form)
    except InvalidInput as error:
        problems.message = error.message
    # A session that only reads: a request of this method would have one that holds a lock.
    with session_scope(read_only=True) as session:
        row, job = importing.get(session, person.actor, project_id, import_id)
        if job is not None:  # started in another tab
            return redirect(request, f"/projects/{project_id}/imports/{import_id}")
        context = project_context(session, person, project_id, "import")
        return _preview(request, session, person, context, row, options, problems)


@router.post("/imports/{import_id}/start")
def start(
    request: Request, session: Db, person: Person, project_id: str, import_id: str, form: Form
) -> Response:
    try:
        importing.start(session, person.actor, project_id, import_id, _options(form))
    except InvalidInput as error:
        problems = Problems()
        problems.message = error.message
        with reading_anew(session) as reading:
            row, _job = importing.get(reading, person.actor, project_id, import_id)
            context = project_context(reading, person, project_id, "import")
            options = ImportOptions()
            return _preview(request, reading, person, context, row, options, problems)
    return redirect(request, f"/projects/{project_id}/imports/{import_id}")


@router.post("/imports/{import_id}/undo")
def undo(
    request: Request, session: Db, person: Person, project_id: str, import_id: str
) -> Response:
    import_undo.start(session, person.actor, project_id, import_id)
    return redirect(request, f"/projects/{project_id}/imports/{import_id}")


@router.post("/imports/{import_id}/undo/cancel")
def cancel_undo(
    request: Request, session: Db, person: Person, project_id: str, import_id: str
) -> Response:
    import_undo.cancel(session, person.actor, project_id, import_id)
    return redirect(request, f"/projects/{project_id}/imports/{import_id}")


@router.post("/imports/{import_id}/again")
def again(request: Request, person: Person, project_id: str, import_id: str) -> Response:
    row = import_undo.again(person.actor, project_id, import_id)
    return redirect(request, f"/projects/{project_id}/imports/{row.id}")


@router.post("/imports/{import_id}/cancel")
def cancel(
    request: Request, session: Db, person: Person, project_id: str, import_id: str
) -> Response:
    importing.cancel(session, person.actor, project_id, import_id)
    return redirect(request, f"/projects/{project_id}/import")


def _options(form: Form) -> ImportOptions:
    """What the preview's form says. Raises InvalidInput."""
    columns = {
        name.removeprefix("column_"): "" if value == "-" else value
        for name, value in form.items()
        if name.startswith("column_") and isinstance(value, str) and value
    }
    label_map = dict(
        pair
        for pair in zip(form.getlist("map_from"), form.getlist("map_to"), strict=False)
        if isinstance(pair[1], str) and pair[1].strip()
    )
    read = {
        "encoding": text(form, "encoding") or None,
        "columns": columns,
        "delimiter": {"tab": "\t"}.get(text(form, "delimiter"), text(form, "delimiter")) or None,
        "has_header": {"yes": True, "no": False}.get(text(form, "has_header")),
        "label_map": label_map,
        "sheet": text(form, "sheet") or None,
        "label_separator": text(form, "label_separator") or None,
        "tag_columns": text(form, "tag_columns") or None,
        "offsets": text(form, "offsets") or None,
        "span_end": text(form, "span_end") or None,
    }
    choices = {
        name: text(form, name)
        for name in ("on_error", "on_duplicate", "new_labels")
        if text(form, name)
    }
    return parse(
        ImportOptions,
        {
            "format": text(form, "format") or None,
            "split": text(form, "split") or None,
            "read": {name: value for name, value in read.items() if value not in (None, {}, "")},
            **choices,
        },
        _("The import cannot be started as it is."),
    )
