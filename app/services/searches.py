"""Searches: fine-tunings over a space of parameters, started together. How a search goes follows from its runs."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from pydantic import ConfigDict, Field
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app.db import after_commit, session_scope
from app.errors import Conflict, InvalidInput, NotFound, Problem
from app.i18n import gettext as _
from app.models import (
    ACTIVE_STATES,
    FINAL_STATES,
    DatasetVersion,
    Job,
    Project,
    Run,
    Search,
)
from app.services import audit, jobs, runs
from app.services.access import Actor, project_for
from app.services.runs import starting
from app.services.runs.keys import keys as run_keys
from app.services.versions import ready
from app.storage import get_storage
from app.strict import StrictModel
from app.tasks.base import parse
from app.training import FineTuneParams
from app.training import search as spaces
from app.training.search import MAX_SEARCH_RUNS, Range, Strategy

_MOST_PROBLEMS = 20


class SearchPlan(StrictModel):
    """What a search is to try."""

    model_config = ConfigDict(frozen=True)

    space: dict[str, list[Any] | Range] = Field(
        description="For each parameter that varies, a list of values; for a random search also a range.",
        examples=[{"learning_rate": {"low": 1e-5, "high": 1e-3}, "batch_size": [16, 32]}],
    )
    strategy: Strategy = Field(
        "grid", description="`grid`: every combination; `random`: some.", examples=["random"]
    )
    runs: int = Field(
        10, ge=1, le=MAX_SEARCH_RUNS, description="How many a random search starts at most."
    )
    seed: int = Field(42, ge=0, le=2**31 - 1, description="Makes a random choice repeatable.")


@dataclass(frozen=True, slots=True)
class Child:
    """A run of a search."""

    run: Run
    job: Job

    def score(self, split: Literal["validation", "test"]) -> float | None:
        """Its primary score on a split, once it has one."""
        result = self.run.result or {}
        scores = result.get("metrics", {}).get(split, {}).get("scores", {})
        score: float | None = scores.get(result.get("primary"))
        return score


@dataclass(frozen=True, slots=True)
class SearchView:
    """A search with what follows from its runs."""

    search: Search
    project: Project
    version_number: int
    children: Sequence[Child]
    """In the order in which they were made."""

    @property
    def varying(self) -> list[str]:
        """The parameters that vary."""
        return list(self.search.space)

    @property
    def counts(self) -> Counter[str]:
        """How many runs are in each state."""
        return Counter(child.job.state for child in self.children)

    @property
    def ended(self) -> int:
        """How many runs have ended."""
        return sum(self.counts[state] for state in FINAL_STATES)

    @property
    def is_live(self) -> bool:
        """Whether a run of it still waits or works."""
        return any(self.counts[state] for state in ACTIVE_STATES)

    @property
    def state(self) -> str:
        """A job's words for the whole: running from its first run's start to its last one's end."""
        counts = self.counts
        if self.is_live:
            return "queued" if counts["queued"] == len(self.children) else "running"
        return next((s for s in ("succeeded", "failed") if counts[s]), "cancelled")

    @property
    def best(self) -> Child | None:
        """The run with the highest primary score on validation; of equal ones, the first."""
        scored = [child for child in self.children if child.score("validation") is not None]
        return max(scored, key=lambda child: child.score("validation") or 0.0, default=None)

    @property
    def primary(self) -> str:
        """The name of the score that decides; empty while no run has one."""
        best = self.best
        return str((best.run.result or {}).get("primary", "")) if best else ""


def plan(
    session: Session,
    actor: Actor,
    project_id: str,
    *,
    version_number: int,
    params: FineTuneParams,
    wish: SearchPlan,
) -> list[FineTuneParams]:
    """The parameter sets that a search would try, each once. Raises InvalidInput naming field and value."""
    project = project_for(session, actor, project_id, "manager")
    version = ready(session, actor, project_id, version_number)
    if not version.counts["splits"]["validation"]:
        raise InvalidInput(
            _(
                "The version has no validation examples, by which the best run would be chosen: freeze one "
                "with a validation split."
            )
        )
    _check_space(params, wish)
    found: dict[str, FineTuneParams] = {}
    problems: dict[Problem, None] = {}
    for values in _combinations(wish):
        try:
            made = parse(FineTuneParams, params.model_dump() | values, "")
            if made.model_dump_json() in found:
                continue
            starting.check_fine_tuning(session, actor, project, version, made)
        except InvalidInput as error:
            problems |= dict.fromkeys(_where(error, values))
            if len(problems) >= _MOST_PROBLEMS:
                break
            continue
        found[made.model_dump_json()] = made
        if wish.strategy == "random" and len(found) == wish.runs:
            break
    if problems:
        told = list(problems)
        first = f"{told[0].where}: {told[0].message}"
        raise InvalidInput(_("The search cannot be started as it is. %(first)s", first=first), told)
    return list(found.values())


