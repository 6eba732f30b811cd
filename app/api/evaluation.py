"""What models got wrong, and runs side by side."""

from typing import Annotated, Any, Literal

from fastapi import Query, Response
from pydantic import Field

from app.api.problems import problem
from app.api.schemas import Answer, ProjectId, RunId
from app.http.download import send_stream
from app.http.identity import Person
from app.http.routing import Db, Router
from app.services import comparing, evaluation, runs
from app.services.comparing import Tested, Wanted
from app.services.evaluation import Order, Split

router = Router(
    tags=["Runs and models"],
    responses={409: problem("The run has kept no predictions: it has not succeeded (yet).")},
)


AskedSplit = Annotated[
    Split | None,
    Query(description="Which predictions; left out, the first of these that there are."),
]
CurveKind = Literal["step", "evaluation"]


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
    """A run's primary score minus the baseline's."""

    difference: float
    low: float = Field(description="A 95% interval of the difference, by paired bootstrap.")
    high: float
    p: float = Field(description="Two-sided, by approximate randomisation.")


class SideOut(Answer):
    """One of the runs."""

    run: str = Field(description="The run's id.")
    name: str
    kind: str
    state: str
    version: int | None
    scores: dict[str, float] = Field(description="As its report says of the split.")
    missing: str | None = Field(description="Why its predictions are not to be had.")


class SpreadOut(Answer):
    """Several values together."""

    mean: float
    deviation: float = Field(description="Of a sample: n − 1 below.")
    count: int


class SeedGroupOut(Answer):
    """Runs whose parameters differ only in the seed."""

    runs: list[str]
    seeds: list[int | None]
    scores: dict[str, SpreadOut]


class RunScoresOut(Answer):
    """One of the runs, on the examples that all were asked."""

    run: str = Field(description="The run's id.")
    scores: dict[str, float]
    by_label: dict[str, float] = Field(description="F1 of each label.")
    against_baseline: ComparisonOut | None = Field(description="Null for the baseline.")
    mcnemar: float | None = Field(description="The p-value of McNemar's exact test.")


class DisagreementOut(Answer):
    """An example that some runs have right and others not."""

    id: int
    text: str
    right: list[bool] = Field(description="In the order of the tested runs.")
    said: list[str]


class TestedOut(Answer):
    """The runs that have predictions, on the examples that all of them were asked."""

    baseline: str
    examples: int
    left_out: int = Field(description="Examples that not all have, or not with the same gold.")
    runs: list[RunScoresOut]
    labels: list[str]
    disagreements: list[DisagreementOut] = Field(description="At most 50.")
    disagreement_count: int
    next_after: int | None = Field(description="Ask again with it as `after`; null at the end.")


class ComparedOut(Answer):
    """Runs side by side."""

    split: Split
    primary: str = Field(description="The score that is tested.")
    baseline: str = Field(description="The run that the others are compared with.")
    runs: list[SideOut]
    parameters: dict[str, list[Any]] = Field(description="Those that differ, in order of the runs.")
    same: dict[str, Any] = Field(description="The parameters that all have alike.")
    groups: list[SeedGroupOut] = Field(description="Empty where no runs differ in the seed alone.")
    tested: TestedOut | None
    untested: str | None = Field(description="Why nothing is tested on examples.")


class CurvesOut(Answer):
    """What runs have measured over their steps."""

    kind: CurveKind
    curves: dict[str, list[dict[str, Any]]] = Field(
        description="By run; thinned, so that all of them together have at most 20,000 points."
    )


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
    chunks = evaluation.prediction_chunks(view)
    runs.note_download(person.actor, view, "predictions")
    return send_stream(
        chunks,
        filename=f"{view.run.name}.predictions.jsonl",
        media_type="application/x-ndjson",
    )


RunIds = Annotated[
    list[Annotated[str, Field(max_length=20)]],
    Query(description="2 to 200 run ids, in the order wanted.", min_length=1, max_length=200),
]


@router.get("/projects/{project_id}/compare")
def compare_runs(
    session: Db,
    person: Person,
    project_id: ProjectId,
    run: RunIds,
    split: AskedSplit = None,
    baseline: Annotated[
        str | None, Query(description="The run to compare the others with; the first by itself.")
    ] = None,
    right: Annotated[
        str | None, Query(description="Disagreements that this run has right.")
    ] = None,
    wrong: Annotated[
        str | None, Query(description="Disagreements that this run has wrong.")
    ] = None,
    after: Annotated[int, Query(description="The answer's `next_after`.", ge=0, le=10_000_000)] = 0,
) -> ComparedOut:
    """Compare runs of any kind and state: parameters, reported scores, means over seeds. Up to 8 are tested
    on the examples that all of them were asked, by paired significance tests."""
    found = comparing.compare_runs(
        session,
        person.actor,
        project_id,
        run,
        split=split,
        baseline=baseline,
        wanted=Wanted(right, wrong, after),
    )
    return ComparedOut(
        split=found.split,
        primary=found.primary,
        baseline=found.baseline,
        runs=[
            SideOut(
                run=side.view.run.id,
                name=side.view.run.name,
                kind=side.view.kind,
                state=side.view.job.state,
                version=side.view.version_number,
                scores=side.scores,
                missing=side.missing,
            )
            for side in found.sides
        ],
        parameters={each.name: each.values for each in found.differing},
        same={each.name: each.values[0] for each in found.parameters if not each.differs},
        groups=[
            SeedGroupOut(
                runs=[view.run.id for view in group.views],
                seeds=group.seeds,
                scores={n: SpreadOut.model_validate(s) for n, s in group.scores.items()},
            )
            for group in found.groups
        ],
        tested=found.tested and _tested_out(found.tested),
        untested=found.untested,
    )


def _tested_out(tested: Tested) -> TestedOut:
    return TestedOut(
        baseline=tested.baseline,
        examples=tested.examples,
        left_out=tested.left_out,
        runs=[
            RunScoresOut(
                run=item.view.run.id,
                scores=item.scores,
                by_label=item.by_label,
                against_baseline=item.against_baseline
                and ComparisonOut.model_validate(item.against_baseline),
                mcnemar=item.mcnemar,
            )
            for item in tested.runs
        ],
        labels=tested.labels,
        disagreements=[DisagreementOut.model_validate(item) for item in tested.disagreements],
        disagreement_count=tested.disagreement_count,
        next_after=tested.next_after,
    )


@router.get("/projects/{project_id}/curves")
def compare_curves(
    session: Db,
    person: Person,
    project_id: ProjectId,
    run: RunIds,
    kind: Annotated[CurveKind, Query(description="Training steps, or evaluations.")] = "step",
) -> CurvesOut:
    """The curves of runs, each with its last point."""
    found = comparing.curves(session, person.actor, project_id, run, kind)
    return CurvesOut(kind=kind, curves=found)
