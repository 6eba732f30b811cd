"""What models got wrong, and runs side by side."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import Field

from app.api.problems import problem
from app.api.schemas import Answer, ProjectId, RunId
from app.http.download import send_stream
from app.http.identity import Db, Person
from app.services import evaluation, runs
from app.services.evaluation import Order, Split

router = APIRouter(
    tags=["Runs and models"],
    responses={409: problem("The run has kept no predictions: it has not succeeded (yet).")},
)


AskedSplit = Annotated[
    Split | None,
    Query(description="Which predictions; left out, the first of these that there are."),
]


class DifferenceOut(Answer):
    """One thing that is wrong."""

    words: str = Field(description="Where in the text; empty: all of it.")
    gold: str | None = Field(description="Gold's label; null where gold has nothing.")
    predicted: str | None = Field(description="The predicted label; null where nothing was found.")


class WrongOut(Answer):
    """An example whose prediction is not gold."""

    id: int = Field(description="The example's id; negative for a text of a file.")
    text: str
    confidence: float = Field(description="Of the least certain decision, 0 to 1.")
    differences: list[DifferenceOut]


class WrongList(Answer):
    """Wrong predictions."""

    items: list[WrongOut] = Field(validation_alias="rows", description="At most 50.")
    wrong: int = Field(description="How many there are of this kind.")
    examples: int = Field(description="How many examples the split has.")
    next_after: int | None = Field(description="Ask again with it as `after`; null at the end.")


class ComparisonOut(Answer):
    """A run's primary score minus the first run's."""

    difference: float
    low: float = Field(description="A 95% interval of the difference, by paired bootstrap.")
    high: float
    p: float = Field(description="Two-sided, by approximate randomisation.")


class RunScoresOut(Answer):
    """One of the runs, on the examples that all were asked."""

    run: str = Field(description="The run's id.")
    name: str
    version: int | None
    scores: dict[str, float]
    by_label: dict[str, float] = Field(description="F1 of each label.")
    against_first: ComparisonOut | None = Field(description="Null for the first run.")
    mcnemar: float | None = Field(description="The p-value of McNemar's exact test.")


class DisagreementOut(Answer):
    """An example that some runs have right and others not."""

    id: int
    text: str
    right: list[bool] = Field(description="In the order of the runs.")
    said: list[str]


class ComparedOut(Answer):
    """Runs side by side."""

    split: Split
    primary: str = Field(description="The score that is tested.")
    examples: int
    left_out: int = Field(description="Examples that not all have, or not with the same gold.")
    runs: list[RunScoresOut]
    labels: list[str]
    parameters: dict[str, list[Any]] = Field(description="Those that differ, in order of the runs.")
    disagreements: list[DisagreementOut] = Field(description="The first 50.")
    disagreement_count: int


@router.get("/runs/{run_id}/errors", response_model_by_alias=False)
def list_errors(
    session: Db,
    person: Person,
    run_id: RunId,
    split: AskedSplit = None,
    gold: Annotated[
        str | None, Query(description="Only with this gold label; `spurious`: none.")
    ] = None,
    predicted: Annotated[
        str | None, Query(description="Only with this predicted label; `missed`: none.")
    ] = None,
    order: Annotated[Order, Query(description="Surest first, or last.")] = "sure",
    after: Annotated[int, Query(description="The answer's `next_after`.", ge=0, le=10_000_000)] = 0,
) -> WrongList:
    """A run's wrong predictions, with what is wrong in each."""
    page = evaluation.wrong(
        session,
        person.actor,
        run_id,
        split=split,
        gold=gold,
        predicted=predicted,
        order=order,
        after=after,
    )
    return WrongList.model_validate(page)


@router.get(
    "/runs/{run_id}/predictions.jsonl",
    response_class=Response,
    responses={200: {"description": "JSON Lines.", "content": {"application/x-ndjson": {}}}},
)
def download_predictions(session: Db, person: Person, run_id: RunId) -> Response:
    """What the run predicted for the examples it was evaluated on, with gold and confidence."""
    view = runs.require_scored(session, person.actor, run_id)
    return send_stream(
        evaluation.prediction_chunks(view),
        filename=f"{view.run.name}.predictions.jsonl",
        media_type="application/x-ndjson",
    )


@router.get("/projects/{project_id}/compare")
def compare_runs(
    session: Db,
    person: Person,
    project_id: ProjectId,
    run: Annotated[
        list[str], Query(description="2 to 8 run ids; each is tested against the first.")
    ],
    split: AskedSplit = None,
) -> ComparedOut:
    """Compare runs on the examples that all of them were asked, with paired significance tests."""
    found = evaluation.compare_runs(session, person.actor, project_id, run, split=split)
    rows = [
        RunScoresOut(
            run=item.view.run.id,
            name=item.view.run.name,
            version=item.view.version_number,
            scores=item.scores,
            by_label=item.by_label,
            against_first=item.against_first and ComparisonOut.model_validate(item.against_first),
            mcnemar=item.mcnemar,
        )
        for item in found.runs
    ]
    return ComparedOut(
        split=found.split,
        primary=found.primary,
        examples=found.examples,
        left_out=found.left_out,
        runs=rows,
        labels=found.labels,
        parameters=found.parameters,
        disagreements=[DisagreementOut.model_validate(item) for item in found.disagreements],
        disagreement_count=found.disagreement_count,
    )