def read_words(words: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, list[Any] | Range]]:
    """What people write for parameters: those with one value, and the space of those with several.

    `1e-4` is a value, `1e-4, 3e-4` are two, `1e-5..1e-3` is a range. Raises InvalidInput.
    """
    fixed: dict[str, Any] = {}
    space: dict[str, list[Any] | Range] = {}
    for name, text in words.items():
        try:
            values = spaces.parse_words(text)
        except ValueError:
            raise InvalidInput.at(
                name, _("“%(text)s”: write a range as LOW..HIGH, such as 1e-5..1e-3.", text=text)
            ) from None
        if isinstance(values, list) and len(values) == 1:
            fixed[name] = values[0]
        elif values:
            space[name] = values
    return fixed, space


def create(
    actor: Actor,
    project_id: str,
    *,
    version_number: int,
    params: FineTuneParams,
    wish: SearchPlan,
    name: str = "",
    device: str | None = None,
) -> Search:
    """Queue all runs of a search, or none. They yield to other runs. Raises InvalidInput.

    Opens its own sessions: what takes a while, the checking of all combinations, holds no lock.
    """
    with session_scope(read_only=True) as session:
        project_for(session, actor, project_id, "manager", write=True)
        sets = plan(
            session, actor, project_id, version_number=version_number, params=params, wish=wish
        )
    title = name.strip()[:180] or _("Search %(name)s", name=", ".join(wish.space))[:180]
    with session_scope() as session:
        project = project_for(session, actor, project_id, "manager", write=True)
        made = Search(
            project_id=project.id,
            version_id=ready(session, actor, project_id, version_number).id,
            name=title,
            params=params.model_dump(mode="json"),
            space=wish.model_dump(mode="json")["space"],
            strategy=wish.strategy,
            seed=wish.seed,
            created_by=actor.user_id,
        )
        session.add(made)
        session.flush()
        starting.queue_search(session, actor, made, sets=sets, turn=starting.Turn("idle", device))
        _note(session, actor, made, "search.create")
    return made


def get(session: Session, actor: Actor, search_id: str) -> SearchView:
    """One search. Raises NotFound."""
    search = session.get(Search, search_id)
    if search is not None:
        try:
            project_for(session, actor, search.project_id)
        except NotFound:  # a search's id tells nothing either
            search = None
    if search is None:
        raise NotFound(_("There is no such search."))
    return _views(session, [search])[0]


def title_of(session: Session, run: Run) -> str | None:
    """The name of the search that a run is a part of."""
    if run.search_id is None:
        return None
    return session.scalar(select(Search.name).where(Search.id == run.search_id))


def list_searches(
    session: Session, actor: Actor, project_id: str, *, limit: int = 20
) -> list[SearchView]:
    """A project's newest searches."""
    project_for(session, actor, project_id)
    found = session.scalars(
        select(Search)
        .where(Search.project_id == project_id)
        .order_by(Search.created_at.desc(), Search.id)
        .limit(limit)
    )
    return _views(session, list(found))


def cancel(session: Session, actor: Actor, search_id: str) -> None:
    """Stop all of its runs that have not ended."""
    view = get(session, actor, search_id)
    project_for(session, actor, view.project.id, "manager", write=True)
    jobs.cancel_all(session, Job.id.in_([child.job.id for child in view.children]))
    _note(session, actor, view.search, "search.cancel")


def clear_reports(actor: Actor, search_id: str) -> None:
    """Clear what an ended search's runs have reported, before the search is deleted. Opens its own sessions."""
    with session_scope(read_only=True) as session:
        view = get(session, actor, search_id)
        project_for(session, actor, view.project.id, "manager", write=True)
    if view.is_live:
        raise Conflict(_("Cancel the search first, then delete it."))
    runs.clear_reports(actor, [child.run.id for child in view.children])


