"""Changes of a project's label set, and which of its labels annotations use.

Annotations keep the names that labels had when they were written. A label knows its former names, those of labels that
were merged into it included, and whoever reads annotations reads them under the names of today (`label_names`).

Projects remember the labels that annotations may have (`used_labels`), so that no save searches the annotations.
Whoever writes annotations notes their names first: a name that is new takes the project's lock, under which labels are
removed, too.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.db import session_scope
from app.errors import Conflict, InvalidInput, Problem
from app.i18n import gettext as _
from app.models import ACTIVE_STATES, Annotation, Import, Job, Project
from app.services import label_uses
from app.tasks import get_task
from app.tasks.base import Label
from app.tasks.hotkeys import check_hotkeys

_CHUNK = 2000
_MANY = 1000
"""So many examples that break a mode are counted."""


def locked(session: Session, project_id: str) -> Project:
    """The project as it is now, locked for this transaction."""
    return session.scalars(
        select(Project)
        .where(Project.id == project_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()


def frozen(project: Project) -> dict[str, Any]:
    """The label schema of a version: without labels that are retired and that no annotation has any more."""
    task = get_task(project.task)
    schema = task.parse_schema(project.label_schema)
    labels = [
        label
        for label in task.labels(schema)
        if not label.retired or label.name in project.used_labels
    ]
    found: dict[str, Any] = task.relabelled(schema, labels).model_dump(mode="json")
    return found


def note_used(session: Session, project: Project, names: Iterable[str]) -> None:
    """Remember the labels of an annotation that is about to be written. Raises InvalidInput for one that somebody
    has removed since the annotation was checked."""
    new = set(names) - set(project.used_labels)
    if not new:
        return
    project = locked(session, project.id)
    becomes = _names_of_today(project)
    if gone := new - becomes.keys():
        raise InvalidInput(
            _("Somebody has removed the label “%(name)s” meanwhile.", name=min(gone)),
            [Problem("labels", name) for name in sorted(gone)],
        )
    project.used_labels = sorted({*project.used_labels, *(becomes[name] for name in new)})


def add_used(project: Project, names: Iterable[str]) -> None:
    """Remember the labels of many annotations, and add those that the schema lacks. The project is locked."""
    becomes = _names_of_today(project)
    today = {becomes.get(name, name) for name in names}
    task = get_task(project.task)
    if new := today - set(becomes.values()):
        schema = task.extend_schema(task.parse_schema(project.label_schema), sorted(new))
        project.label_schema = schema.model_dump(mode="json")
    project.used_labels = sorted({*project.used_labels, *today})


def digest(project: Project) -> str:
    """Of all that a labelling page shows of a project besides its examples: a page that was made from another one
    offers labels, keys or guidelines that have changed."""
    shown = [project.label_schema, project.guidelines]
    return hashlib.sha256(orjson.dumps(shown, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Vetted:
    """That the gold of a project was looked through for what another schema does not allow."""

    schema: dict[str, Any]
    """The project's, at that time."""
    up_to: int
    """The last annotation then; later ones were not looked at."""


def vet(project: Project, data: dict[str, Any]) -> Vetted:
    """Before a new schema replaces the project's: labels that it lacks and that only history has are remembered as
    used no longer. Opens sessions of its own, since it reads the annotations.

    Raises InvalidInput where the gold of examples breaks its mode.
    """
    task = get_task(project.task)
    new = task.parse_schema(data)
    up_to = _last_annotation()
    forget_unused(project, set(project.used_labels) - {label.name for label in task.labels(new)})
    if _has_another_mode(project, data):
        found = label_uses.breaking(project, data, limit=_MANY).ids
        if found:
            raise _broken(project, data, len(found))
    return Vetted(project.label_schema, up_to)


def forget_unused(project: Project, labels: set[str]) -> None:
    """Those of these labels that only history has are remembered as used no longer. Opens sessions of its own."""
    up_to = _last_annotation()
    unused = labels - label_uses.in_use(project, labels) if labels else set()
    if not unused:
        return
    with session_scope() as session:
        row = locked(session, project.id)
        row.used_labels = sorted(set(row.used_labels) - unused)
    # Whoever saved one of them while the annotations were read found it remembered.
    if again := label_uses.in_use(project, unused, after=up_to):
        with session_scope() as session:
            add_used(locked(session, project.id), again)


