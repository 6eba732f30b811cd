"""Training runs and the models they leave."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Depends, Path, Query, Response
from pydantic import Field
from starlette.responses import StreamingResponse

from app.api.problems import problem
from app.api.schemas import Answer, JobOut, ProjectId, Question, RunId
from app.http.download import send_stream
from app.http.figures import send_figures, send_leaderboard
from app.http.identity import Person, changes_nothing
from app.http.routing import Db, Router
from app.services import models, runs
from app.services.jobs import Device
from app.services.runs import RunFilter, RunPage, RunView, Sort
from app.training import RUN_KINDS

router = Router(tags=["Runs and models"])


class RunOut(Answer):
    """A training run."""

    id: str
    project_id: str
    kind: str = Field(description="What it does: one of the kinds of runs, such as `finetune`.")
    version: int | None = Field(
        description="The number of the version it is over; null for all texts of the project."
    )
    search_id: str | None = Field(description="The search that it is a part of.")
    name: str
    tags: list[str]
    note: str = Field(description="Markdown.")
    archived_at: datetime | None = Field(description="When it was put away; null if it is not.")
    params: dict[str, Any] = Field(
        description="As it was told: `FineTuneParams` or `PretrainParams`, by its kind."
    )
    environment: dict[str, Any] | None = Field(
        description="Packages, device and precision it ran with."
    )
    result: dict[str, Any] | None = Field(
        description="Scores on validation and test, or perplexity before and after; counts, seconds; null "
        "until it has succeeded."
    )
    model_size: int | None = Field(description="Bytes of its model; null while there is none.")
    created_at: datetime
    job: JobOut


class RunList(Answer):
    """Runs, newest first."""

    items: list[RunOut]
    next_after: str | None = Field(description="Ask again with it as `after`; null at the end.")


Priority = Literal["urgent", "normal", "idle"]
PRIORITY = "`idle`: only when nothing else waits."
DEVICE = "The kind of device that the run is pinned to; left out, any."


class TurnWish(Question):
    """When a run is done, and on what."""

    priority: Priority = Field("normal", description=PRIORITY)
    device: Device | None = Field(None, description=DEVICE)

    def turn(self) -> runs.Turn:
        """The same for the services."""
        return runs.Turn(self.priority, self.device)


class TrainingWish(TurnWish):
    """What any training may be told besides its parameters."""

    name: str = Field("", description="Left out, it is named after its base model.", max_length=200)


class RunWish(TrainingWish):
    """A training to be started."""

    version: int = Field(description="The number of a version.", ge=1, le=2**31 - 1, examples=[1])
    params: dict[str, Any] = Field(
        {},
        description="Fields of `FineTuneParams`; what is left out is chosen by task, base model and size.",
        examples=[{"epochs": 3, "learning_rate": 1e-4}],
    )


class PretrainWish(TrainingWish):
    """A pre-training to be started."""

    params: dict[str, Any] = Field(
        {},
        description="Fields of `PretrainParams`; what is left out is chosen by base model and number of texts.",
        examples=[{"base": "scratch", "epochs": 20}],
    )


class RunChange(Question):
    """What people say of a run; what is left out stays as it is."""

    name: str | None = Field(None, description="Up to 200 characters.")
    note: str | None = Field(None, description="Markdown, up to 20,000 characters.")
    tags: list[str] | None = Field(
        None, description="All its tags: at most 20, each up to 50 characters without commas."
    )
    archived: bool | None = Field(None, description="Whether it is put away.")


class StandingOut(Answer):
    """A run's place among others."""

    place: int = Field(description="By the score on test, then on validation; equal runs share it.")
    run: str = Field(description="The run's id.")
    name: str
    kind: str
    version: int | None
    metric: str = Field(description="The task's primary metric, which the scores are of.")
    test: float | None
    test_low: float | None = Field(description="A 95% interval by bootstrap.")
    test_high: float | None
    validation: float | None
    validation_low: float | None
    validation_high: float | None
    seconds: float | None
    tags: str = Field(description="Separated by commas.")
    created_at: datetime


class LeaderboardOut(Answer):
    """The best runs of a project."""

    metric: str
    items: list[StandingOut]
    total: int = Field(description="How many runs there are; those without a score are not.")
    best_test: float | None
    best_validation: float | None


class Points(Answer):
    """A run's measurements, in order."""

    items: list[dict[str, Any]] = Field(
        description="At most 1,000, evenly thinned; the last one is always there.",
        examples=[[{"step": 10, "epoch": 0.05, "loss": 0.61, "learning_rate": 4.9e-05}]],
    )


class PredictWish(Question):
    """Texts to be tried."""

    texts: list[str] = Field(
        description="At most 64 texts with together 20,000 characters.",
        min_length=1,
        max_length=runs.MAX_PREDICT_TEXTS,
        examples=[["Ada gave Bo the map."]],
    )


