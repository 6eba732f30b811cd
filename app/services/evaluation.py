"""Looking into what models got wrong."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any, Literal

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import Conflict, NotFound
from app.evaluation.metrics import Place, cells
from app.i18n import gettext as _
from app.models import Example
from app.services import runs
from app.services.access import Actor
from app.services.runs import RunView, predictions_key
from app.storage import CHUNK, get_storage
from app.tasks import get_task

Cell = tuple[Place, str | None, str | None]
Split = Literal["validation", "test"]
Order = Literal["sure", "unsure"]
PAGE = 50


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a run's model said of one example."""

    id: int
    gold: dict[str, Any]
    predicted: dict[str, Any]
    confidence: float


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is wrong: words with gold's label and the predicted one; None where one has nothing."""

    words: str
    gold: str | None
    predicted: str | None


@dataclass(frozen=True, slots=True)
class WrongRow:
    """An example whose prediction is not gold."""

    id: int
    text: str
    confidence: float
    differences: list[Difference]


@dataclass(frozen=True, slots=True)
class WrongPage:
    """Some wrong predictions, and how many there are of them and of all."""

    rows: list[WrongRow]
    wrong: int
    examples: int
    next_after: int | None


def predictions(view: RunView, split: Split) -> Iterator[Prediction]:
    """What a run predicted for a split, in the version's order. Raises Conflict where it kept nothing."""
    with _reading(view) as lines:
        for line in lines:
            row = orjson.loads(line)
            if row["split"] == split:
                yield Prediction(row["id"], row["gold"], row["predicted"], row["confidence"])


@contextmanager
def _reading(view: RunView) -> Iterator[IO[bytes]]:
    try:
        with get_storage().reading(predictions_key(view.run.id)) as stream:
            yield stream
    except NotFound:
        raise Conflict(
            _("The run “%(name)s” kept no predictions: train it again.", name=view.run.name)
        ) from None


def wrong(
    session: Session,
    actor: Actor,
    run_id: str,
    *,
    split: Split = "test",
    gold: str | None = None,
    predicted: str | None = None,
    order: Order = "sure",
    after: int = 0,
) -> WrongPage:
    """The wrong predictions of a run, the surest first (or last), from the number `after` on.

    `gold` and `predicted` keep those with such a confusion; "missed" and "spurious" stand for nothing, as in
    the confusion matrix. Raises Conflict for a run without predictions.
    """
    view = runs.require_model(session, actor, run_id)
    task = get_task(view.project.task)
    examples = 0
    found: list[tuple[Prediction, list[Cell]]] = []
    for item in predictions(view, split):
        examples += 1
        both = cells(task.places(item.gold), task.places(item.predicted))
        differences = [cell for cell in both if cell[1] != cell[2]]
        if any(_is_wanted(cell[1], cell[2], gold, predicted) for cell in differences):
            found.append((item, differences))
    found.sort(key=lambda pair: (pair[0].confidence, pair[0].id), reverse=order == "sure")
    page = found[after : after + PAGE]
    inputs = inputs_of(session, [item.id for item, _differences in page])
    rows = [
        WrongRow(
            item.id,
            text := inputs[item.id]["text"],
            item.confidence,
            [Difference(task.words(place, text), a, b) for place, a, b in differences],
        )
        for item, differences in page
    ]
    end = after + PAGE
    return WrongPage(rows, len(found), examples, end if end < len(found) else None)


def prediction_chunks(view: RunView) -> Iterator[bytes]:
    """A run's whole predictions file, as it is. Raises Conflict where there is none."""
    with _reading(view) as stream:
        while chunk := stream.read(CHUNK):
            yield chunk


def _is_wanted(
    truth: str | None, found: str | None, gold: str | None, predicted: str | None
) -> bool:
    return (gold is None or (truth or "spurious") == gold) and (
        predicted is None or (found or "missed") == predicted
    )


def inputs_of(session: Session, ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    """The inputs of examples by their ids; what is gone is left out."""
    query = select(Example.id, Example.inputs).where(Example.id.in_(ids))
    return {row.id: row.inputs for row in session.execute(query)}
