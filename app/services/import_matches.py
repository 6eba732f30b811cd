"""Which rows of a file are about texts that the project has already (`on_duplicate="update"`).

A row matches an example by its external id, else by its text. While the file is read, what matching rows say is put
aside; what becomes of it is `import_updates`'.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, or_, select
from sqlalchemy.orm import Session

from app.db import session_scope
from app.formats.base import Record
from app.i18n import gettext as _
from app.models import (
    Annotation,
    Example,
    Import,
    ImportUpdate,
    Project,
)
from app.services import jobs
from app.services.batches import Batches
from app.tasks import get_task
from app.tasks.content import content_hash

Good = tuple[Record, dict[str, Any], dict[str, Any] | None]


@dataclass(frozen=True, slots=True)
class Matched:
    """What a row's example is, of those that the project has."""

    examples: list[int]
    """Empty: none, the row is a new one."""
    is_of_this_file: bool
    """An earlier row of this very file brought it."""
    problem: str = ""
    """Why what the row says cannot be said of that example."""


def stage(
    claim: jobs.Claim,
    batches: Batches,
    row: Import,
    project: Project,
    good: Sequence[Good],
    report: Any,
) -> list[Good]:
    """Put aside what the matching rows say, and return the others. Rows whose match cannot be become problems."""
    new: list[Good] = []
    said: list[dict[str, Any]] = []
    own: dict[str, Any] = {}
    for item, found in zip(good, match(row, project, good), strict=True):
        record, inputs, annotation = item
        digest = content_hash(inputs["text"])
        problem = found.problem
        if not problem and annotation is not None and own.get(digest, annotation) != annotation:
            problem = _otherwise()
        if problem:
            report.read -= 1
            report.reject(record.row, problem)
        elif found.is_of_this_file or digest in own:
            report.duplicates += 1
        elif not found.examples:
            new.append(item)
        else:
            report.matched += 1
            if annotation is not None:
                said += (
                    {"import_id": row.id, "example_id": example_id, "payload": annotation}
                    for example_id in found.examples
                )
        own.setdefault(digest, annotation)
    if said:
        with batches.transaction() as session:
            jobs.hold(session, claim)
            session.execute(insert(ImportUpdate), said)
    return new


def match(row: Import, project: Project, good: Sequence[Good]) -> list[Matched]:
    """For each row, which of the project's examples it is about."""
    ids = {record.external_id for record, _inputs, _said in good if record.external_id}
    hashes = {content_hash(inputs["text"]) for _record, inputs, _said in good}
    with session_scope(read_only=True) as session:
        rows = session.execute(
            select(
                Example.id,
                Example.external_id,
                Example.content_hash,
                Example.inputs,
                Example.status,
            )
            .where(
                Example.project_id == project.id,
                or_(
                    Example.content_hash.in_(hashes),
                    Example.external_id.in_(ids) & Example.external_id.is_not(None),
                ),
                or_(Example.status != "staged", Example.import_id == row.id),
            )
            .order_by(Example.id)
        ).all()
        earlier = _said_above(session, row, rows)
    by_id: dict[str, list[Any]] = {}
    by_hash: dict[str, list[Any]] = {}
    for one in rows:
        by_hash.setdefault(one.content_hash, []).append(one)
        if one.external_id:
            by_id.setdefault(one.external_id, []).append(one)
    found = []
    for record, inputs, annotation in good:
        digest = content_hash(inputs["text"])
        named = by_id.get(record.external_id or "", [])
        known = named or by_hash.get(digest, [])
        problem = ""
        if any(one.content_hash != digest for one in named):
            problem = _(
                "The project has another text under the id “%(id)s”.", id=record.external_id
            )
        elif annotation is not None and any(one.inputs["text"] != inputs["text"] for one in known):
            problem = _misplaced(project, annotation)
        above = [earlier[one.id] for one in known if one.id in earlier]
        if not problem and above and annotation is not None and annotation not in above:
            problem = _otherwise()
        found.append(Matched([one.id for one in known], bool(above), problem))
    return found


def _said_above(session: Session, row: Import, known: Sequence[Any]) -> dict[int, Any]:
    """What earlier rows of this file say of examples that they brought or matched; None where they say nothing."""
    ids = [one.id for one in known]
    said: dict[int, Any] = {one.id: None for one in known if one.status == "staged"}
    brought = select(Annotation.example_id, Annotation.payload).where(
        Annotation.example_id.in_(list(said))
    )
    matched = select(ImportUpdate.example_id, ImportUpdate.payload).where(
        ImportUpdate.import_id == row.id, ImportUpdate.example_id.in_(ids)
    )
    for query in (brought, matched):
        said.update((example_id, payload) for example_id, payload in session.execute(query))
    return said


def _otherwise() -> str:
    return _("The file says something else of this text further up.")


def _misplaced(project: Project, annotation: dict[str, Any]) -> str:
    """Spans that were counted in a text with other blanks would come to lie elsewhere."""
    if not any(place for place, _label in get_task(project.task).places(annotation)):
        return ""
    return _("The project has this text with other blanks, so the spans would lie elsewhere in it.")
