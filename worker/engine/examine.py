"""The last look at a model: how far its scores can be trusted, and what it says of every example."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, TextIO

from app.evaluation.calibration import bins, expected_calibration_error
from app.evaluation.outcomes import Outcomes
from app.evaluation.resampling import intervals
from app.tasks import get_task
from worker.engine.job import Item
from worker.recipes.base import Evaluation, Prediction


def examine(
    task: str, items: Sequence[Item], evaluation: Evaluation, *, seed: int
) -> dict[str, Any]:
    """The report of a split with 95% intervals of its scores, and the calibration of the confidence.

    An example's confidence is that of its least certain decision; it is right when all of it is.
    """
    kind = get_task(task)
    pairs = [
        (kind.places(item.annotation), kind.places(prediction.annotation))
        for item, prediction in zip(items, evaluation.predictions, strict=True)
    ]
    outcomes = Outcomes.of(pairs, sorted({label for pair in pairs for p in pair for _, label in p}))
    found = intervals(outcomes, seed=seed)
    sure = [prediction.scores["confidence"] for prediction in evaluation.predictions]
    calibration = bins(sure, outcomes.exact.tolist())
    return evaluation.report.as_json() | {
        "intervals": {
            name: [round(bound, 6) for bound in found[counted]]
            for name, counted in kind.counted_scores.items()
            if counted in found
        },
        "calibration": {
            "ece": round(expected_calibration_error(calibration), 6),
            "bins": [asdict(each) for each in calibration],
        },
    }


def write_predictions(
    sink: TextIO, split: str, items: Sequence[Item], predictions: Sequence[Prediction]
) -> None:
    """One JSON line an example: its id, split, gold, what was predicted, and how surely; for labels of whole
    texts also the probability of each.

    A negative id is that of a text which is in no project, so its words stand here.
    """
    for item, prediction in zip(items, predictions, strict=True):
        line: dict[str, Any] = {
            "id": item.id,
            "split": split,
            "gold": item.annotation,
            "predicted": prediction.annotation,
            "confidence": prediction.scores["confidence"],
        }
        if "labels" in prediction.scores:
            line["probabilities"] = prediction.scores["labels"]
        if item.id is not None and item.id < 0:
            line["text"] = item.text
        sink.write(json.dumps(line, ensure_ascii=False) + "\n")
