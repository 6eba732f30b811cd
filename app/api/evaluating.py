"""Evaluating a run's model on other data."""

from typing import Annotated, Literal

import orjson
from fastapi import Form, UploadFile
from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from app.api.problems import problem
from app.api.runs import DEVICE, PRIORITY, Priority, RunOut, TurnWish, shown
from app.api.schemas import RunId
from app.db import session_scope
from app.errors import InvalidInput
from app.http.identity import Person
from app.http.routing import Db, Router
from app.i18n import gettext as _
from app.services import runs
from app.services.jobs import Device
from app.training import EvaluatedSplit

router = Router(
    tags=["Runs and models"],
    responses={409: problem("The run has no model that could be evaluated.")},
)


class EvaluateWish(TurnWish):
    """A version to be evaluated on."""

    version: int = Field(description="The number of a version.", ge=1, le=2**31 - 1, examples=[1])
    project_id: str | None = Field(
        None, description="The version's project, of the same task; left out, the model's.",
        max_length=20,
    )  # fmt: skip
    split: EvaluatedSplit = Field("test", description="Which of its examples.")
    name: str = Field("", description="Left out, it is named after model and data.", max_length=200)


@router.post("/runs/{run_id}/evaluate", status_code=202)
def evaluate_on_version(session: Db, person: Person, run_id: RunId, wish: EvaluateWish) -> RunOut:
    """Evaluate a run's model on a version. A new run of the version's project does it; watch its `job`."""
    run = runs.evaluate_version(
        session,
        person.actor,
        run_id,
        project_id=wish.project_id,
        version_number=wish.version,
        split=wish.split,
        name=wish.name,
        turn=wish.turn(),
    )
    return shown(runs.get(session, person.actor, run.id))


@router.post(
    "/runs/{run_id}/evaluate/file",
    status_code=202,
    responses={413: problem("The file is over the bound of this installation.")},
)
def evaluate_on_file(
    person: Person,
    run_id: RunId,
    file: UploadFile,
    glue: Annotated[
        Literal["sst2", "cola"], Form(description="The task of GLUE whose layout the file has.")
    ],
    labels: Annotated[
        str,
        Form(
            description="JSON: which label of the model each label of the file stands for; what is left out "
            "is guessed from the names.",
            examples=['{"0": "negative", "1": "positive"}'],
        ),
    ] = "{}",
    name: Annotated[str, Form(description="Left out, it is named after its model.")] = "",
    priority: Annotated[Priority, Form(description=PRIORITY)] = "normal",
    # A form has no null: only what is left out is None.
    device: Annotated[Device | SkipJsonSchema[None], Form(description=DEVICE)] = None,
) -> RunOut:
    """Evaluate a run's model on a labelled file in GLUE's layout, with GLUE's score."""
    # No session for the request: the upload must hold none while the bytes come in.
    try:
        meaning = orjson.loads(labels)
    except orjson.JSONDecodeError as error:
        raise InvalidInput.at("labels", _("The labels are not JSON: %(e)s", e=error)) from error
    if not isinstance(meaning, dict) or not all(isinstance(v, str) for v in meaning.values()):
        raise InvalidInput.at("labels", _("The labels are a JSON object of words."))
    run = runs.evaluate_file(
        person.actor,
        run_id,
        task=glue,
        filename=file.filename or "file",
        stream=file.file,
        labels=meaning,
        name=name,
        turn=runs.Turn(priority, device),
    )
    with session_scope(read_only=True) as session:
        return shown(runs.get(session, person.actor, run.id))
