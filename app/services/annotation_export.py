"""All that was said of a project's examples, by whom, when and in which order: for managers, as JSON Lines."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session, aliased

from app.db import session_scope
from app.errors import NotFound
from app.i18n import gettext as _
from app.models import Annotation, DatasetVersion, Example, User
from app.services import audit
from app.services.access import Actor, project_for
from app.services.export_files import slug
from app.services.freezing import examples_in
from app.services.versions import ready

MEDIA_TYPE = "application/x-ndjson"
_CHUNK = 1000


@dataclass(frozen=True, slots=True)
class AnnotationExport:
    """Everybody's annotations up to a moment."""

    filename: str
    conditions: tuple[ColumnElement[bool], ...]
    cutoff: int
    """No annotation after this one is in it."""
    annotators: list[tuple[str | None, str | None]]
    """(id, name), by name, and what was imported at the end as (None, None)."""

    def chunks(self) -> Iterator[bytes]:
        """The lines, annotator by annotator, each in the order of time; read in short transactions."""
        for user_id, name in self.annotators:
            after = 0
            while True:
                with session_scope(read_only=True) as session:
                    rows = session.execute(self._rows(user_id, after)).all()
                if not rows:
                    break
                yield b"".join(_line(row, name) for row in rows)
                after = rows[-1].Annotation.id

    def _rows(self, user_id: str | None, after: int) -> Any:
        later = aliased(Annotation)
        stands = (
            Annotation.payload.is_not(None)
            & ~Annotation.is_proposal
            & ~select(later.id)
            .where(
                later.example_id == Annotation.example_id,
                later.id > Annotation.id,
                later.id <= self.cutoff,
                ~later.is_proposal,
            )
            .exists()
        )
        return (
            select(Annotation, Example, stands.label("is_gold"))
            .join(Example, Example.id == Annotation.example_id)
            .where(
                *self.conditions,
                Annotation.user_id == user_id
                if user_id is not None
                else Annotation.user_id.is_(None),
                Annotation.id > after,
                Annotation.id <= self.cutoff,
            )
            .order_by(Annotation.id)
            .limit(_CHUNK)
        )


def open_annotations(
    session: Session,
    actor: Actor,
    project_id: str,
    *,
    number: int | None = None,
    annotator: str | None = None,
) -> AnnotationExport:
    """All revisions of a project, or those that a version was chosen from; of one annotator, if an id is given.
    Raises Forbidden for anybody but a manager, NotFound for somebody who has said nothing."""
    project = project_for(session, actor, project_id, "manager")
    name = slug(project.name)
    if number is None:
        conditions = [Example.project_id == project_id, Example.status != "staged"]
        cutoff = session.scalar(select(func.max(Annotation.id))) or 0
    else:
        version: DatasetVersion = ready(session, actor, project_id, number)
        conditions, cutoff = examples_in(version), version.last_annotation_id or 0
        name = f"{name}-v{number}"
    said = select(Annotation.user_id).where(Annotation.project_id == project_id).distinct()
    people = session.execute(
        select(User.id, User.name).where(User.id.in_(said)).order_by(User.name, User.id)
    )
    annotators: list[tuple[str | None, str | None]] = [(row.id, row.name) for row in people]
    annotators.append((None, None))
    if annotator is not None:
        annotators = [person for person in annotators if person[0] == annotator]
        if not annotators:
            raise NotFound(_("Nobody with this id has annotated anything in this project."))
    own = (Annotation.project_id == project_id, *conditions)
    return AnnotationExport(f"{name}-annotations.jsonl", own, cutoff, annotators)


def note_download(actor: Actor, project_id: str, number: int | None) -> None:
    """Write into the audit trail that somebody takes everybody's annotations away."""
    audit.record_download(
        actor,
        "annotations.export",
        project_id=project_id,
        subject="" if number is None else str(number),
    )


def _line(row: Any, name: str | None) -> bytes:
    annotation, example = row.Annotation, row.Example
    return orjson.dumps(
        {
            "annotation_id": annotation.id,
            "example_id": example.id,
            "external_id": example.external_id,
            "annotator": {"id": annotation.user_id, "name": name} if name else None,
            "source": annotation.source,
            "revision": annotation.revision,
            "is_gold": bool(row.is_gold),
            "is_proposal": annotation.is_proposal,
            "is_skip": annotation.payload is None,
            "annotation": annotation.payload,
            "comment": annotation.comment,
            "seconds": annotation.seconds,
            "created_at": annotation.created_at,
            "inputs": example.inputs,
        },
        option=orjson.OPT_APPEND_NEWLINE,
    )