def _last_annotation() -> int:
    with session_scope(read_only=True) as session:
        return session.scalar(select(func.max(Annotation.id))) or 0


def _has_another_mode(project: Project, data: dict[str, Any]) -> bool:
    """Whether a schema says anything but its labels in another way than the project's."""
    task = get_task(project.task)
    bare = (task.with_labels(task.parse_schema(s), []) for s in (project.label_schema, data))
    return len({schema.model_dump_json() for schema in bare}) > 1


def _broken(project: Project, data: dict[str, Any], count: int) -> InvalidInput:
    mode = str(data.get("mode", ""))
    return InvalidInput(
        _(
            "The labels of %(n)s examples do not fit “%(mode)s”: label them anew first. The filter breaks=%(mode)s "
            "lists them.",
            n=f"{count:,}+" if count == _MANY else f"{count:,}",
            mode=mode,
        ),
        [Problem("mode", mode)],
    )


def checked(
    session: Session, project: Project, data: dict[str, Any], vetted: Vetted
) -> dict[str, Any]:
    """A label schema that may replace the project's, which is locked for this transaction. Labels keep their former
    names, whatever the new schema says of them. Raises InvalidInput where it lacks labels that annotations use,
    Conflict while it is found out which these are, or where the project's mode has changed since it was vetted."""
    task = get_task(project.task)
    given = task.parse_schema(data)
    project = locked(session, project.id)
    before = {label.name: label for label in task.labels(task.parse_schema(project.label_schema))}
    labels = [
        label.model_copy(
            update={"former": before[label.name].former if label.name in before else []}
        )
        for label in task.labels(given)
    ]
    new = task.relabelled(given, labels)
    check_new(task, labels, before.values())
    gone = before.keys() - {label.name for label in labels}
    if gone and _is_being_counted(session, project.id):
        raise Conflict(_("An import is just being taken back: remove labels when that is done."))
    if used := gone & set(project.used_labels):
        raise InvalidInput(
            _(
                "Labels that annotations use cannot be removed: %(names)s. Rename, merge or retire them.",
                names=", ".join(sorted(used)),
            ),
            [Problem("labels", name) for name in sorted(used)],
        )
    if _has_another_mode(project, data):
        if _is_importing(session, project.id):
            raise Conflict(
                _("A file is just being imported: choose another mode when that is done.")
            )
        if project.label_schema.get("mode") != vetted.schema.get("mode"):
            raise Conflict(
                _("Somebody has just changed the settings: look at them, and try again.")
            )
        if found := label_uses.broken_since(session, project, data, vetted.up_to):
            raise _broken(project, data, found)
    found_schema: dict[str, Any] = new.model_dump(mode="json")
    return found_schema


def check_new(task: Any, labels: Sequence[Label], before: Iterable[Label] = ()) -> None:
    """Raises InvalidInput where a label that was not there before has a name or a key that no label can have."""
    before = list(before)
    known = {label.name for label in before}
    for label in labels:
        if label.name not in known and (reason := task.why_reserved(label.name)):
            raise InvalidInput.at("label_name", reason)
    check_hotkeys(labels, before)


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


def _names_of_today(project: Project) -> dict[str, str]:
    """Every name that a label has or had, and the label's own."""
    task = get_task(project.task)
    labels = task.labels(task.parse_schema(project.label_schema))
    return {name: label.name for label in labels for name in (label.name, *label.former)}


def _is_importing(session: Session, project_id: str) -> bool:
    going_on = (
        select(Job.id)
        .where(Job.project_id == project_id, Job.kind == "import", Job.state.in_(ACTIVE_STATES))
        .limit(1)
    )
    return session.scalar(going_on) is not None


def _is_being_counted(session: Session, project_id: str) -> bool:
    """Whether an import of the project is being taken back."""
    undoing = (
        select(Import.id)
        .join(Job, Job.id == Import.undo_job_id)
        .where(Import.project_id == project_id, Job.state.in_(ACTIVE_STATES))
        .limit(1)
    )
    return session.scalar(undoing) is not None
