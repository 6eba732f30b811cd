"""Training runs and the models they leave."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from pydantic import Field
from starlette.responses import StreamingResponse

from app.api.problems import problem
from app.api.schemas import Answer, JobOut, ProjectId, Question, RunId
from app.http.download import send_stream
from app.http.identity import Db, Person
from app.services import models, runs
from app.services.runs import RunView
from app.training import RUN_KINDS

router = APIRouter(tags=["Runs and models"])


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
    params: dict[str, Any] = Field(
        description="As it was told; for a fine-tuning, `FineTuneParams`."
    )
    environment: dict[str, Any] | None = Field(
        description="Packages, device and precision it ran with."
    )
    result: dict[str, Any] | None = Field(
        description="Scores on validation and test, counts, seconds; null until it has succeeded."
    )
    model_size: int | None = Field(description="Bytes of its model; null while there is none.")
    created_at: datetime
    job: JobOut


class RunList(Answer):
    """Runs."""

    items: list[RunOut]


class RunWish(Question):
    """A training to be started."""

    version: int = Field(description="The number of a version.", ge=1, le=2**31 - 1, examples=[1])
    name: str = Field("", description="Left out, it is named after its base model.", max_length=200)
    priority: Literal["urgent", "normal", "idle"] = Field(
        "normal", description="`idle`: only when nothing else waits."
    )
    device: Literal["cuda", "cpu"] | None = Field(
        None, description="The kind of device that the run is pinned to; null: any."
    )
    params: dict[str, Any] = Field(
        {},
        description="Fields of `FineTuneParams`; what is left out is chosen by task, base model and size.",
        examples=[{"epochs": 3, "learning_rate": 1e-4}],
    )


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
        examples=[["Ada gave Bo the map."]],
    )


class Prediction(Answer):
    """What the model says of one text."""

    annotation: dict[str, Any] = Field(description="In the task's form.")
    scores: Any = Field(None, description="How sure it is.")


class Predictions(Answer):
    """What the model says, in the order of the texts."""

    items: list[Prediction]


@router.get("/runs")
def list_all_runs(session: Db, person: Person) -> RunList:
    """The newest 100 runs of all of one's projects."""
    return RunList(items=[_shown(view) for view in runs.list_runs(session, person.actor)])


@router.get("/projects/{project_id}/runs")
def list_runs(session: Db, person: Person, project_id: ProjectId) -> RunList:
    """The newest 100 runs of a project."""
    found = runs.list_runs(session, person.actor, project_id)
    return RunList(items=[_shown(view) for view in found])


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
        priority=wish.priority,
        device=wish.device,
    )
    return _shown(runs.get(session, person.actor, run.id))


@router.get("/runs/{run_id}")
def get_run(session: Db, person: Person, run_id: RunId) -> RunOut:
    """A run with its job, parameters and result."""
    return _shown(runs.get(session, person.actor, run_id))


@router.delete(
    "/runs/{run_id}", status_code=204, responses={409: problem("The run is still going on.")}
)
def delete_run(session: Db, person: Person, run_id: RunId) -> None:
    """Delete an ended run with its model."""
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
    return send_stream(
        models.archive(run_id), filename=f"{view.run.name}.zip", media_type="application/zip"
    )


@router.post(
    "/runs/{run_id}/predict",
    responses={409: problem("The run has no model."), 503: problem("No worker answers.")},
)
def predict(person: Person, run_id: RunId, wish: PredictWish) -> Predictions:
    """Try a run's model on some texts. A worker computes the answer."""
    # No session for the request: it would be held while the worker computes.
    found = runs.predict(person.actor, run_id, wish.texts)
    return Predictions(items=[Prediction.model_validate(item) for item in found])


def _shown(view: RunView) -> RunOut:
    run = view.run
    return RunOut(
        id=run.id,
        project_id=run.project_id,
        kind=view.kind,
        version=view.version_number,
        search_id=run.search_id,
        name=run.name,
        params=RUN_KINDS[view.kind].params.model_validate(run.params).model_dump(mode="json"),
        environment=run.environment,
        result=run.result,
        model_size=run.model_size,
        created_at=run.created_at,
        job=JobOut.model_validate(view.job),
    )
