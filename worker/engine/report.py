"""Reports: the scores of one split, as result.json and the pages show them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from app.evaluation.metrics import (
    Counts,
    confusion,
    label_counts,
    macro_f1,
    matthews,
    mean_distance,
    quadratic_kappa,
    span_confusion,
    span_counts,
    total,
)
from app.evaluation.spans import Labelled
from app.i18n import mark

MISSED, SPURIOUS = "missed", "spurious"

_SINGLE = mark(
    "One label a text. Macro F1 is the mean over the labels that occur in gold or predictions."
)
_SCALE = mark(
    "One label a text. Macro F1 is the mean over the labels that occur in gold or predictions. "
    "The labels are a scale: the mean absolute error is in steps, kappa has quadratic weights."
)
_SEVERAL = mark(
    "Any number of labels a text, each taken from a probability of 0.5. Accuracy asks for the "
    "whole set to be right; macro F1 is the mean over the labels that occur in gold or predictions."
)


@dataclass(frozen=True, slots=True)
class Report:
    """Scores (the primary one among them), per label, confusion, and how it was all counted."""

    examples: int
    scores: dict[str, float]
    per_label: list[dict[str, Any]]
    confusion: dict[str, Any] | None
    scheme: str

    def as_json(self) -> dict[str, Any]:
        """The report with numbers rounded to six places."""
        content = asdict(self)
        content["scores"] = {name: round(value, 6) for name, value in self.scores.items()}
        return content


def single_label_report(
    gold: Sequence[int], predicted: Sequence[int], labels: Sequence[str], *, ordinal: bool
) -> Report:
    """One label a text; for a scale also the distance between steps."""
    matrix = confusion(gold, predicted, len(labels))
    counts = label_counts(matrix)
    scores = {
        "accuracy": total(counts).recall,
        "macro_f1": macro_f1(counts),
        "micro_f1": total(counts).f1,
        "mcc": matthews(matrix),
    }
    if ordinal:
        scores |= {
            "mean_absolute_error": mean_distance(matrix),
            "quadratic_kappa": quadratic_kappa(matrix),
        }
    return Report(
        examples=len(gold),
        scores=scores,
        per_label=per_label(dict(zip(labels, counts, strict=True))),
        confusion={"labels": list(labels), "counts": matrix.tolist()},
        scheme=_SCALE if ordinal else _SINGLE,
    )


def multi_label_report(
    gold: Sequence[set[int]], predicted: Sequence[set[int]], labels: Sequence[str]
) -> Report:
    """Any number of labels a text."""
    pairs = list(zip(gold, predicted, strict=True))
    counts = {
        label: Counts(
            sum(i in a and i in b for a, b in pairs),
            sum(i in b for _, b in pairs),
            sum(i in a for a, _ in pairs),
        )
        for i, label in enumerate(labels)
    }
    micro = total(counts.values())
    return Report(
        examples=len(pairs),
        scores={
            "accuracy": sum(a == b for a, b in pairs) / len(pairs) if pairs else 0.0,
            "macro_f1": macro_f1(counts.values()),
            "micro_f1": micro.f1,
            "precision": micro.precision,
            "recall": micro.recall,
        },
        per_label=per_label(counts),
        confusion=None,
        scheme=_SEVERAL,
    )


def span_report(
    gold: Sequence[Sequence[Labelled]],
    predicted: Sequence[Sequence[Labelled]],
    labels: Sequence[str],
    *,
    examples: int,
    scheme: str,
) -> Report:
    """Spans that agree exactly in offsets and label."""
    counts = span_counts(gold, predicted)
    order = [*labels, *sorted(set(counts) - set(labels))]
    counts = {label: counts.get(label, Counts(0, 0, 0)) for label in order}
    micro = total(counts.values())
    return Report(
        examples=examples,
        scores={
            "f1": micro.f1,
            "precision": micro.precision,
            "recall": micro.recall,
            "macro_f1": macro_f1(counts.values()),
        },
        per_label=per_label({k: c for k, c in counts.items() if c.gold or c.predicted}),
        confusion={
            "labels": [*order, MISSED, SPURIOUS],
            "counts": span_confusion(gold, predicted, order).tolist(),
        },
        scheme=scheme,
    )


def per_label(counts: Mapping[str, Counts]) -> list[dict[str, Any]]:
    """One row a label."""
    return [
        {
            "label": label,
            "precision": round(c.precision, 6),
            "recall": round(c.recall, 6),
            "f1": round(c.f1, 6),
            "support": c.gold,
        }
        for label, c in counts.items()
    ]
