"""Trying a run's model on texts, now."""

from functools import partial
from typing import Any

from anyio import to_thread

from app.db import session_scope
from app.errors import InvalidInput, Unavailable
from app.i18n import gettext as _
from app.services import dispatch, rpc, workers
from app.services.access import Actor
from app.services.runs.keys import model_key
from app.services.runs.reading import require_labels
from app.storage import get_storage

MAX_PREDICT_TEXTS = 64
MAX_PREDICT_CHARACTERS = 20_000
_PREDICT_TIMEOUT = 60.0


async def predict(actor: Actor, run_id: str, texts: list[str]) -> list[dict[str, Any]]:
    """What the run's model says of some texts, computed by a worker. No thread and no session waits for it.

    Raises InvalidInput for too many or too long texts, Unavailable when no worker answers, Gone or Damaged where the
    model is not what was stored.
    """
    await to_thread.run_sync(_check, actor, run_id, texts)
    answer = await rpc.call(dispatch.PREDICT, [run_id, texts], queue="cpu", within=_PREDICT_TIMEOUT)
    if "error" in answer:
        # A worker's words are in no language but its own: what it met in the storage is said from here.
        await to_thread.run_sync(partial(get_storage().verify_folder, model_key(run_id), size=None))
        raise InvalidInput(answer["error"])
    predictions: list[dict[str, Any]] = answer["predictions"]
    return predictions


def _check(actor: Actor, run_id: str, texts: list[str]) -> None:
    """Raises what can be said without a worker; that there is none, too."""
    if not texts or not all(text.strip() for text in texts):
        raise InvalidInput.at("texts", _("Give a text to try."))
    if len(texts) > MAX_PREDICT_TEXTS or sum(map(len, texts)) > MAX_PREDICT_CHARACTERS:
        raise InvalidInput.at(
            "texts",
            _(
                "At most %(n)s texts with together %(m)s characters at a time.",
                n=MAX_PREDICT_TEXTS,
                m=MAX_PREDICT_CHARACTERS,
            ),
        )
    with session_scope(read_only=True) as session:
        require_labels(session, actor, run_id)
        if not workers.is_served(session, "cpu"):
            raise Unavailable(
                _("No worker is there to answer. Start one with “annotune worker”."), retry_after=30
            )
