"""Whether there is news of runs: a token for each that changes whenever its page would."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db import session_scope
from app.models import ACTIVE_STATES, FINAL_STATES, Job, Run
from app.services import workers
from app.services.runs.reading import queued_before


@dataclass(frozen=True, slots=True)
class News:
    """How something stands; equal tokens mean that nothing has changed."""

    token: str
    over: bool
    """Nothing will change any more by itself."""


GONE = News("gone", over=True)


def look(subjects: Iterable[str]) -> dict[str, News]:
    """News of all subjects at once: `run:ID`, or `runs:PROJECT` for its runs that are going on.

    Opens its own session, for some milliseconds.
    """
    wanted = set(subjects)
    with session_scope(read_only=True) as session:
        found: dict[str, News] = {}
        run_ids = [name.partition(":")[2] for name in wanted if name.startswith("run:")]
        if run_ids:
            found |= {f"run:{key}": news for key, news in of_runs(session, run_ids).items()}
        projects = [name.partition(":")[2] for name in wanted if name.startswith("runs:")]
        if projects:
            found |= {f"runs:{key}": news for key, news in of_lists(session, projects).items()}
    return {name: found.get(name, GONE) for name in wanted}


def of_runs(session: Session, run_ids: Iterable[str]) -> dict[str, News]:
    """News of the runs that are there."""
    query = (
        select(Run.id, Run.reports, Run.model_size, Run.name, Job)
        .join(Job, Job.id == Run.job_id)
        .where(Run.id.in_(list(run_ids)))
    )
    found = {}
    for run_id, *figures, job in session.execute(query):
        waiting: list[Any] = []
        if job.state == "queued":
            waiting = [queued_before(session, job), workers.is_served(session, "gpu", job.device)]
        state = [job.state, job.attempt, job.fence, job.progress, job.error]
        found[run_id] = News(_token([*figures, *state, *waiting]), job.state in FINAL_STATES)
    return found


def of_lists(session: Session, project_ids: Iterable[str]) -> dict[str, News]:
    """News of the lists of some projects' runs: of those that are going on."""
    query = (
        select(Run.project_id, Run.id, Job.state, Job.progress)
        .join(Job, Job.id == Run.job_id)
        .where(Run.project_id.in_(list(project_ids)), Job.state.in_(ACTIVE_STATES))
        .order_by(Run.id)
    )
    states: dict[str, list[Any]] = {project_id: [] for project_id in project_ids}
    for project_id, *state in session.execute(query):
        states[project_id].append(state)
    return {key: News(_token(rows), over=not rows) for key, rows in states.items()}


def joined(news: Iterable[News]) -> News:
    """Several as one: it changes with any, and is over with the last."""
    known = list(news)
    if len(known) == 1:
        return known[0]
    return News(_token([item.token for item in known]), all(item.over for item in known))


def _token(state: list[Any]) -> str:
    return hashlib.blake2b(
        orjson.dumps(state, option=orjson.OPT_SORT_KEYS), digest_size=8
    ).hexdigest()
