"""Named entities: labelled spans of a text, flat, nested or overlapping."""

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from app.errors import InvalidInput, Problem
from app.evaluation.spans import Place
from app.i18n import gettext as _
from app.i18n import mark
from app.tasks.base import MAX_LABELS, Json, Label, TaskType, TextInputs, check_labels, new_labels
from app.tasks.quotes import locate, quote, read_json_object, write_json
from app.tasks.spans import blank, is_blank, trimmed
from app.training import FineTuneParams


class NerSchema(BaseModel):
    """The entity types, and how spans may lie: flat (apart), nested (inside one another), overlapping (any)."""

    model_config = ConfigDict(extra="forbid")

    mode: Literal["flat", "nested", "overlapping"] = "flat"
    labels: list[Label] = Field(default_factory=list, max_length=MAX_LABELS)

    _distinct = field_validator("labels")(check_labels)


class Span(BaseModel):
    """Code points [start, end) of the text, with a label."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    start: int = Field(ge=0)
    end: int = Field(gt=0)
    label: str = Field(min_length=1, max_length=100)


class NerPayload(BaseModel):
    """The entities of one text."""

    model_config = ConfigDict(extra="forbid")

    spans: list[Span] = Field(max_length=100_000)


class Ner(TaskType[NerSchema, NerPayload]):
    """Named entity recognition, and any other span labelling."""

    name = "ner"
    title = mark("Named entities")
    summary = mark("Mark spans of the text and say what each one is: people, places, products, …")
    label_word = mark("entity type")
    schema_type = NerSchema
    payload_type = NerPayload
    recipe = "spans"
    pipeline = "token-classification"
    heads = ("softmax", "crf")
    training_defaults = FineTuneParams(epochs=5, batch_size=16, learning_rate=2e-4)
    primary_metric = "f1"
    counted_scores = {  # noqa: RUF012
        "f1": "f1",
        "precision": "precision",
        "recall": "recall",
        "macro_f1": "macro_f1",
    }
    export_formats = (
        "jsonl",
        "csv",
        "parquet",
        "huggingface",
        "conll2003",
        "conll_iob1",
        "conll_bioes",
        "conll_bmes",
        "conll_bilou",
        "conll_io",
        "conllu",
        "conll2012",
        "webanno",
        "brat",
        "docbin",
        "label_studio",
        "doccano",
        "doccano_relations",
        "messages",
        "alpaca",
        "sharegpt",
        "trl",
        "trl_chat",
    )
    instructions = {  # noqa: RUF012
        "en": (
            "Find the named entities in the text. Entity types: {labels}. Answer with JSON: "
            '{"entities": [{"text": the exact words, "label": the type}]}, in the order of the text; add '
            '"occurrence": n when the same words stand earlier in the text too.'
        ),
        "zh": (
            "找出文本中的命名实体。实体类型：{labels}。用 JSON 回答："
            '{"entities": [{"text": 原文, "label": 类型}]}，按原文顺序；同样的词在前面已出现过时，'
            '用 "occurrence": n 注明是第几次出现。'
        ),
    }

    def default_schema(self, language: str) -> NerSchema:
        titles = {"zh": ("人名", "机构", "地点", "其他")}.get(
            language, ("Person", "Organisation", "Location", "Other")
        )
        labels = new_labels(["PER", "ORG", "LOC", "MISC"])
        return NerSchema(
            labels=[
                label.model_copy(update={"title": t})
                for label, t in zip(labels, titles, strict=True)
            ]
        )

    def labels(self, schema: NerSchema) -> list[Label]:
        return schema.labels

    def with_labels(self, schema: NerSchema, labels: list[Label]) -> NerSchema:
        return NerSchema(mode=schema.mode, labels=labels)

    def label_names(self, payload: NerPayload) -> Iterator[str]:
        for span in payload.spans:
            yield span.label

    def check(self, payload: NerPayload, inputs: TextInputs, schema: NerSchema) -> list[Problem]:
        known = {label.name for label in schema.labels}
        problems = []
        for number, span in enumerate(payload.spans, 1):
            where = f"spans[{number}]"
            if not span.start < span.end <= len(inputs.text):
                problems.append(
                    Problem(
                        where,
                        _(
                            "Span %(start)s to %(end)s does not lie in the text, which has %(n)s characters.",
                            start=span.start,
                            end=span.end,
                            n=len(inputs.text),
                        ),
                    )
                )
            elif is_blank(inputs.text, span.start, span.end):
                problems.append(Problem(where, blank(span.start, span.end)))
            if span.label not in known:
                problems.append(
                    Problem(
                        where, _("This project has no entity type “%(label)s”.", label=span.label)
                    )
                )
        return problems or _check_layout(payload.spans, inputs.text, schema.mode)

    def canonical(self, payload: NerPayload) -> NerPayload:
        if all(_order(a) < _order(b) for a, b in pairwise(payload.spans)):
            return payload
        return NerPayload(spans=sorted(set(payload.spans), key=_order))

    def map_labels(self, payload: NerPayload, becomes: Callable[[str], str]) -> NerPayload:
        return NerPayload(
            spans=[s.model_copy(update={"label": becomes(s.label)}) for s in payload.spans]
        )

    def trim(self, payload: NerPayload, inputs: TextInputs) -> NerPayload:
        places = [trimmed(inputs.text, span.start, span.end) for span in payload.spans]
        if places == [(span.start, span.end) for span in payload.spans]:
            return payload
        return NerPayload(
            spans=[
                Span(start=start, end=end, label=span.label)
                for span, (start, end) in zip(payload.spans, places, strict=True)
            ]
        )

    def brief(self, payload: NerPayload, inputs: TextInputs) -> str:
        return " · ".join(f"{inputs.text[s.start : s.end]} {s.label}" for s in payload.spans) or "—"

    def agreement(self, a: NerPayload, b: NerPayload) -> float:
        """F1 of exactly equal spans."""
        total = len(a.spans) + len(b.spans)
        return 2 * len(set(a.spans) & set(b.spans)) / total if total else 1.0

    def places(self, payload: Json) -> list[tuple[Place, str]]:
        return [((s["start"], s["end"]), s["label"]) for s in payload["spans"]]

    def answer(self, payload: Json, text: str) -> str:
        return write_json(
            {
                "entities": [
                    {**quote(text, span["start"], span["end"]), "label": span["label"]}
                    for span in payload["spans"]
                ]
            }
        )

    def parse_answer(self, answer: str, inputs: TextInputs) -> NerPayload:
        spans = []
        for item in read_json_object(answer, "entities"):
            start, end = locate(inputs.text, item)
            if not isinstance(item.get("label"), str):
                raise InvalidInput.at("answer", _("Each entity of the answer needs a “label”."))
            spans.append(Span(start=start, end=end, label=item["label"]))
        return self.canonical(NerPayload(spans=spans))


def _order(span: Span) -> tuple[int, int, str]:
    """By start, the longer one first, so an outer span comes before what it holds."""
    return span.start, -span.end, span.label


def _check_layout(spans: list[Span], text: str, mode: str) -> list[Problem]:
    """Flat spans lie apart; nested ones lie apart or inside one another; neither has the same place twice."""
    if mode == "overlapping":
        return []
    problems = []
    open_spans: list[Span] = []
    for before, span in pairwise([*spans, None]):
        if before is None or span is None:
            break
        open_spans = [s for s in [*open_spans, before] if s.end > span.start]
        crossed = [
            s
            for s in open_spans
            if mode == "flat" or s.end < span.end or (s.start, s.end) == (span.start, span.end)
        ]
        if crossed:
            message = (
                _(
                    "“%(a)s” and “%(b)s” overlap, and this project keeps entities apart.",
                    **_named(crossed[0], span, text),
                )
                if mode == "flat"
                else _(
                    "“%(a)s” and “%(b)s” cross: one must lie wholly inside the other.",
                    **_named(crossed[0], span, text),
                )
            )
            problems.append(Problem(f"spans[{span.start}:{span.end}]", message))
    return problems


def _named(a: Span, b: Span, text: str) -> dict[str, str]:
    return {"a": text[a.start : a.end], "b": text[b.start : b.end]}
