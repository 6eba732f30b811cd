"""Models: their cards, and pushing them to a hub."""

from fastapi import Response
from pydantic import Field, SecretStr

from app.api.problems import problem
from app.api.runs import RunOut, shown
from app.api.schemas import Question, RunId
from app.formats.model_card import model_card as write_card
from app.http.identity import Person
from app.http.routing import Db, Router
from app.services import model_card, runs

router = Router(tags=["Runs and models"], responses={409: problem("The run has no model.")})


class PushWish(Question):
    """Where a model is to go."""

    repo_id: str = Field(description="owner/name on the hub.", examples=["ada/reviews"])
    private: bool = Field(True, description="Whether a new repository is private.")
    token: SecretStr | None = Field(
        None,
        description="For this push alone, stored nowhere. Left out, the installation's, which is only for "
        "what ANNOTUNE_HUB_PUSH names.",
        examples=["hf_…"],
        max_length=400,
    )


@router.get(
    "/runs/{run_id}/model/card",
    response_class=Response,
    responses={200: {"description": "README.md.", "content": {"text/markdown": {}}}},
)
def get_card(session: Db, person: Person, run_id: RunId) -> Response:
    """A model's card in Hugging Face's layout, as the downloaded folder has it."""
    view = runs.evaluable(session, person.actor, run_id)
    card = write_card(model_card.facts(session, view))
    return Response(card, media_type="text/markdown; charset=utf-8")


@router.post("/runs/{run_id}/push", status_code=202)
def push_model(session: Db, person: Person, run_id: RunId, wish: PushWish) -> RunOut:
    """Push a model with its card to a hub. A new run does it; watch its `job`."""
    run = runs.push(
        session,
        person.actor,
        run_id,
        repo_id=wish.repo_id,
        private=wish.private,
        token=wish.token.get_secret_value() if wish.token else None,
    )
    return shown(runs.get(session, person.actor, run.id))
