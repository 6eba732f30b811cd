"""Semantic roles with one token classifier that reads two kinds of input.

A sentence alone is tagged with its predicates (B-V:01 carries the sense number); a sentence with one predicate
marked is tagged with that predicate's arguments. The mark is a second segment with the predicate's words, and
the predicate has the second segment's id in the sentence too (after Shi and Lin, 2019, and AllenNLP's SRL-BERT);
a model without segment ids gets separators around the predicate instead.
"""

import logging
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple, Self

from app.evaluation.metrics import Counts, span_counts, total
from app.i18n import mark
from worker.engine.alignment import Pieces, align
from worker.engine.crf import CRF
from worker.engine.errors import DataError
from worker.engine.job import Item
from worker.engine.report import span_report
from worker.engine.scoring import Answer, Runner
from worker.engine.windows import Window
from worker.recipes.base import (
    Encoded,
    Encoder,
    Evaluation,
    Prediction,
    Recipe,
    Splits,
    label_names,
)
from worker.recipes.rolesets import Rolesets, sense_number
from worker.recipes.tagging import (
    OUTSIDE,
    Found,
    TagSet,
    decode,
    ignore_cut_spans,
    spans_of,
    tag_windows,
    tag_words,
    words_in,
)

log = logging.getLogger(__name__)
LONGEST_MARK = 16
"""Pieces of the predicate that are repeated in the second segment."""
PREDICATE = "V"
SCHEME = mark(
    "Arguments: predicate, role and exact text offsets must all be right, with gold predicates given; "
    "continuations (C-) and references (R-) are roles of their own, the predicate itself is not counted. "
    "Predicates: exact text offsets, found by the model. Senses: the roleset at gold predicates."
)


class Unit(NamedTuple):
    """A sentence (predicate is None), or a sentence with one of its predicates marked."""

    item: int
    predicate: tuple[int, int] | None


