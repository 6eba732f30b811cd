"""Likely label errors: what a cross-validation found, worked off by reviewers.

An issue is "dismissed" once somebody has said that what is given is right, else "fixed" once the example has
an annotation that the run's version did not have yet, else "open".
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import case, exists, func, select, update
from sqlalchemy.orm import Session

from app.errors import NotFound
from app.i18n import gettext as _
from app.models import Annotation, DatasetVersion, Example, Job, LabelIssue, Run, User, now
from app.services.access import Actor, project_for
from app.services.evaluation import Difference, differences
from app.services.label_names import Today
from app.tasks import get_task

State = Literal["open", "fixed", "dismissed"]
STATES: tuple[State, ...] = ("open", "fixed", "dismissed")
PAGE = 50

_NEWER = exists().where(
    Annotation.example_id == LabelIssue.example_id,
    Annotation.id > func.coalesce(DatasetVersion.last_annotation_id, 0),
    ~Annotation.is_proposal,
)
_STATE = case((LabelIssue.dismissed_at.is_not(None), "dismissed"), (_NEWER, "fixed"), else_="open")


@dataclass(frozen=True, slots=True)
class IssueRow:
    """An issue in the list."""

    id: int
    example_id: int
    text: str
    score: float
    given: dict[str, Any]
    suggested: dict[str, Any]
    differences: list[Difference]
    """What is given and what is suggested, part by part."""
    state: State
    dismissed_by: str | None
    dismissed_at: datetime | None


@dataclass(frozen=True, slots=True)
class IssuePage:
    """Some issues of a run, the worst first, and how many there are in each state."""

    run: Run
    runs: list[Run]
    """All that have such a list, the newest first."""
    rows: list[IssueRow]
    counts: dict[State, int]
    next_after: int | None


def browse(
    session: Session,
    actor: Actor,
    project_id: str,
    *,
    run_id: str | None = None,
    state: State = "open",
    after: int = 0,
) -> IssuePage:
    """The list of a run, or of the newest that has one; `after` is the last id of the page before.

    For reviewers and managers. Raises NotFound where no cross-validation has succeeded yet.
    """
    project = project_for(session, actor, project_id, "reviewer")
    runs = _runs(session, project_id)
    run = next((run for run in runs if run_id in (None, run.id)), None)
    if run is None:
        raise NotFound(
            _("There is no such list yet: a cross-validation that has succeeded leaves one.")
        )
    task, today = get_task(project.task), Today(project)
    found = session.execute(
        _of(run.id)
        .add_columns(LabelIssue, _STATE.label("state"), Example.inputs, User.name)
        .join(Example, Example.id == LabelIssue.example_id)
        .outerjoin(User, User.id == LabelIssue.dismissed_by)
        .where(LabelIssue.id > after, state == _STATE)
        .order_by(LabelIssue.id)
        .limit(PAGE + 1)
    ).all()
    rows = [
        IssueRow(
            id=issue.id,
            example_id=issue.example_id,
            text=inputs["text"],
            score=issue.score,
            given=today(issue.given),
            suggested=today(issue.suggested),
            differences=differences(
                task, today(issue.given), today(issue.suggested), inputs["text"]
            ),
            state=has,
            dismissed_by=name,
            dismissed_at=issue.dismissed_at,
        )
        for _id, issue, has, inputs, name in found[:PAGE]
    ]
    counts = _counts(session, run.id)
    return IssuePage(run, runs, rows, counts, rows[-1].id if len(found) > PAGE else None)


def open_examples(session: Session, actor: Actor, project_id: str, run_id: str) -> list[int]:
    """The examples of a run's open issues, the worst first. For reviewers and managers."""
    project_for(session, actor, project_id, "reviewer")
    query = (
        _of(run_id)
        .with_only_columns(LabelIssue.example_id)
        .where(LabelIssue.project_id == project_id, _STATE == "open")
        .order_by(LabelIssue.id)
    )
    return list(session.scalars(query))


def left(session: Session, project_id: str) -> tuple[Run, int] | None:
    """The newest run with a list, and how many of its issues are open. The caller has checked the role."""
    runs = _runs(session, project_id, limit=1)
    return (runs[0], _counts(session, runs[0].id)["open"]) if runs else None


def left_of(session: Session, run_id: str) -> int:
    """How many issues of a run are open. The caller has checked that the run may be seen."""
    return _counts(session, run_id)["open"]


def dismiss(session: Session, actor: Actor, project_id: str, issue_id: int) -> None:
    """Say that what is given is right. The first who said so stays on record. Raises NotFound."""
    _write(session, actor, project_id, issue_id, LabelIssue.dismissed_at.is_(None), True)


def reopen(session: Session, actor: Actor, project_id: str, issue_id: int) -> None:
    """Take a dismissal back. Raises NotFound."""
    _write(session, actor, project_id, issue_id, LabelIssue.dismissed_at.is_not(None), False)


def _write(
    session: Session, actor: Actor, project_id: str, issue_id: int, where: Any, dismissed: bool
) -> None:
    project_for(session, actor, project_id, "reviewer", write=True)
    own = (LabelIssue.id == issue_id, LabelIssue.project_id == project_id)
    if session.scalar(select(LabelIssue.id).where(*own)) is None:
        raise NotFound(_("There is no such entry in the list."))
    session.execute(
        update(LabelIssue)
        .where(*own, where)
        .values(
            dismissed_by=actor.user_id if dismissed else None,
            dismissed_at=now() if dismissed else None,
        )
        .execution_options(synchronize_session=False)
    )


def _runs(session: Session, project_id: str, limit: int = 50) -> list[Run]:
    query = (
        select(Run)
        .join(Job, Job.id == Run.job_id)
        .where(Run.project_id == project_id, Job.kind == "crossvalidate", Job.state == "succeeded")
        .order_by(Run.created_at.desc(), Run.id)
        .limit(limit)
    )
    return list(session.scalars(query))


def _of(run_id: str) -> Any:
    """The issues of a run, beside the version that decides what is newer."""
    return (
        select(LabelIssue.id)
        .join(Run, Run.id == LabelIssue.run_id)
        .join(DatasetVersion, DatasetVersion.id == Run.version_id)
        .where(LabelIssue.run_id == run_id)
    )


def _counts(session: Session, run_id: str) -> dict[State, int]:
    states = _of(run_id).add_columns(_STATE.label("state")).subquery()
    rows = session.execute(select(states.c.state, func.count()).group_by(states.c.state))
    found: dict[str, int] = {row[0]: row[1] for row in rows}
    return {state: found.get(state, 0) for state in STATES}
