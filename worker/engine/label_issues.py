"""Likely label errors: where models that had not seen an example disagree with its label, and are sure.

Labels of whole texts are judged by confident learning (Northcutt, Jiang and Chuang, 2021), which cleanlab
does: it knows how surely the models say each label in general, and which labels are mixed up. Spans and
arguments have no probability of every label to go by. There an example is suspected where the model is as
sure of something else as it is, on average, where it agrees with gold.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.evaluation.spans import cells
from app.tasks import get_task
from worker.engine.job import Item
from worker.recipes.base import Prediction

MOST_LISTED = 1000
"""Who has worked through so many trains again, and gets a better list."""


@dataclass(frozen=True, slots=True)
class LabelIssue:
    """An example whose annotation is probably wrong."""

    id: int | None
    score: float
    """How likely the annotation is right after all, 0 to 1: the least likely are the first to look at."""
    given: dict[str, Any]
    suggested: dict[str, Any]


def find_label_issues(
    task: str, schema: dict[str, Any], items: Sequence[Item], predictions: Sequence[Prediction]
) -> list[LabelIssue]:
    """The suspected items, the least likely annotations first. The predictions are out of fold."""
    if "labels" in predictions[0].scores:
        scores = _of_texts(schema, items, predictions)
    else:
        scores = _of_parts(task, items, predictions)
    found = [
        LabelIssue(items[n].id, round(score, 6), items[n].annotation, predictions[n].annotation)
        for n, score in scores.items()
        if items[n].annotation != predictions[n].annotation
    ]
    return sorted(found, key=lambda error: error.score)


def write_label_issues(path: Path, found: Sequence[LabelIssue]) -> int:
    """Write the worst as JSON lines; how many."""
    listed = found[:MOST_LISTED]
    with path.open("w", encoding="utf-8") as sink:
        for error in listed:
            sink.write(json.dumps(asdict(error), ensure_ascii=False) + "\n")
    return len(listed)


def _of_texts(
    schema: dict[str, Any], items: Sequence[Item], predictions: Sequence[Prediction]
) -> dict[int, float]:
    """Likelihoods of the suspected items, by their places, with cleanlab."""
    # Imported here: with pandas and scikit-learn it takes seconds, which other runs need not wait for.
    from cleanlab import filter as single
    from cleanlab import rank
    from cleanlab.multilabel_classification import filter as several
    from cleanlab.multilabel_classification import rank as several_rank

    labels = list(dict.fromkeys(label for said in predictions for label in said.scores["labels"]))
    number = {label: n for n, label in enumerate(labels)}
    chances: NDArray[np.float64] = np.array(
        [[said.scores["labels"].get(label, 0.0) for label in labels] for said in predictions]
    )
    given = [[number[label] for label in item.annotation["labels"]] for item in items]
    options = {"return_indices_ranked_by": "self_confidence", "n_jobs": 1}
    if schema.get("mode") == "multi":
        places = several.find_label_issues(given, chances, **options)
        likely = several_rank.get_label_quality_scores(given, chances)
    else:
        chances /= chances.sum(1, keepdims=True)  # they were rounded
        first = np.array([row[0] for row in given])
        places = single.find_label_issues(first, chances, **options)
        likely = rank.get_label_quality_scores(first, chances)
    return {int(n): float(likely[n]) for n in places}


def _of_parts(
    task: str, items: Sequence[Item], predictions: Sequence[Prediction]
) -> dict[int, float]:
    """Likelihoods of the suspected items, by their places: how unsure the model is of what it says otherwise.

    Of a part that it did not find it only tells how sure it is of the whole example.
    """
    kind = get_task(task)
    agreed: list[float] = []
    otherwise: dict[int, float] = {}
    for n, (item, said) in enumerate(zip(items, predictions, strict=True)):
        places = kind.places(said.annotation)
        sure = dict(zip(places, _certainties(said), strict=True))
        for place, gold, predicted in cells(kind.places(item.annotation), places):
            certainty = said.scores["confidence"]
            if predicted is not None:
                certainty = sure[place, predicted]
            if gold == predicted:
                agreed.append(certainty)
            else:
                otherwise[n] = max(certainty, otherwise.get(n, 0.0))
    usual = sum(agreed) / len(agreed) if agreed else 1.0
    return {n: 1 - certainty for n, certainty in otherwise.items() if certainty >= usual}


def _certainties(said: Prediction) -> list[float]:
    """How sure the model is of each of the prediction's places, in their order."""
    if "predicates" in said.scores:
        return [score for each in said.scores["predicates"] for score in each["arguments"]]
    found: list[float] = said.scores["spans"]
    return found