class Srl(Recipe):
    """Predicates with senses, and their arguments."""

    name = "srl"
    family = "token"
    primary = "argument_f1"

    def __init__(self, schema: dict[str, Any], labels: list[str], rolesets: Rolesets) -> None:
        self.schema = schema
        self.labels = labels
        self.rolesets = rolesets
        self.tags = TagSet(labels, [_type(tag) for tag in labels])
        own = {tag for tag in labels if _type(tag) == PREDICATE}
        self._predicate_tags = self.tags.allowed([t in own or t == OUTSIDE for t in labels])
        self._role_tags = self.tags.allowed([t not in own for t in labels])
        self._opening_tags = self.tags.allowed([t in own and t[0] == "B" for t in labels])
        self.roles = list(dict.fromkeys(k for k in self.tags.types if k and k != PREDICATE))

    @classmethod
    def prepare(cls, schema: dict[str, Any], splits: Splits) -> Self:
        train = [(i.text, p) for i in splits["train"] for p in i.annotation["predicates"]]
        if not train:
            raise DataError(
                "No training example has a predicate, so there is nothing to learn. Label some and "
                "freeze a new version."
            )
        seen = {split: _roles(items) for split, items in splits.items()}
        for role in sorted(set(seen["validation"]) | set(seen["test"])):
            if role not in seen["train"]:
                log.warning("No training example has the role %r: it cannot be learned.", role)
        roles = label_names(schema, "roles", list(seen["train"]))
        numbers = sorted({n for _, p in train if (n := sense_number(p.get("sense"))) is not None})
        labels = [OUTSIDE, f"B-{PREDICATE}", f"I-{PREDICATE}"]
        labels += [f"B-{PREDICATE}:{number}" for number in numbers]
        labels += [f"{b}-{role}" for role in roles if role != PREDICATE for b in "BI"]
        uses = [(text[p["start"] : p["end"]], p["sense"]) for text, p in train if p.get("sense")]
        return cls(schema, labels, Rolesets.learn(uses))

    @classmethod
    def restore(cls, schema: dict[str, Any], labels: list[str], state: dict[str, Any]) -> Self:
        return cls(schema, labels, Rolesets(state["lemmas"], state["seen"]))

    def state(self) -> dict[str, Any]:
        return self.rolesets.as_json()

    def crf(self) -> CRF:
        return CRF(self.tags.constraints)

    # -- encoding ---------------------------------------------------------------------------------

    def encode(self, items: Sequence[Item], encoder: Encoder) -> Encoded:
        encoded = Encoded()
        rows = align(encoder.tokenizer, [i.text for i in items], [i.tokens for i in items])
        aside: Counter[str] = Counter()
        for number, (item, pieces) in enumerate(zip(items, rows, strict=True)):
            predicates = item.annotation["predicates"]
            spans = [(p["start"], p["end"], PREDICATE) for p in predicates]
            opening = {self._first_word(item, p): p.get("sense") for p in predicates}
            (tagged,) = tag_words(item.tokens, pieces, spans, aside)
            windows = self._sentence(
                len(encoded.units),
                pieces,
                encoder,
                {word: self._predicate_tag(tag, opening.get(word)) for word, tag in tagged.items()},
            )
            encoded.counts["windowed"] += len(windows) > 1
            self._add(encoded, Unit(number, None), windows)
            for p in predicates:
                place = (p["start"], p["end"])
                roles = [(a["start"], a["end"], a["role"]) for a in p["arguments"]]
                roles = [r for r in roles if f"B-{r[2]}" in self.tags.number]
                (tagged,) = tag_words(item.tokens, pieces, roles, encoded.counts)
                targets = {word: self.tags.number[tag] for word, tag in tagged.items()}
                windows = self._marked(len(encoded.units), item, pieces, place, encoder, targets)
                self._add(encoded, Unit(number, place), windows)
        encoded.counts["unaligned"] += aside["unaligned"]
        return encoded

    def _add(self, encoded: Encoded, unit: Unit, windows: list[Window]) -> None:
        ignore_cut_spans(windows, self.tags)
        encoded.units.append(unit)
        encoded.windows += windows

    def _predicate_tag(self, tag: str, sense: str | None) -> int:
        number = sense_number(sense) if tag.startswith("B-") else None
        return self.tags.number.get(f"{tag}:{number}", self.tags.number[tag])

    def _first_word(self, item: Item, predicate: dict[str, Any]) -> int:
        words = words_in(item.tokens, predicate["start"], predicate["end"])
        return words[0] if words else -1

    def _sentence(
        self, unit: int, pieces: Pieces, encoder: Encoder, targets: dict[int, int] | None
    ) -> list[Window]:
        return tag_windows(unit, pieces, encoder, targets=targets, outside=0)

    def _marked(
        self,
        unit: int,
        item: Item,
        pieces: Pieces,
        place: tuple[int, int],
        encoder: Encoder,
        targets: dict[int, int] | None,
    ) -> list[Window]:
        """The windows of a sentence with the predicate at `place` marked."""
        words = frozenset(words_in(item.tokens, *place))
        own = [i for i, word in enumerate(pieces.words) if word in words]
        second = [pieces.ids[i] for i in own][:LONGEST_MARK]
        if not encoder.two_segments and own:
            pieces = _bracketed(pieces, own[0], own[-1] + 1, encoder.frame.between)
        return tag_windows(
            unit,
            pieces,
            encoder,
            targets=targets,
            outside=0,
            second=second,
            marked=words if encoder.two_segments else frozenset(),
        )

    # -- scoring ----------------------------------------------------------------------------------

    def evaluate(
        self, items: Sequence[Item], encoded: Encoded, run: Runner, *, detailed: bool = False
    ) -> Evaluation:
        units: list[Unit] = encoded.units
        found: list[list[Found]] = [[] for _ in items]
        openings: list[dict[int, str]] = [{} for _ in items]
        arguments: dict[Unit, list[Found]] = {}
        sure = [1.0] * len(items)

        def finish(answers: list[Answer]) -> None:
            plain = [a for a in answers if units[a.unit].predicate is None]
            marked = [a for a in answers if units[a.unit].predicate is not None]
            for answer, spans, _ in self._decode(plain, run, items, units):
                found[units[answer.unit].item] = spans
            for answer in plain:
                best = (answer.logits + self._opening_tags.to(answer.logits.device)).argmax(-1)
                tags = [self.labels[i] for i in best.tolist()]
                openings[units[answer.unit].item] = dict(zip(answer.words, tags, strict=True))
            decoded = self._decode(marked, run, items, units, with_scores=detailed)
            for answer, spans, least in decoded:
                unit = units[answer.unit]
                arguments[unit] = spans
                sure[unit.item] = min(sure[unit.item], least)

        loss = run(encoded.windows, finish)
        gold_arguments, predicted_arguments = [], []
        for i, item in enumerate(items):
            gold, predicted = [], []
            for p in item.annotation["predicates"]:
                place = (p["start"], p["end"])
                gold += [((place, a["start"], a["end"]), a["role"]) for a in p["arguments"]]
                predicted += [
                    ((place, f.start, f.end), f.tag[2:]) for f in arguments.get(Unit(i, place), [])
                ]
            gold_arguments.append(gold)
            predicted_arguments.append(predicted)
        report = span_report(
            gold_arguments, predicted_arguments, self.roles, examples=len(items), scheme=SCHEME
        )
        report.scores.update(self._rename(report.scores))
        for name in ("f1", "precision", "recall", "macro_f1"):
            report.scores.pop(name)
        report.scores.update(self._predicate_scores(items, found))
        report.scores.update(self._sense_scores(items, openings))
        predictions = [
            self._of_gold_predicates(item, openings[i], arguments, i, sure[i])
            for i, item in enumerate(items)
        ]
        return Evaluation(report, loss, predictions)

    def _of_gold_predicates(
        self,
        item: Item,
        openings: dict[int, str],
        arguments: dict[Unit, list[Found]],
        number: int,
        sure: float,
    ) -> Prediction:
        """What was predicted for the predicates of gold: their senses and arguments."""
        predicates = [
            Found(p["start"], p["end"], openings.get(first, ""), (first, first), 1.0)
            for p in item.annotation["predicates"]
            for first in [self._first_word(item, p)]
        ]
        rows = [arguments.get(Unit(number, (p.start, p.end)), []) for p in predicates]
        return self._prediction(item, predicates, rows, sure)

    @staticmethod
    def _rename(scores: dict[str, float]) -> dict[str, float]:
        return {f"argument_{name}": value for name, value in scores.items()}

    def _predicate_scores(
        self, items: Sequence[Item], found: Sequence[Sequence[Found]]
    ) -> dict[str, float]:
        gold = [
            [((p["start"], p["end"]), PREDICATE) for p in i.annotation["predicates"]] for i in items
        ]
        predicted = [[((f.start, f.end), PREDICATE) for f in row] for row in found]
        counts = total(span_counts(gold, predicted).values())
        return {
            "predicate_f1": counts.f1,
            "predicate_precision": counts.precision,
            "predicate_recall": counts.recall,
        }

    def _sense_scores(
        self, items: Sequence[Item], openings: Sequence[dict[int, str]]
    ) -> dict[str, float]:
        right = there = 0
        for item, tags in zip(items, openings, strict=True):
            for p in item.annotation["predicates"]:
                if not p.get("sense"):
                    continue
                there += 1
                tag = tags.get(self._first_word(item, p), "")
                right += self._sense(item.text[p["start"] : p["end"]], tag) == p["sense"]
        return {"sense_accuracy": Counts(right, there, there).recall} if there else {}

    # -- prediction -------------------------------------------------------------------------------

    def predict(self, items: Sequence[Item], encoder: Encoder, run: Runner) -> list[Prediction]:
        rows = align(encoder.tokenizer, [i.text for i in items], [i.tokens for i in items])
        units = [Unit(i, None) for i in range(len(items))]
        windows = [
            w for i, pieces in enumerate(rows) for w in self._sentence(i, pieces, encoder, None)
        ]
        predicates: list[list[Found]] = [[] for _ in items]
        sure = [1.0] * len(items)

        def take_predicates(answers: list[Answer]) -> None:
            for answer, spans, least in self._decode(answers, run, items, units, with_scores=True):
                predicates[answer.unit] = spans
                sure[answer.unit] = least

        run(windows, take_predicates)

        marked = [Unit(i, (f.start, f.end)) for i, row in enumerate(predicates) for f in row]
        windows = [
            w
            for unit, (i, place) in enumerate(marked)
            if place is not None
            for w in self._marked(unit, items[i], rows[i], place, encoder, None)
        ]
        arguments: dict[Unit, list[Found]] = {}

        def take_arguments(answers: list[Answer]) -> None:
            for answer, spans, least in self._decode(answers, run, items, marked, with_scores=True):
                unit = marked[answer.unit]
                arguments[unit] = spans
                sure[unit.item] = min(sure[unit.item], least)

        run(windows, take_arguments)
        return [
            self._prediction(
                item, row, [arguments.get(Unit(i, (f.start, f.end)), []) for f in row], sure[i]
            )
            for i, (item, row) in enumerate(zip(items, predicates, strict=True))
        ]

    def _prediction(
        self, item: Item, predicates: list[Found], arguments: list[list[Found]], sure: float
    ) -> Prediction:
        pairs = list(zip(predicates, arguments, strict=True))
        payload = [
            {
                "start": p.start,
                "end": p.end,
                "sense": self._sense(item.text[p.start : p.end], p.tag),
                "arguments": [{"start": a.start, "end": a.end, "role": a.tag[2:]} for a in row],
            }
            for p, row in pairs
        ]
        scores = [
            {"score": round(p.score, 6), "arguments": [round(a.score, 6) for a in row]}
            for p, row in pairs
        ]
        return Prediction(
            {"predicates": payload}, {"confidence": round(sure, 6), "predicates": scores}
        )

    def _decode(
        self,
        answers: Sequence[Answer],
        run: Runner,
        items: Sequence[Item],
        units: Sequence[Unit],
        *,
        with_scores: bool = False,
    ) -> list[tuple[Answer, list[Found], float]]:
        """The spans of answers that are all of one kind (predicates, or arguments), and the least probability
        of any word's tag."""
        if not answers:
            return []
        plain = units[answers[0].unit].predicate is None
        allowed = self._predicate_tags if plain else self._role_tags
        decoded = decode(answers, run.model, self.tags, allowed=allowed, with_scores=with_scores)
        return [
            (
                a,
                spans_of(a.words, path, chances, self.tags, items[units[a.unit].item].tokens),
                min(chances),
            )
            for a, (path, chances) in zip(answers, decoded, strict=True)
        ]

    def _sense(self, surface: str, tag: str) -> str | None:
        return self.rolesets.sense(surface, tag.partition(":")[2] or None)


def _type(tag: str) -> str:
    """V for every predicate tag, whatever its sense; else the role."""
    kind = tag[2:]
    return PREDICATE if kind.partition(":")[0] == PREDICATE else kind


def _roles(items: Sequence[Item]) -> Counter[str]:
    return Counter(
        a["role"] for i in items for p in i.annotation["predicates"] for a in p["arguments"]
    )


def _bracketed(pieces: Pieces, start: int, end: int, mark: list[int]) -> Pieces:
    """Pieces with the special tokens `mark` before `start` and before `end`."""
    none = [-1] * len(mark)
    ids, words = pieces.ids, pieces.words
    return Pieces(
        ids[:start] + mark + ids[start:end] + mark + ids[end:],
        words[:start] + none + words[start:end] + none + words[end:],
    )
