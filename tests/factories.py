"""Things that tests need to be there, made through the same services that people use."""

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

from sqlalchemy import select

from app.db import session_scope
from app.models import DatasetVersion, Job, Project, User
from app.security.passwords import hash_password
from app.services import api_tokens, direct_import, projects, versions
from app.services.access import Actor
from app.services.import_rows import ImportOptions
from app.services.projects import ProjectFields
from worker import jobs as worker_jobs

PASSWORD = "correct horse battery"
SENTENCES = (
    ("A warm and funny film.", "positive"),
    ("The soup was cold again.", "negative"),
    ("It opens at nine.", "neutral"),
    ("蛋糕很好吃 🍰", "positive"),
    ("  They never, ever called back! ", "negative"),
)
"""Texts with a label; with an emoji, Chinese, and spaces that must stay."""


@cache
def _password_hash() -> str:
    return hash_password(PASSWORD)  # slow on purpose, so once


def make_user(name: str = "Ada", *, admin: bool = False) -> User:
    """Somebody called `name`, at name@example.org, with PASSWORD."""
    with session_scope() as session:
        user = User(
            email=f"{name.lower()}@example.org",
            name=name,
            password_hash=_password_hash(),
            is_admin=admin,
        )
        session.add(user)
    return user


def actor(user: User) -> Actor:
    """The person as the services know them."""
    return Actor(user.id, user.is_admin)


def make_token(user: User, *scopes: str) -> str:
    """The secret of a new API token; one that may write, if no scopes are named."""
    with session_scope() as session:
        return api_tokens.create_token(
            session, actor(user), name="test", scopes=list(scopes or ("read", "write"))
        )[1]


def make_project(owner: User, task: str = "sentiment", **fields: Any) -> Project:
    """An empty project that the owner manages."""
    with session_scope() as session:
        return projects.create(
            session, actor(owner), task=task, fields=ProjectFields(**{"name": "Reviews"} | fields)
        )


def join(project: Project, owner: User, **people: User) -> None:
    """Make people members: `join(project, ada, reviewer=bo)`."""
    with session_scope() as session:
        for role, person in people.items():
            projects.set_member(session, actor(owner), project.id, email=person.email, role=role)


def open_rows(count: int, start: int = 0) -> list[dict[str, Any]]:
    """Rows without annotations."""
    return [{"text": f"Sentence number {n}."} for n in range(start, start + count)]


def labelled_rows(sentences: Iterable[tuple[str, str]] = SENTENCES) -> list[dict[str, Any]]:
    """Rows with a sentiment."""
    return [
        {"text": text, "annotation": {"labels": [label]}, "external_id": f"s{n}"}
        for n, (text, label) in enumerate(sentences)
    ]


def fill(project: Project, owner: User, rows: Sequence[dict[str, Any]]) -> None:
    """Import rows, as a worker does it."""
    _row, job = direct_import.bring_in_rows(actor(owner), project.id, rows, ImportOptions())
    assert job is not None
    assert work_off(job.id).state == "succeeded"


def freeze(project: Project, owner: User, **wishes: Any) -> DatasetVersion:
    """A version whose file is written."""
    with session_scope() as session:
        made = versions.create(session, actor(owner), project.id, **wishes)
    work_off(made.job_id)
    with session_scope(read_only=True) as session:
        return versions.ready(session, actor(owner), project.id, made.number)


def work_off(job_id: str) -> Job:
    """Carry out a job with a worker's own code, in this process; the job as it has ended."""
    worker_jobs.run(job_id)
    with session_scope(read_only=True) as session:
        return session.get_one(Job, job_id)


def count(model: Any, *conditions: Any) -> int:
    """How many rows a table has."""
    with session_scope(read_only=True) as session:
        return len(session.execute(select(model).where(*conditions)).all())
