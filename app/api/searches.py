"""Searches: many fine-tunings over a space of parameters."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Path
from pydantic import Field

from app.api.problems import problem
from app.api.schemas import Answer, ProjectId, Question
from app.db import session_scope
from app.http.identity import Person
from app.http.routing import Db, Router
from app.services import runs, searches
from app.services.jobs import Device
from app.services.searches import SearchPlan, SearchView
from app.training import FineTuneParams

router = Router(tags=["Runs and models"])

SearchId = Annotated[str, Path(description="The search's id.", max_length=20)]


class SearchRunOut(Answer):
    """A run of a search."""

    id: str
    name: str
    state: str = Field(description="Its job's state.")
    values: dict[str, Any] = Field(description="Its values of the parameters that vary.")
    validation: float | None = Field(description="Its primary score on validation.")


class SearchOut(Answer):
    """A search. All but what was wished follows from its runs."""

    id: str
    project_id: str
    version: int
    name: str
    strategy: Literal["grid", "random"]
    seed: int
    params: dict[str, Any] = Field(description="What all runs have in common: `FineTuneParams`.")
    space: dict[str, Any] = Field(description="What varies: lists of values, or low and high.")
    created_at: datetime
    state: Literal["queued", "running", "succeeded", "failed", "cancelled"] = Field(
        description="Running until all runs have ended; succeeded, if any of them did."
    )
    counts: dict[str, int] = Field(description="How many runs are in each state.")
    primary: str | None = Field(description="The name of the score that decides.")
    best: str | None = Field(
        description="The id of the run with the highest primary score on validation so far."
    )
    best_test: float | None = Field(description="The best run's primary score on test.")
    runs: list[SearchRunOut]


class SearchList(Answer):
    """Searches."""

    items: list[SearchOut]


class SearchWish(Question, SearchPlan):
    """A search to be started."""

    version: int = Field(description="The number of a version.", ge=1, le=2**31 - 1, examples=[1])
    name: str = Field("", description="Left out, it is named after what varies.", max_length=180)
    params: dict[str, Any] = Field(
        {}, description="Fields of `FineTuneParams` that all runs have.", examples=[{"epochs": 3}]
    )
    device: Device | None = Field(
        None, description="The kind of device that the runs are pinned to; null: any."
    )


@router.get("/projects/{project_id}/searches")
def list_searches(session: Db, person: Person, project_id: ProjectId) -> SearchList:
    """The newest 20 searches of a project."""
    found = searches.list_searches(session, person.actor, project_id)
    return SearchList(items=[_shown(view) for view in found])


@router.post(
    "/projects/{project_id}/searches",
    status_code=202,
    responses={409: problem("The version is not written yet.")},
)
def start_search(person: Person, project_id: ProjectId, wish: SearchWish) -> SearchOut:
    """Start fine-tunings over a space of parameters: all of them, at most 50, or none.

    They yield to other runs. The best is chosen on validation.
    """
    # No session of the request's own: to check all combinations may take a while.
    with session_scope(read_only=True) as session:
        params: FineTuneParams = runs.params_from(
            session, person.actor, project_id, wish.version, wish.params
        )
    made = searches.create(
        person.actor,
        project_id,
        version_number=wish.version,
        params=params,
        wish=wish,
        name=wish.name,
        device=wish.device,
    )
    with session_scope(read_only=True) as session:
        return _shown(searches.get(session, person.actor, made.id))


@router.get("/searches/{search_id}")
def get_search(session: Db, person: Person, search_id: SearchId) -> SearchOut:
    """A search with its runs."""
    return _shown(searches.get(session, person.actor, search_id))


@router.post("/searches/{search_id}/cancel", status_code=204)
def cancel_search(session: Db, person: Person, search_id: SearchId) -> None:
    """Stop all of its runs that have not ended."""
    searches.cancel(session, person.actor, search_id)


@router.delete(
    "/searches/{search_id}",
    status_code=204,
    responses={409: problem("A run of the search is still going on.")},
)
def delete_search(session: Db, person: Person, search_id: SearchId) -> None:
    """Delete an ended search with all of its runs and their models."""
    searches.clear_reports(person.actor, search_id)
    searches.remove(session, person.actor, search_id)


def _shown(view: SearchView) -> SearchOut:
    search, best = view.search, view.best
    return SearchOut(
        id=search.id,
        project_id=search.project_id,
        version=view.version_number,
        name=search.name,
        strategy=search.strategy,
        seed=search.seed,
        params=search.params,
        space=search.space,
        created_at=search.created_at,
        state=view.state,
        counts=dict(view.counts),
        primary=view.primary or None,
        best=best.run.id if best else None,
        best_test=best.score("test") if best else None,
        runs=[
            SearchRunOut(
                id=child.run.id,
                name=child.run.name,
                state=child.job.shown_state,
                values={name: child.run.params.get(name) for name in view.varying},
                validation=child.score("validation"),
            )
            for child in view.children
        ],
    )
