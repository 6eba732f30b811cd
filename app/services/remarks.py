"""What people leave on an example for others to look at: proposals that wait for a reviewer, and comments."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Select, and_, exists, or_, select, text, true
from sqlalchemy.orm import Session, aliased

from app.models import Annotation, Member, Project, Remark, User
from app.models.contribution import HAS_COMMENT, HAS_PROPOSAL
from app.services import contributions
from app.services.access import Actor, role_in
from app.services.contributions import Change
from app.services.label_names import Today

REVIEWERS = ("reviewer", "manager")

Which = Literal["proposals", "comments"]
_CONDITIONS = {"proposals": HAS_PROPOSAL, "comments": HAS_COMMENT}


@dataclass(frozen=True, slots=True)
class Found:
    """A remark as others read it."""

    example_id: int
    user_id: str
    name: str
    payload: dict[str, Any] | None
    """What is proposed; None if it is no proposal that waits."""
    comment: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Counts:
    """How many examples have proposals that wait, and comments, of those that a person sees."""

    proposals: int
    comments: int


def counts(session: Session, actor: Actor, project: Project) -> Counts:
    """Read from counters. An annotator sees only their own."""
    if role_in(session, actor, project.id) in REVIEWERS:
        return Counts(project.proposal_count, project.comment_count)
    mine = contributions.of(session, project.id, actor.user_id)
    return Counts(mine.proposals, mine.comments)


def example_ids(
    session: Session, actor: Actor, project_id: str, which: Which, *, after: int
) -> Select[Any]:
    """The examples that have such, each once, by id. An annotator gets those with their own."""
    query = (
        select(Remark.example_id)
        .where(
            Remark.project_id == project_id,
            text(_CONDITIONS[which]),
            Remark.example_id > after,
        )
        .order_by(Remark.example_id)
    )
    if role_in(session, actor, project_id) in REVIEWERS:
        return query.distinct()
    return query.where(Remark.user_id == actor.user_id)


def on_examples(
    session: Session, actor: Actor, project: Project, examples: Iterable[int]
) -> list[Found]:
    """All that this person may read of what was left on some examples, the newest first."""
    role, today = role_in(session, actor, project.id), Today(project)
    rows = session.execute(
        select(Remark, Annotation, User.name)
        .join(Annotation, Annotation.id == Remark.annotation_id)
        .join(User, User.id == Remark.user_id)
        .where(Remark.example_id.in_(list(examples)), _is_readable(actor, role, project.id))
        .order_by(Remark.annotation_id.desc())
    )
    return [
        Found(
            example_id=remark.example_id,
            user_id=remark.user_id,
            name=name,
            payload=today(annotation.payload)
            if remark.has_proposal and _sees(role, remark, actor)
            else None,
            comment=annotation.comment.strip(),
            created_at=annotation.created_at,
        )
        for remark, annotation, name in rows
    ]


def update(
    session: Session,
    actor: Actor,
    project: Project,
    annotation: Annotation,
    standing: dict[str, Any] | None,
    people: dict[str, Change],
) -> dict[str, int]:
    """Follow a save, and note in `people` how their counters change; how those of the project do.

    `standing` is what stands after the save. Settled is a proposal that equals it, or that a reviewer has seen
    when they chose what stands.
    """
    rows = session.execute(
        select(Remark, Annotation.payload)
        .join(Annotation, Annotation.id == Remark.annotation_id)
        .where(Remark.example_id == annotation.example_id)
    ).all()
    remarks = {remark.user_id: remark for remark, _payload in rows}
    before = _numbers(remarks)
    me = actor.user_id
    mine = remarks.get(me) or Remark(
        example_id=annotation.example_id, user_id=me, project_id=annotation.project_id
    )
    has = {user_id: (r.has_proposal, r.has_comment) for user_id, r in remarks.items()}
    mine.annotation_id = annotation.id
    mine.has_proposal = annotation.is_proposal and annotation.payload != standing
    mine.has_comment = bool(annotation.comment.strip())
    if mine.has_proposal or mine.has_comment:
        remarks[me] = mine
        session.add(mine)
    stands = annotation.payload is not None and not annotation.is_proposal
    waiting = [(r, said) for r, said in rows if r.has_proposal and r.user_id != me]
    if stands and waiting:
        today = Today(project)
        is_reviewer = role_in(session, actor, annotation.project_id) in REVIEWERS
        for remark, payload in waiting:
            remark.has_proposal = not is_reviewer and today(payload) != standing
    for user_id, remark in remarks.items():
        old = has.get(user_id, (False, False))
        change = people.setdefault(user_id, Change())
        change.proposals += remark.has_proposal - old[0]
        change.comments += remark.has_comment - old[1]
        if user_id in has and not (remark.has_proposal or remark.has_comment):
            session.delete(remark)
    session.flush()
    after = _numbers(remarks)
    return {"proposals": after[0] - before[0], "comments": after[1] - before[1]}


def _numbers(remarks: dict[str, Remark]) -> tuple[int, int]:
    """Whether the example has any proposal that waits, and any comment: 0 or 1 each."""
    every = remarks.values()
    return int(any(r.has_proposal for r in every)), int(any(r.has_comment for r in every))


def _sees(role: str | None, remark: Remark, actor: Actor) -> bool:
    return role in REVIEWERS or remark.user_id == actor.user_id


def _is_readable(actor: Actor, role: str | None, project_id: str) -> ColumnElement[bool]:
    """Reviewers read all; others their own, and what reviewers wrote on examples that they said something of."""
    if role in REVIEWERS:
        return true()
    own = aliased(Annotation)
    by_reviewer = or_(
        User.is_admin,
        exists().where(
            Member.project_id == project_id,
            Member.user_id == Remark.user_id,
            Member.role.in_(REVIEWERS),
        ),
    )
    is_mine = exists().where(own.example_id == Remark.example_id, own.user_id == actor.user_id)
    return or_(Remark.user_id == actor.user_id, and_(text(HAS_COMMENT), by_reviewer, is_mine))