class Prediction(Answer):
    """What the model says of one text."""

    annotation: dict[str, Any] = Field(description="In the task's form.")
    scores: Any = Field(None, description="How sure it is.")


class Predictions(Answer):
    """What the model says, in the order of the texts."""

    items: list[Prediction]


def wanted_runs(
    version: Annotated[
        int | None, Query(description="Only runs over this version.", ge=1, le=2**31 - 1)
    ] = None,
    tag: Annotated[str | None, Query(description="Only runs with this tag.", max_length=50)] = None,
    archived: Annotated[bool, Query(description="Those put away as well.")] = False,
) -> RunFilter:
    """Which runs are asked for."""
    return RunFilter(version=version, tag=tag, archived=archived)


Wanted = Annotated[RunFilter, Depends(wanted_runs)]
Limit = Annotated[int, Query(description="At most so many.", ge=1, le=500)]
After = Annotated[
    str | None, Query(description="The answer's `next_after`, for what follows.", max_length=20)
]


@router.get("/runs")
def list_all_runs(
    session: Db, person: Person, wanted: Wanted, limit: Limit = 100, after: After = None
) -> RunList:
    """The runs of all of one's projects, newest first."""
    return _listed(
        runs.page_of_runs(session, person.actor, limit=limit, after=after, wanted=wanted)
    )


@router.get("/projects/{project_id}/runs")
def list_runs(
    session: Db,
    person: Person,
    project_id: ProjectId,
    wanted: Wanted,
    limit: Limit = 100,
    after: After = None,
) -> RunList:
    """The runs of a project, newest first."""
    return _listed(
        runs.page_of_runs(
            session, person.actor, project_id, limit=limit, after=after, wanted=wanted
        )
    )


@router.get("/projects/{project_id}/leaderboard")
def get_leaderboard(
    session: Db,
    person: Person,
    project_id: ProjectId,
    wanted: Wanted,
    sort: Annotated[Sort, Query(description="By which figure.")] = "test",
    order: Annotated[Literal["asc", "desc"], Query(description="Which end first.")] = "desc",
    page: Annotated[int, Query(description="Which 50 of them: 1, 2, …", ge=1, le=100_000)] = 1,
) -> LeaderboardOut:
    """The runs of a project with their scores by the task's primary metric, best on test first."""
    board = runs.leaderboard(
        session,
        person.actor,
        project_id,
        wanted=wanted,
        sort=sort,
        descending=order == "desc",
        page=page,
    )
    rows = [StandingOut(**row) for row in runs.leaderboard_rows(board)]
    return LeaderboardOut(
        metric=board.metric,
        items=rows,
        total=board.total,
        best_test=board.best_test,
        best_validation=board.best_validation,
    )


@router.get(
    "/projects/{project_id}/leaderboard.csv",
    response_class=Response,
    responses={200: {"description": "All rows.", "content": {"text/csv": {}}}},
)
def download_leaderboard(
    session: Db, person: Person, project_id: ProjectId, wanted: Wanted
) -> Response:
    """The whole leaderboard as a table, with the columns of the JSON answer."""
    return send_leaderboard(session, person.actor, project_id, form="csv", wanted=wanted)


@router.post(
    "/projects/{project_id}/runs",
    status_code=202,
    responses={409: problem("The version is not written yet.")},
)
def start_run(session: Db, person: Person, project_id: ProjectId, wish: RunWish) -> RunOut:
    """Fine-tune a model on a version. A worker does it; watch `job`, and `GET /runs/{id}/points`."""
    run = runs.create(
        session,
        person.actor,
        project_id,
        version_number=wish.version,
        params=runs.params_from(session, person.actor, project_id, wish.version, wish.params),
        name=wish.name,
        turn=wish.turn(),
    )
    return shown(runs.get(session, person.actor, run.id))


@router.post("/projects/{project_id}/pretrain", status_code=202)
def start_pretraining(
    session: Db, person: Person, project_id: ProjectId, wish: PretrainWish
) -> RunOut:
    """Pre-train a model on all texts of a project but those of the test split, labelled or not, by masked
    words. A fine-tuning starts from it with `{"base": "run", "base_ref": ID}`."""
    run = runs.create_pretraining(
        session,
        person.actor,
        project_id,
        params=runs.pretraining_params(session, person.actor, project_id, wish.params),
        name=wish.name,
        turn=wish.turn(),
    )
    return shown(runs.get(session, person.actor, run.id))


@router.get("/runs/{run_id}")
def get_run(session: Db, person: Person, run_id: RunId) -> RunOut:
    """A run with its job, parameters and result."""
    return shown(runs.get(session, person.actor, run_id))


