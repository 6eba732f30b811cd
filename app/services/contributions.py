"""Counters of projects and people, changed together with what they count."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from sqlalchemy import update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from app.models import Contribution, Project


@dataclass(slots=True)
class Change:
    """By how much a person's counters change."""

    annotated: int = 0
    skipped: int = 0
    changed: int = 0
    proposals: int = 0
    comments: int = 0


def of(session: Session, project_id: str, user_id: str) -> Contribution:
    """A person's counters; zeros for somebody who has done nothing yet."""
    return session.get(Contribution, (project_id, user_id), populate_existing=True) or Contribution(
        project_id=project_id,
        user_id=user_id,
        annotated=0,
        skipped=0,
        changed=0,
        proposals=0,
        comments=0,
    )


def add(
    session: Session,
    project_id: str,
    people: Mapping[str, Change],
    *,
    examples: int = 0,
    labelled: int = 0,
    skipped: int = 0,
    proposals: int = 0,
    comments: int = 0,
) -> None:
    """Change the counters of some people and of their project.

    Call this last in a transaction: people come in the order of their ids and the project after them, so that
    two transactions never wait for each other; and everybody who saves waits for the project's row.
    """
    for user_id in sorted(people):
        _add_to_person(session, project_id, user_id, people[user_id])
    changes = {
        "example_count": examples,
        "labelled_count": labelled,
        "skipped_count": skipped,
        "proposal_count": proposals,
        "comment_count": comments,
    }
    values = {name: getattr(Project, name) + n for name, n in changes.items() if n}
    if values:
        session.execute(
            update(Project)
            .where(Project.id == project_id)
            .values(values)
            .execution_options(synchronize_session=False)
        )


def _add_to_person(session: Session, project_id: str, user_id: str, change: Change) -> None:
    by = asdict(change)
    if not any(by.values()):
        return
    insert = (
        postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    )(Contribution).values(project_id=project_id, user_id=user_id, **by)
    session.execute(
        insert.on_conflict_do_update(
            index_elements=["project_id", "user_id"],
            set_={name: getattr(Contribution, name) + n for name, n in by.items() if n},
        )
    )
