"""Labelled spans (named entities): BIO tags of word tokens, scored as exact text offsets."""

import logging
from collections import Counter
from collections.abc import Sequence
from typing import Any, Self

from worker.engine.alignment import align
from worker.engine.crf import CRF
from worker.engine.errors import DataError
from worker.engine.job import Item
from worker.engine.report import span_report
from worker.engine.scoring import Answer, Runner
from worker.recipes.base import (
    Encoded,
    Encoder,
    Evaluation,
    Prediction,
    Recipe,
    Splits,
    label_names,
)
from worker.recipes.tagging import (
    OUTSIDE,
    Found,
    TagSet,
    decode,
    ignore_cut_spans,
    spans_of,
    tag_windows,
    tag_words,
)

log = logging.getLogger(__name__)


class Spans(Recipe):
    """One layer of spans; of nested ones the outermost is learned, and all are scored."""

    name = "spans"
    family = "token"
    primary = "f1"
    cased = True

    def __init__(self, schema: dict[str, Any], labels: list[str]) -> None:
        self.schema = schema
        self.labels = labels
        self.tags = TagSet(labels)
        self.types = list(dict.fromkeys(kind for kind in self.tags.types if kind))

    @classmethod
    def prepare(cls, schema: dict[str, Any], splits: Splits) -> Self:
        used = {
            split: Counter(span["label"] for item in items for span in item.annotation["spans"])
            for split, items in splits.items()
        }
        types = label_names(schema, "labels", [name for names in used.values() for name in names])
        if not used["train"]:
            raise DataError(
                "No training example has a span, so there is nothing to learn. Label some and freeze a "
                "new version."
            )
        for kind in types:
            if not used["train"][kind]:
                log.warning("No training example has the label %r: it cannot be learned.", kind)
        return cls(schema, [OUTSIDE, *(f"{b}-{kind}" for kind in types for b in "BI")])

    @classmethod
    def restore(cls, schema: dict[str, Any], labels: list[str], state: dict[str, Any]) -> Self:
        return cls(schema, labels)

    def crf(self) -> CRF:
        return CRF(self.tags.constraints)

    def encode(self, items: Sequence[Item], encoder: Encoder) -> Encoded:
        encoded = Encoded(units=list(range(len(items))))
        rows = align(encoder.tokenizer, [i.text for i in items], [i.tokens for i in items])
        for unit, (item, pieces) in enumerate(zip(items, rows, strict=True)):
            spans = [(s["start"], s["end"], s["label"]) for s in item.annotation["spans"]]
            tagged = tag_words(item.tokens, pieces, spans, encoded.counts)
            targets = {word: self.tags.number[tag] for word, tag in tagged.items()}
            windows = tag_windows(unit, pieces, encoder, targets=targets, outside=0)
            ignore_cut_spans(windows, self.tags)
            encoded.counts["windowed"] += len(windows) > 1
            encoded.windows += windows
        return encoded

    def evaluate(
        self, items: Sequence[Item], encoded: Encoded, run: Runner, *, detailed: bool = False
    ) -> Evaluation:
        gold = [
            [((s["start"], s["end"]), s["label"]) for s in item.annotation["spans"]]
            for item in items
        ]
        sure = [1.0] * len(items)
        found, loss = self._find(items, encoded, run, with_scores=detailed, sure=sure)
        predicted = [[((f.start, f.end), f.tag[2:]) for f in row] for row in found]
        report = span_report(
            gold, predicted, self.types, examples=len(items), scheme=_scheme(encoded.counts)
        )
        return Evaluation(report, loss, _predictions(found, sure))

    def predict(self, items: Sequence[Item], encoder: Encoder, run: Runner) -> list[Prediction]:
        encoded = Encoded(units=list(range(len(items))))
        rows = align(encoder.tokenizer, [i.text for i in items], [i.tokens for i in items])
        for unit, pieces in enumerate(rows):
            encoded.windows += tag_windows(unit, pieces, encoder, targets=None, outside=0)
        sure: list[float] = [1.0] * len(items)
        found, _ = self._find(items, encoded, run, with_scores=True, sure=sure)
        return _predictions(found, sure)

    def _find(
        self,
        items: Sequence[Item],
        encoded: Encoded,
        run: Runner,
        *,
        with_scores: bool,
        sure: list[float],
    ) -> tuple[list[list[Found]], float | None]:
        """The spans of each item and the loss; `sure` takes the least probability of any word's tag."""
        found: list[list[Found]] = [[] for _ in items]

        def finish(answers: list[Answer]) -> None:
            decoded = decode(answers, run.model, self.tags, with_scores=with_scores)
            for answer, (path, chances) in zip(answers, decoded, strict=True):
                tokens = items[answer.unit].tokens
                found[answer.unit] = spans_of(answer.words, path, chances, self.tags, tokens)
                sure[answer.unit] = min(chances)

        loss = run(encoded.windows, finish)
        return found, loss


def _predictions(found: list[list[Found]], sure: list[float]) -> list[Prediction]:
    return [
        Prediction(
            {"spans": [{"start": f.start, "end": f.end, "label": f.tag[2:]} for f in row]},
            {"confidence": round(least, 6), "spans": [round(f.score, 6) for f in row]},
        )
        for row, least in zip(found, sure, strict=True)
    ]


def _scheme(counts: Counter[str]) -> str:
    """How the spans were scored, with what the model could not have found."""
    words = (
        "A span counts when its text offsets and its label are exactly those of gold (equal to seqeval, "
        "strict, IOB2). Every gold span is counted."
    )
    if counts["nested"]:
        words += (
            f" The model learns the outermost layer: {counts['nested']} of {counts['spans']} gold spans lie "
            "inside or across another one and cannot be found."
        )
    if counts["unaligned"]:
        words += (
            f" {counts['unaligned']} of {counts['spans']} gold spans do not fall on word tokens and cannot "
            "be found exactly."
        )
    return words
