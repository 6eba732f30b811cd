"""Labelled spans (named entities): BIO tags of word tokens, scored as exact text offsets.

Spans that lie inside or across one another stand in layers: a span is in the first layer where it touches no
other, outer ones first. The network has the tags of every layer as outputs, each layer is decoded by itself,
and what all layers say is predicted. Flat spans are one layer.
"""

import logging
from collections import Counter
from collections.abc import Sequence
from typing import Any, Self

from app.i18n import mark
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
    Span,
    TagSet,
    decode,
    ignore_cut_spans,
    layers_of,
    spans_of,
    tag_windows,
    tag_words,
)

log = logging.getLogger(__name__)


MOST_LAYERS = 4
"""Deeper nesting is rare in any language, and each layer needs examples to be learned."""


class Spans(Recipe):
    """Layers of spans. The first layer's tags are named as they are, the second's begin with `2:`, …"""

    name = "spans"
    family = "token"
    primary = "f1"
    cased = True

    def __init__(self, schema: dict[str, Any], labels: list[str], *, layers: int = 1) -> None:
        self.schema = schema
        self.labels = labels
        self.layers = layers
        self.tags = TagSet(labels[: len(labels) // layers])
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
        tags = [OUTSIDE, *(f"{b}-{kind}" for kind in types for b in "BI")]
        layers = 1 if schema.get("mode", "flat") == "flat" else _layers_in(splits["train"])
        if layers > 1:
            log.info("Spans lie in one another: the model learns %d layers of them.", layers)
        below = [f"{layer}:{tag}" for layer in range(2, layers + 1) for tag in tags]
        return cls(schema, tags + below, layers=layers)

    @classmethod
    def restore(cls, schema: dict[str, Any], labels: list[str], state: dict[str, Any]) -> Self:
        return cls(schema, labels, layers=state.get("layers", 1))

    def state(self) -> dict[str, Any]:
        return {"layers": self.layers} if self.layers > 1 else {}

    def crf(self) -> CRF:
        return CRF(self.tags.constraints)

    def encode(self, items: Sequence[Item], encoder: Encoder) -> Encoded:
        encoded = Encoded(units=list(range(len(items))))
        rows = align(encoder.tokenizer, [i.text for i in items], [i.tokens for i in items])
        for unit, (item, pieces) in enumerate(zip(items, rows, strict=True)):
            tagged = tag_words(
                item.tokens, pieces, _spans(item), encoded.counts, layers=self.layers
            )
            targets, *inner = (
                {word: self.tags.number[tag] for word, tag in layer.items()} for layer in tagged
            )
            windows = tag_windows(unit, pieces, encoder, targets=targets, outside=0, inner=inner)
            ignore_cut_spans(windows, self.tags)
            encoded.counts["windowed"] += len(windows) > 1
            encoded.windows += windows
        return encoded

    def evaluate(
        self, items: Sequence[Item], encoded: Encoded, run: Runner, *, detailed: bool = False
    ) -> Evaluation:
        gold = [[((s, e), label) for s, e, label in _spans(item)] for item in items]
        sure = [1.0] * len(items)
        found, loss = self._find(items, encoded, run, with_scores=detailed, sure=sure)
        predicted = [[((f.start, f.end), f.tag[2:]) for f in row] for row in found]
        report = span_report(
            gold,
            predicted,
            self.types,
            examples=len(items),
            scheme=_scheme(encoded.counts, self.layers),
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
            rows = [part for answer in answers for part in self._by_layer(answer)]
            decoded = decode(rows, run.model, self.tags, with_scores=with_scores)
            for answer, (path, chances) in zip(rows, decoded, strict=True):
                unit, tokens = answer.unit, items[answer.unit].tokens
                spans = spans_of(answer.words, path, chances, self.tags, tokens)
                found[unit] += self._fitting(found[unit], spans)
                sure[unit] = min(sure[unit], *chances)

        loss = run(encoded.windows, finish)
        if self.layers > 1:
            for spans in found:
                spans.sort(key=lambda f: (f.start, -f.end, f.tag))
        return found, loss

    def _by_layer(self, answer: Answer) -> list[Answer]:
        """One answer a layer, the outermost first."""
        parts = answer.logits.chunk(self.layers, dim=1)
        return [Answer(answer.unit, answer.words, logits) for logits in parts]

    def _fitting(self, outer: Sequence[Found], spans: Sequence[Found]) -> list[Found]:
        """The spans of a layer that may stand beside those of the layers above: layers are decoded apart,
        and the schema may not let spans cross, or have the same place twice."""
        if self.schema.get("mode") == "overlapping":
            return [s for s in spans if all((s.words, s.tag) != (o.words, o.tag) for o in outer)]
        return [s for s in spans if all(_apart_or_nested(s.words, o.words) for o in outer)]


def _predictions(found: list[list[Found]], sure: list[float]) -> list[Prediction]:
    return [
        Prediction(
            {"spans": [{"start": f.start, "end": f.end, "label": f.tag[2:]} for f in row]},
            {"confidence": round(least, 6), "spans": [round(f.score, 6) for f in row]},
        )
        for row, least in zip(found, sure, strict=True)
    ]


def _spans(item: Item) -> list[Span]:
    """An item's gold spans."""
    return [(s["start"], s["end"], s["label"]) for s in item.annotation["spans"]]


def _layers_in(items: Sequence[Item]) -> int:
    """How many layers the spans of some items fill, MOST_LAYERS at most."""
    deepest = max(
        (layer for item in items for _, _, layer in layers_of(item.tokens, _spans(item))), default=0
    )
    return min(1 + deepest, MOST_LAYERS)


def _apart_or_nested(a: tuple[int, int], b: tuple[int, int]) -> bool:
    """Whether two stretches of words share none, or one lies in the other and is shorter."""
    (a_start, a_end), (b_start, b_end) = a, b
    is_apart = a_end <= b_start or b_end <= a_start
    is_nested = (a_start <= b_start and b_end <= a_end) or (b_start <= a_start and a_end <= b_end)
    return is_apart or (is_nested and a != b)


def _scheme(counts: Counter[str], layers: int) -> str:
    """How the spans were scored, with what the model could not have found."""
    words = mark(
        "A span counts when its text offsets and its label are exactly those of gold (equal to seqeval, "
        "strict, IOB2). Every gold span is counted."
    )
    if layers > 1:
        words += f" The model has {layers} layers of spans, and finds the spans of all."
    if counts["nested"]:
        learns = "the outermost layer" if layers == 1 else f"{layers} layers"
        words += (
            f" The model learns {learns}: {counts['nested']} of {counts['spans']} gold spans lie deeper "
            "inside or across others and cannot be found."
        )
    if counts["unaligned"]:
        words += (
            f" {counts['unaligned']} of {counts['spans']} gold spans do not fall on word tokens and cannot "
            "be found exactly."
        )
    return words
