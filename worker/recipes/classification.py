"""Text classification: one label a text, several, or a point on a scale."""

import logging
from collections import Counter
from collections.abc import Sequence
from typing import Any, Self

import torch

from worker.engine.errors import DataError
from worker.engine.job import Item
from worker.engine.report import Report, multi_label_report, single_label_report
from worker.engine.scoring import Answer, Runner
from worker.engine.windows import Window, cut
from worker.recipes.base import (
    Encoded,
    Encoder,
    Evaluation,
    Prediction,
    Recipe,
    Splits,
    label_names,
)

log = logging.getLogger(__name__)
CHUNK = 1000


class Classification(Recipe):
    """A label set for each text, from the pooled output of the network."""

    name = "classification"
    family = "sequence"
    primary = "macro_f1"

    def __init__(self, schema: dict[str, Any], labels: list[str]) -> None:
        self.schema = schema
        self.labels = labels
        self.mode: str = schema.get("mode", "single")
        self._number = {label: i for i, label in enumerate(labels)}

    @classmethod
    def prepare(cls, schema: dict[str, Any], splits: Splits) -> Self:
        used = {
            split: Counter(label for item in items for label in item.annotation["labels"])
            for split, items in splits.items()
        }
        labels = label_names(schema, "labels", [name for names in used.values() for name in names])
        if len(labels) < 2 and schema.get("mode") != "multi":
            raise DataError(
                "There is only one label, so there is nothing to learn. Add a second label to the schema "
                "and label examples with it."
            )
        for label in labels:
            if not used["train"][label]:
                log.warning("No training example has the label %r: it cannot be learned.", label)
        return cls(schema, labels)

    @classmethod
    def restore(cls, schema: dict[str, Any], labels: list[str], state: dict[str, Any]) -> Self:
        return cls(schema, labels)

    @property
    def problem(self) -> str:
        kind = "multi" if self.mode == "multi" else "single"
        return f"{kind}_label_classification"

    def encode(self, items: Sequence[Item], encoder: Encoder) -> Encoded:
        encoded = self._windows([item.text for item in items], encoder)
        for window in encoded.windows:
            window.target = self._target(items[window.unit])
        return encoded

    def _target(self, item: Item) -> int | list[float]:
        chosen = item.annotation["labels"]
        if self.mode == "multi":
            return [float(label in chosen) for label in self.labels]
        if len(chosen) != 1:
            raise DataError(
                f"The text “{item.text[:60]}” has {len(chosen)} labels, but the project asks for exactly "
                "one. Mend its label and freeze a new version."
            )
        return self._number[chosen[0]]

    def _windows(self, texts: Sequence[str], encoder: Encoder) -> Encoded:
        encoded = Encoded(units=list(range(len(texts))))
        room = max(1, encoder.max_length - encoder.frame.size)
        for start in range(0, len(texts), CHUNK):
            ids = encoder.tokenizer(
                list(texts[start : start + CHUNK]),
                add_special_tokens=False,
                return_attention_mask=False,
                return_token_type_ids=False,
                truncation=False,
                verbose=False,
            )["input_ids"]
            for unit, pieces in enumerate(ids, start):
                places = cut(len(pieces), room)
                encoded.counts["windowed"] += len(places) > 1
                encoded.windows += [
                    Window(unit, *encoder.frame.wrap(pieces[a:b]), weight=1 / len(places))
                    for a, b in places
                ]
        return encoded

    def evaluate(
        self, items: Sequence[Item], encoded: Encoded, run: Runner, *, detailed: bool = False
    ) -> Evaluation:
        probabilities, loss = self._probabilities(encoded, run)
        report = self._report(items, probabilities)
        return Evaluation(report, loss, [self._prediction(row) for row in probabilities])

    def _report(self, items: Sequence[Item], probabilities: list[list[float]]) -> Report:
        if self.mode == "multi":
            gold_sets = [
                {self._number[label] for label in item.annotation["labels"]} for item in items
            ]
            found = [{i for i, p in enumerate(row) if p >= 0.5} for row in probabilities]
            return multi_label_report(gold_sets, found, self.labels)
        gold = [self._number[item.annotation["labels"][0]] for item in items]
        best = [max(range(len(row)), key=row.__getitem__) for row in probabilities]
        return single_label_report(gold, best, self.labels, ordinal=self.mode == "ordinal")

    def predict(self, items: Sequence[Item], encoder: Encoder, run: Runner) -> list[Prediction]:
        encoded = self._windows([item.text for item in items], encoder)
        probabilities, _ = self._probabilities(encoded, run)
        return [self._prediction(row) for row in probabilities]

    def _prediction(self, row: list[float]) -> Prediction:
        if self.mode == "multi":
            chosen = [label for label, p in zip(self.labels, row, strict=True) if p >= 0.5]
            sure = min(max(p, 1 - p) for p in row)
        else:
            best = max(range(len(row)), key=row.__getitem__)
            chosen, sure = [self.labels[best]], row[best]
        scores = {label: round(p, 6) for label, p in zip(self.labels, row, strict=True)}
        return Prediction(
            {"labels": sorted(chosen)}, {"confidence": round(sure, 6), "labels": scores}
        )

    def _probabilities(
        self, encoded: Encoded, run: Runner
    ) -> tuple[list[list[float]], float | None]:
        rows: list[list[float]] = [[] for _ in encoded.units]

        def finish(answers: list[Answer]) -> None:
            if not answers:
                return
            logits = torch.stack([answer.logits for answer in answers])
            chances = logits.sigmoid() if self.mode == "multi" else logits.softmax(-1)
            for answer, row in zip(answers, chances.tolist(), strict=True):
                rows[answer.unit] = row

        loss = run(encoded.windows, finish)
        return rows, loss
