"""Changes of a project's label set, and which of its labels annotations use.

Projects remember the names that annotations have (`used_labels`), so that neither a change of the labels nor a save
searches the annotations. Whoever writes annotations notes their names first: a name that is new takes the project's
lock, under which labels are removed, too.
"""

import hashlib
from collections.abc import Iterable
from typing import Any

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db import session_scope
from app.errors import Conflict, InvalidInput, Problem
from app.i18n import gettext as _
from app.models import ACTIVE_STATES, Annotation, Import, Job, Project
from app.tasks import get_task
from app.tasks.hotkeys import check_hotkeys

_CHUNK = 2000


def locked(session: Session, project_id: str) -> Project:
    """The project as it is now, locked for this transaction."""
    return session.scalars(
        select(Project)
        .where(Project.id == project_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()


def note_used(session: Session, project: Project, names: Iterable[str]) -> None:
    """Remember the labels of an annotation that is about to be written. Raises InvalidInput for one that somebody
    has removed since the annotation was checked."""
    new = set(names) - set(project.used_labels)
    if not new:
        return
    project = locked(session, project.id)
    if gone := new - _names(project, project.label_schema):
        raise InvalidInput(
            _("Somebody has removed the label “%(name)s” meanwhile.", name=min(gone)),
            [Problem("labels", name) for name in sorted(gone)],
        )
    project.used_labels = sorted({*project.used_labels, *new})


def add_used(project: Project, names: Iterable[str]) -> None:
    """Remember the labels of many annotations, and add those that the schema lacks. The project is locked."""
    names = set(names)
    task = get_task(project.task)
    if new := names - _names(project, project.label_schema):
        schema = task.extend_schema(task.parse_schema(project.label_schema), sorted(new))
        project.label_schema = schema.model_dump(mode="json")
    project.used_labels = sorted({*project.used_labels, *names})


def digest(project: Project) -> str:
    """Of all that a labelling page shows of a project besides its examples: a page that was made from another one
    offers labels, keys or guidelines that have changed."""
    shown = [project.label_schema, project.guidelines]
    return hashlib.sha256(orjson.dumps(shown, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]


def checked(session: Session, project: Project, data: dict[str, Any]) -> dict[str, Any]:
    """A label schema that may replace the project's, which is locked for this transaction. Raises InvalidInput where
    it lacks labels that annotations use, Conflict while it is found out which these are."""
    task = get_task(project.task)
    new = task.parse_schema(data)
    project = locked(session, project.id)
    check_hotkeys(task.labels(new), task.labels(task.parse_schema(project.label_schema)))
    kept = {label.name for label in task.labels(new)}
    gone = _names(project, project.label_schema) - kept
    if gone and _is_being_counted(session, project.id):
        raise Conflict(_("An import is just being taken back: remove labels when that is done."))
    if used := gone & set(project.used_labels):
        raise InvalidInput(
            _(
                "Labels that annotations use cannot be removed: %(names)s.",
                names=", ".join(sorted(used)),
            ),
            [Problem("labels", name) for name in sorted(used)],
        )
    found: dict[str, Any] = new.model_dump(mode="json")
    return found


def recount(project_id: str) -> None:
    """Find out anew which labels annotations use, after many are gone. No label may be removed meanwhile.

    Labels that are saved meanwhile note themselves, since none is known at the start.
    """
    with session_scope() as session:
        project = locked(session, project_id)
        task = get_task(project.task)
        project.used_labels = []
    found: set[str] = set()
    last = 0
    while True:
        with session_scope(read_only=True) as session:
            rows = session.execute(
                select(Annotation.id, Annotation.payload)
                .where(Annotation.project_id == project_id, Annotation.id > last)
                .order_by(Annotation.id)
                .limit(_CHUNK)
            ).all()
        for _id, payload in rows:
            if payload is not None:
                found.update(task.label_names(task.parse_payload(payload)))
        if len(rows) < _CHUNK:
            break
        last = rows[-1].id
    with session_scope() as session:
        add_used(locked(session, project_id), found)


def _names(project: Project, schema: dict[str, Any]) -> set[str]:
    task = get_task(project.task)
    return {label.name for label in task.labels(task.parse_schema(schema))}


def _is_being_counted(session: Session, project_id: str) -> bool:
    """Whether an import of the project is being taken back."""
    undoing = (
        select(Import.id)
        .join(Job, Job.id == Import.undo_job_id)
        .where(Import.project_id == project_id, Job.state.in_(ACTIVE_STATES))
        .limit(1)
    )
    return session.scalar(undoing) is not None