@router.patch("/runs/{run_id}")
def describe_run(session: Db, person: Person, run_id: RunId, change: RunChange) -> RunOut:
    """Change a run's name, note or tags, put it away or take it out again."""
    runs.describe(session, person.actor, run_id, **change.model_dump())
    return shown(runs.get(session, person.actor, run_id))


@router.post(
    "/runs/{run_id}/resume",
    status_code=202,
    responses={409: problem("The run has neither failed nor was it cancelled.")},
)
def resume_run(session: Db, person: Person, run_id: RunId) -> RunOut:
    """Queue a failed or cancelled run again. It goes on from its last checkpoint, which its worker keeps for
    some time; where that is gone, from the beginning. `job.progress.resumed` says from which step."""
    runs.resume(session, person.actor, run_id)
    return shown(runs.get(session, person.actor, run_id))


@router.delete(
    "/runs/{run_id}", status_code=204, responses={409: problem("The run is still going on.")}
)
def delete_run(session: Db, person: Person, run_id: RunId) -> None:
    """Delete an ended run with its model."""
    runs.clear_reports(person.actor, [run_id])
    runs.remove(session, person.actor, run_id)


@router.get("/runs/{run_id}/points")
def list_points(
    session: Db,
    person: Person,
    run_id: RunId,
    kind: Annotated[Literal["step", "evaluation"], Query(description="Which ones.")] = "step",
    after_step: Annotated[
        int, Query(description="Only later steps: what is new since.", ge=-1, le=2**31 - 1)
    ] = -1,
) -> Points:
    """What a run measured: training steps, or evaluations on the validation split."""
    runs.get(session, person.actor, run_id)
    return Points(items=runs.points(session, run_id, kind, after_step=after_step))


@router.get(
    "/runs/{run_id}/figures.{form}",
    response_class=Response,
    responses={
        200: {
            "description": "All figures.",
            "content": {"text/csv": {}, "application/json": {}},
        }
    },
)
def download_figures(
    session: Db,
    person: Person,
    run_id: RunId,
    form: Annotated[
        Literal["csv", "json"],
        Path(description="csv: one line a figure; json: the points as they were reported."),
    ],
) -> Response:
    """Everything that a run has measured, unthinned."""
    return send_figures(runs.get(session, person.actor, run_id), form=form)


@router.get(
    "/runs/{run_id}/log",
    response_class=Response,
    responses={200: {"description": "The log.", "content": {"text/plain": {}}}},
)
def get_log(session: Db, person: Person, run_id: RunId) -> Response:
    """A run's whole log so far, as plain text."""
    runs.get(session, person.actor, run_id)
    return StreamingResponse(runs.log_chunks(run_id), media_type="text/plain; charset=utf-8")


@router.post("/runs/{run_id}/cancel", status_code=204)
def cancel_run(session: Db, person: Person, run_id: RunId) -> None:
    """Stop a run: at once when it is queued, after its current step when it is running."""
    runs.cancel(session, person.actor, run_id)


@router.get(
    "/runs/{run_id}/model.zip",
    response_class=Response,
    responses={
        200: {"description": "The model's folder.", "content": {"application/zip": {}}},
        409: problem("The run has no model: it has not succeeded (yet)."),
    },
)
def download_model(session: Db, person: Person, run_id: RunId) -> Response:
    """The model as an ordinary transformers folder, in a zip that is made while it is sent."""
    view = runs.require_model(session, person.actor, run_id)
    pieces = models.archive(run_id, view.run.model_size)
    runs.note_download(person.actor, view, "model")
    return send_stream(
        pieces,
        filename=f"{view.run.name}.zip",
        media_type="application/zip",
    )


@router.post(
    "/runs/{run_id}/predict",
    responses={
        409: problem("The run has no model, or one without labels."),
        503: problem(
            "No worker answers, or too many requests wait for one: `Retry-After` says when to come again."
        ),
    },
)
@changes_nothing
async def predict(person: Person, run_id: RunId, wish: PredictWish) -> Predictions:
    """Try a run's model on some texts. A worker computes the answer."""
    # No session for the request: it would be held while the worker computes.
    found = await runs.predict(person.actor, run_id, wish.texts)
    return Predictions(items=[Prediction.model_validate(item) for item in found])


def _listed(page: RunPage) -> RunList:
    return RunList(items=[shown(view) for view in page.runs], next_after=page.next_after)


def shown(view: RunView) -> RunOut:
    """A run as it is answered."""
    run = view.run
    return RunOut(
        id=run.id,
        project_id=run.project_id,
        kind=view.kind,
        version=view.version_number,
        search_id=run.search_id,
        name=run.name,
        tags=list(view.tags),
        note=run.note,
        archived_at=run.archived_at,
        params=RUN_KINDS[view.kind].params.model_validate(run.params).model_dump(mode="json"),
        environment=run.environment,
        result=run.result,
        model_size=run.model_size,
        created_at=run.created_at,
        job=JobOut.model_validate(view.job),
    )