def remove(session: Session, actor: Actor, search_id: str) -> str:
    """Delete an ended search with its runs and their models; the id of its project. Raises Conflict."""
    view = get(session, actor, search_id)
    project_for(session, actor, view.project.id, "manager", write=True)
    if view.is_live:
        raise Conflict(_("Cancel the search first, then delete it."))
    ended = [(child.run.id, child.job.id) for child in view.children]
    session.execute(delete(Run).where(Run.id.in_([run_id for run_id, _job in ended])))
    session.execute(delete(Job).where(Job.id.in_([job_id for _run, job_id in ended])))
    for run_id, _job in ended:
        for key in run_keys(run_id):
            after_commit(session, partial(get_storage().remove, key))
    _note(session, actor, view.search, "search.delete")
    session.delete(view.search)
    return view.project.id


def _views(session: Session, found: Sequence[Search]) -> list[SearchView]:
    """The searches of one or several projects with their runs, in three queries however many there are."""
    if not found:
        return []
    ids = [search.id for search in found]
    children: dict[str | None, list[Child]] = {}
    for run, job in session.execute(
        select(Run, Job)
        .join(Job, Job.id == Run.job_id)
        .where(Run.search_id.in_(ids))
        .order_by(Job.created_at, Job.id)
    ):
        children.setdefault(run.search_id, []).append(Child(run, job))
    around = {
        search_id: (project, number)
        for search_id, project, number in session.execute(
            select(Search.id, Project, DatasetVersion.number)
            .join(Project, Project.id == Search.project_id)
            .join(DatasetVersion, DatasetVersion.id == Search.version_id)
            .where(Search.id.in_(ids))
        )
    }
    return [SearchView(s, *around[s.id], children.get(s.id, [])) for s in found]


def _check_space(params: FineTuneParams, wish: SearchPlan) -> None:
    """Raises InvalidInput for parameters that are none, empty lists, ranges where there can be none, and a
    grid that is too large."""
    problems = []
    for name, values in wish.space.items():
        if name not in FineTuneParams.model_fields:
            problems.append(Problem(name, _("There is no parameter of this name.")))
        elif isinstance(values, list) and not values:
            problems.append(Problem(name, _("Give at least one value.")))
        elif isinstance(values, Range) and not spaces.is_number(name):
            problems.append(Problem(name, _("Only a number can have a range: list its values.")))
        elif isinstance(values, Range) and wish.strategy == "grid":
            problems.append(Problem(name, _("A range is for a random search: list the values.")))
        elif isinstance(values, Range):
            problems += _wrong_ends(name, values, params)
    size = spaces.grid_size(wish.space)
    if not wish.space:
        problems.append(Problem("space", _("Give several values for at least one parameter.")))
    elif not problems and wish.strategy == "grid" and size > MAX_SEARCH_RUNS:
        message = _(
            "These are %(n)s combinations, and a search has at most %(most)s runs: take fewer values, or "
            "search at random.",
            n=f"{size:,}",
            most=MAX_SEARCH_RUNS,
        )
        problems.append(Problem("space", message))
    if problems:
        raise InvalidInput(f"{problems[0].where}: {problems[0].message}", problems)


def _combinations(wish: SearchPlan) -> Iterator[spaces.Values]:
    """What is to be tried, in order."""
    if wish.strategy == "grid":
        return spaces.grid(wish.space)
    return spaces.draws(wish.space, runs=wish.runs, seed=wish.seed)


def _wrong_ends(name: str, bounds: Range, params: FineTuneParams) -> Iterator[Problem]:
    """What keeps the ends of a range from being values of the parameter."""
    for end in (bounds.low, bounds.high):
        try:
            parse(FineTuneParams, params.model_dump() | {name: end}, "")
        except InvalidInput as error:
            own = (problem for problem in error.problems if problem.where == name)
            yield from (Problem(name, f"{end:g}: {problem.message}") for problem in own)


def _where(error: InvalidInput, values: spaces.Values) -> Iterator[Problem]:
    """The problems of one combination, with the values that they are about."""
    for problem in error.problems or [Problem("(all)", error.message)]:
        if problem.where in values:
            yield Problem(problem.where, f"{_word(values[problem.where])}: {problem.message}")
        else:
            chosen = ", ".join(f"{name}={_word(value)}" for name, value in values.items())
            yield Problem(problem.where, f"{chosen}: {problem.message}")


def _word(value: Any) -> str:
    return str(value)[:60]


def _note(session: Session, actor: Actor, search: Search, action: str) -> None:
    audit.record(
        session,
        user_id=actor.user_id,
        action=action,
        project_id=search.project_id,
        subject=search.id,
        name=search.name,
    )
