"""The scores of predictions that several models have made, each its share."""

from collections.abc import Sequence
from typing import Any

from app.evaluation.metrics import Counts, span_confusion
from app.evaluation.outcomes import Outcomes
from app.i18n import mark
from app.tasks import get_task
from worker.engine.job import Item
from worker.engine.report import MISSED, SPURIOUS, Report, per_label
from worker.recipes.base import Prediction


def pooled_report(
    task: str, schema: dict[str, Any], items: Sequence[Item], predictions: Sequence[Prediction]
) -> Report:
    """Predictions of several models together: the scores that follow from labelled places alone."""
    kind = get_task(task)
    gold = [kind.places(item.annotation) for item in items]
    predicted = [kind.places(said.annotation) for said in predictions]
    known = [label.name for label in kind.labels(kind.parse_schema(schema))]
    seen = {label for places in (*gold, *predicted) for _place, label in places}
    labels = [name for name in known if name in seen] + sorted(seen - set(known))
    outcomes = Outcomes.of(zip(gold, predicted, strict=True), labels)
    counted = outcomes.scores()
    columns = (outcomes.correct.sum(0), outcomes.predicted.sum(0), outcomes.gold.sum(0))
    counts = {
        label: Counts(*(int(column[n]) for column in columns)) for n, label in enumerate(labels)
    }
    matrix = span_confusion(gold, predicted, labels)
    table = {"labels": [*labels, MISSED, SPURIOUS], "counts": matrix.tolist()}
    if not matrix[len(labels) :].any() and not matrix[:, len(labels) :].any():
        table = {"labels": labels, "counts": matrix[: len(labels), : len(labels)].tolist()}
    return Report(
        examples=len(items),
        scores={name: counted[own] for name, own in kind.counted_scores.items()},
        per_label=per_label(counts),
        # Several labels of a whole text: which was taken for which cannot be said.
        confusion=None if schema.get("mode") == "multi" else table,
        scheme=mark(
            "Every example once, by the model that had not seen it; all folds counted together."
        ),
    )
