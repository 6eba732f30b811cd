"""Looking into what models got wrong."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.evaluation.spans import Place, cells
from app.models import Example
from app.services import runs
from app.services.access import Actor
from app.services.runs import RunView, predictions_key
from app.storage import CHUNK, damaged, get_storage
from app.tasks import get_task
from app.tasks.base import TaskType

Cell = tuple[Place, str | None, str | None]
Split = Literal["test", "validation", "out_of_fold", "all", "train"]
SPLITS: tuple[Split, ...] = get_args(Split)
Order = Literal["sure", "unsure"]
PAGE = 50


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a run's model said of one example."""

    id: int
    """The example's; a negative one is that of a text of a file, which is in no project."""
    gold: dict[str, Any]
    predicted: dict[str, Any]
    confidence: float
    text: str | None
    """The text of a file."""


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
    """What a run predicted for a split, in the version's order. Raises Gone or Damaged where the file that it left is
    not what was stored."""
    key = predictions_key(view.run.id)
    with get_storage().reading(key) as lines:
        for line in lines:
            try:
                row = orjson.loads(line)
                found = Prediction(
                    row["id"], row["gold"], row["predicted"], row["confidence"], row.get("text")
                )
                is_wanted = split in ("all", row["split"])
            except (ValueError, TypeError, KeyError):
                raise damaged(key) from None
            if is_wanted:
                yield found


def wrong(
    session: Session,
    actor: Actor,
    run_id: str,
    *,
    split: Split | None = None,
    gold: str | None = None,
    predicted: str | None = None,
    order: Order = "sure",
    after: int = 0,
) -> WrongPage:
    """The wrong predictions of a run, the surest first (or last), from the number `after` on.

    The split is the first that it was evaluated on, if none is named.
    `gold` and `predicted` keep those with such a confusion; "missed" and "spurious" stand for nothing, as in
    the confusion matrix. Raises Conflict for a run without predictions, Gone or Damaged where they are not what was
    stored.
    """
    view = runs.require_scored(session, actor, run_id)
    split = split or splits_of(view)[0]
    task = get_task(view.project.task)
    examples = 0
    found: list[tuple[Prediction, list[Cell]]] = []
    for item in predictions(view, split):
        examples += 1
        wrong_cells = _wrong_cells(task, item.gold, item.predicted)
        if any(_is_wanted(cell[1], cell[2], gold, predicted) for cell in wrong_cells):
            found.append((item, wrong_cells))
    found.sort(key=lambda pair: (pair[0].confidence, pair[0].id), reverse=order == "sure")
    page = found[after : after + PAGE]
    inputs = inputs_of(session, [item for item, _cells in page])
    rows = [
        WrongRow(
            item.id,
            text := inputs[item.id]["text"],
            item.confidence,
            [Difference(task.words(place, text), a, b) for place, a, b in wrong_cells],
        )
        for item, wrong_cells in page
    ]
    end = after + PAGE
    return WrongPage(rows, len(found), examples, end if end < len(found) else None)


def splits_of(view: RunView) -> list[Split]:
    """What a run was evaluated on, the most telling first."""
    metrics = (view.run.result or {}).get("metrics", {})
    return [split for split in SPLITS if split in metrics] or ["test", "validation"]


def differences(
    task: TaskType[Any, Any], gold: dict[str, Any], predicted: dict[str, Any], text: str
) -> list[Difference]:
    """Where an annotation of a text is not another one."""
    return [
        Difference(task.words(place, text), a, b)
        for place, a, b in _wrong_cells(task, gold, predicted)
    ]


def _wrong_cells(
    task: TaskType[Any, Any], gold: dict[str, Any], predicted: dict[str, Any]
) -> list[Cell]:
    both = cells(task.places(gold), task.places(predicted))
    return [cell for cell in both if cell[1] != cell[2]]


def prediction_chunks(view: RunView) -> Iterator[bytes]:
    """A run's whole predictions file, as it is. Raises Gone where it is missing, before anything is sent."""
    key = predictions_key(view.run.id)
    get_storage().size(key)
    return _chunks(key)


def _chunks(key: str) -> Iterator[bytes]:
    with get_storage().reading(key) as stream:
        while chunk := stream.read(CHUNK):
            yield chunk


def _is_wanted(
    truth: str | None, found: str | None, gold: str | None, predicted: str | None
) -> bool:
    return (gold is None or (truth or "spurious") == gold) and (
        predicted is None or (found or "missed") == predicted
    )


def inputs_of(session: Session, items: Sequence[Prediction]) -> dict[int, dict[str, Any]]:
    """The inputs of the examples that predictions are of; what is gone is left out."""
    stored = [item.id for item in items if item.text is None]
    query = select(Example.id, Example.inputs).where(Example.id.in_(stored))
    found = {row.id: row.inputs for row in session.execute(query)}
    return found | {item.id: {"text": item.text} for item in items if item.text is not None}
