"""What becomes of rows about texts that the project has already, once their import counts, and the way back.

It becomes an annotation where nobody has labelled, and a suggestion beside whatever stands. Nobody's work is replaced.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import delete, exists, func, or_, select, update
from sqlalchemy.orm import Session

from app.db import session_scope
from app.errors import Conflict
from app.i18n import gettext as _
from app.models import (
    ACTIVE_STATES,
    Annotation,
    Example,
    Import,
    ImportUpdate,
    Job,
    Project,
    Remark,
)
from app.services import contributions, jobs
from app.services.batches import Batches
from app.services.contributions import Change
from app.services.import_matches import Good, match
from app.services.label_names import Today

_HEAVY = 4
"""A row takes several statements: that many times fewer of them go into a transaction."""
Effect = Literal["label", "suggestion", "same"]


def expected(row: Import, project: Project, good: Sequence[Good]) -> Counter[str]:
    """What these rows would do as things stand: how many match, and each effect."""
    counts: Counter[str] = Counter()
    matched = [
        (example_id, annotation)
        for (_record, _inputs, annotation), found in zip(
            good, match(row, project, good), strict=True
        )
        if found.examples and not found.problem
        for example_id in found.examples[:1]
    ]
    counts["matched"] = len(matched)
    said = {example_id: annotation for example_id, annotation in matched if annotation is not None}
    with session_scope(read_only=True) as session:
        standing = _standing(session, project, said)
    for example_id, annotation in said.items():
        counts[standing[example_id].effect_of(annotation)] += 1
    return counts


@dataclass(slots=True)
class _Standing:
    """What an example has before an import says something of it."""

    status: str
    payload: dict[str, Any] | None
    suggested: list[dict[str, Any]]
    """By earlier imports."""

    def effect_of(self, said: dict[str, Any]) -> Effect:
        if self.status == "open":
            return "label"
        return "same" if said == self.payload or said in self.suggested else "suggestion"


def _standing(session: Session, project: Project, ids: Iterable[int]) -> dict[int, _Standing]:
    today, wanted = Today(project), list(ids)
    rows = session.execute(
        select(Example.id, Example.status, Annotation.payload)
        .outerjoin(Annotation, Annotation.id == Example.gold_id)
        .where(Example.id.in_(wanted))
    )
    found = {row.id: _Standing(row.status, today(row.payload), []) for row in rows}
    suggested = session.execute(
        select(Annotation.example_id, Annotation.payload).where(
            Annotation.example_id.in_(wanted),
            Annotation.user_id.is_(None),
            Annotation.is_proposal,
            Annotation.payload.is_not(None),
        )
    )
    for example_id, payload in suggested:
        found[example_id].suggested.append(today(payload))
    return found


def apply(claim: jobs.Claim, row: Import) -> dict[str, int]:
    """Say what was put aside, bit by bit, now that the import counts; how many of each effect. A later attempt goes on
    where this one ends."""
    batches = Batches()
    while True:
        with batches.transaction() as session:
            jobs.hold(session, claim).attempt = 1  # what is done stays done
            left = session.scalars(
                select(ImportUpdate)
                .where(ImportUpdate.import_id == row.id, ImportUpdate.effect.is_(None))
                .order_by(ImportUpdate.id)
                .limit(batches.rows // _HEAVY)
            ).all()
            if not left:
                counts = _effects(session, row)
                stored = session.get_one(Import, row.id)
                stored.report = stored.report | {"updates": counts}
                return counts
            _say(session, row, left)
        jobs.renew(claim, {"phase": "publishing", "done": row.size, "total": row.size})


def _effects(session: Session, row: Import) -> dict[str, int]:
    rows = session.execute(
        select(ImportUpdate.effect, func.count())
        .where(ImportUpdate.import_id == row.id)
        .group_by(ImportUpdate.effect)
    )
    return {effect: n for effect, n in rows if effect is not None}


def _lock(session: Session, ids: list[int]) -> None:
    """Examples are locked before their project, and in order, as whoever saves an annotation does."""
    session.execute(
        select(Example.id).where(Example.id.in_(ids)).order_by(Example.id).with_for_update()
    )


def _say(session: Session, row: Import, left: Sequence[ImportUpdate]) -> None:
    ids = sorted({one.example_id for one in left})
    _lock(session, ids)
    project = session.get_one(Project, row.project_id)
    today, standing = Today(project), _standing(session, project, ids)
    made: list[tuple[ImportUpdate, Annotation]] = []
    for one in left:
        stands, said = standing[one.example_id], today(one.payload)
        one.effect = stands.effect_of(said)
        if one.effect == "same":
            continue
        annotation = Annotation(
            project_id=row.project_id,
            example_id=one.example_id,
            source="import",
            revision=1,
            payload=said,
            is_proposal=one.effect == "suggestion",
        )
        made.append((one, annotation))
        if one.effect == "label":
            stands.status, stands.payload = "labelled", said
        else:
            stands.suggested.append(said)
    session.add_all([annotation for _one, annotation in made])
    session.flush()
    labels = []
    for one, annotation in made:
        one.annotation_id = annotation.id
        if one.effect == "label":
            labels.append({"id": one.example_id, "gold_id": annotation.id, "status": "labelled"})
    if labels:
        free = {"lease_user_id": None, "lease_until": None}
        session.execute(update(Example), [values | free for values in labels])
    suggested = {one.example_id: a.id for one, a in made if one.effect == "suggestion"}
    people, proposals = _remark(session, row, suggested)
    contributions.add(session, row.project_id, people, labelled=len(labels), proposals=proposals)


def _remark(
    session: Session, row: Import, suggested: dict[int, int]
) -> tuple[dict[str, Change], int]:
    """Let reviewers find the suggestions: in the name of whoever imported the file, where they have left nothing on the
    example themselves. How the counters change."""
    if row.user_id is None or not suggested:
        return {}, 0
    left = session.execute(
        select(Remark.example_id, Remark.user_id, Remark.has_proposal).where(
            Remark.example_id.in_(suggested)
        )
    ).all()
    own = {remark.example_id for remark in left if remark.user_id == row.user_id}
    waiting = {remark.example_id for remark in left if remark.has_proposal}
    new = suggested.keys() - own
    session.add_all(
        Remark(
            example_id=example_id,
            user_id=row.user_id,
            project_id=row.project_id,
            annotation_id=suggested[example_id],
            has_proposal=True,
            has_comment=False,
        )
        for example_id in new
    )
    return {row.user_id: Change(proposals=len(new))}, len(new - waiting)


def forget(import_id: str) -> None:
    """Drop what an import has put aside that comes to nothing."""
    batches = Batches()
    while True:
        with batches.transaction() as session:
            some = (
                select(ImportUpdate.id)
                .where(ImportUpdate.import_id == import_id, ImportUpdate.effect.is_(None))
                .limit(batches.rows)
            )
            ids = session.scalars(some).all()
            if not ids:
                return
            session.execute(delete(ImportUpdate).where(ImportUpdate.id.in_(ids)))


def take_back(claim: jobs.Claim, row: Import) -> tuple[int, int]:
    """Take back what an import said of texts of before, where nobody has gone on from it: how many examples have it no
    longer, and how many keep it."""
    batches, after, taken, kept = Batches(), 0, 0, 0
    while True:
        with batches.transaction() as session:
            jobs.hold(session, claim).attempt = 1
            some = session.scalars(
                select(ImportUpdate)
                .where(
                    ImportUpdate.import_id == row.id,
                    ImportUpdate.annotation_id.is_not(None),
                    ImportUpdate.id > after,
                )
                .order_by(ImportUpdate.id)
                .limit(batches.rows // _HEAVY)
            ).all()
            if not some:
                return taken, kept
            after = some[-1].id
            gone = _unsay(session, row, some)
            taken += gone
            kept += len(some) - gone
        if not jobs.renew(claim):
            raise jobs.Cancelled


def _unsay(session: Session, row: Import, some: Sequence[ImportUpdate]) -> int:
    said = {one.annotation_id: one for one in some}
    _lock(session, sorted({one.example_id for one in some}))
    later = (
        exists()
        .where(
            Remark.example_id == Example.id,
            Remark.annotation_id > Annotation.id,
        )
        .correlate(Example, Annotation)
    )
    stands = session.execute(
        select(Annotation.id, Example.id)
        .join(Example, Example.gold_id == Annotation.id)
        .where(Annotation.id.in_(said), ~later)
    ).all()
    beside = session.scalars(
        select(Annotation.id).where(Annotation.id.in_(said), Annotation.is_proposal)
    ).all()
    opened = [example_id for _id, example_id in stands]
    session.execute(
        update(Example).where(Example.id.in_(opened)).values(status="open", gold_id=None)
    )
    remarks = session.scalars(select(Remark).where(Remark.annotation_id.in_(beside))).all()
    waiting = {remark.example_id for remark in remarks if remark.has_proposal}
    for remark in remarks:
        session.delete(remark)
    session.flush()
    still = set(
        session.scalars(
            select(Remark.example_id).where(Remark.example_id.in_(waiting), Remark.has_proposal)
        )
    )
    gone = [annotation_id for annotation_id, _example in stands] + list(beside)
    session.execute(delete(Annotation).where(Annotation.id.in_(gone)))
    session.execute(delete(ImportUpdate).where(ImportUpdate.annotation_id.in_(gone)))
    by = {remark.user_id for remark in remarks}
    people = {
        user_id: Change(
            proposals=-sum(remark.user_id == user_id and remark.has_proposal for remark in remarks)
        )
        for user_id in by
    }
    contributions.add(
        session,
        row.project_id,
        people,
        labelled=-len(opened),
        proposals=-len(waiting - still),
    )
    return len(gone)


def check_none_is_going_on(session: Session, project_id: str) -> None:
    """Raises Conflict while an import says something of texts of before, bit by bit, or takes it back: a version has
    all of it or nothing. The project is locked."""
    going_on = session.scalars(
        select(Import)
        .join(Job, or_(Job.id == Import.job_id, Job.id == Import.undo_job_id))
        .where(
            Import.project_id == project_id,
            Import.published_at.is_not(None),
            Job.state.in_(ACTIVE_STATES),
        )
    )
    if any(row.options.get("on_duplicate") == "update" for row in going_on):
        raise Conflict(
            _("An import is just labelling texts that were there before: freeze when that is done.")
        )
