"""Sentiment, and any other classification of a text: one label, several, or a point on a scale."""

from collections.abc import Callable, Iterator
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from app.errors import InvalidInput, Problem
from app.evaluation.spans import Place
from app.i18n import gettext as _
from app.i18n import mark
from app.tasks.base import MAX_LABELS, Json, Label, TaskType, TextInputs, check_labels
from app.training import FineTuneParams


class SentimentSchema(BaseModel):
    """The classes; `ordinal` means that their order is a scale, lowest first."""

    model_config = ConfigDict(extra="forbid")

    mode: Literal["single", "multi", "ordinal"] = "single"
    labels: list[Label] = Field(default_factory=list, max_length=MAX_LABELS)

    _distinct = field_validator("labels")(check_labels)


class SentimentPayload(BaseModel):
    """The chosen labels: exactly one, or any number where the mode is multi."""

    model_config = ConfigDict(extra="forbid")

    labels: list[str] = Field(max_length=1000)


class Sentiment(TaskType[SentimentSchema, SentimentPayload]):
    """Text classification."""

    name = "sentiment"
    title = mark("Sentiment")
    summary = mark("Give each text a label: positive or negative, a topic, a point on a scale.")
    label_word = mark("label")
    schema_type = SentimentSchema
    payload_type = SentimentPayload
    recipe = "classification"
    pipeline = "text-classification"
    training_defaults = FineTuneParams(epochs=3, batch_size=32, learning_rate=1e-4)
    primary_metric = "macro_f1"
    counted_scores = {"accuracy": "accuracy", "macro_f1": "macro_f1", "micro_f1": "f1"}  # noqa: RUF012
    export_formats = (
        "jsonl",
        "csv",
        "parquet",
        "huggingface",
        "docbin",
        "label_studio",
        "doccano",
        "messages",
        "alpaca",
        "sharegpt",
        "trl",
        "trl_chat",
    )
    instructions = {  # noqa: RUF012
        "en": "Classify the text. Answer with its label and nothing else. Labels: {labels}.",
        "zh": "判断文本的类别，只回答标签。可选标签：{labels}。",
    }

    def default_schema(self, language: str) -> SentimentSchema:
        titles = {"zh": ("积极", "中性", "消极")}.get(language, ("Positive", "Neutral", "Negative"))
        rows = zip(
            ("positive", "neutral", "negative"),
            titles,
            ("#15803d", "#64748b", "#be123c"),
            "123",
            strict=True,
        )
        return SentimentSchema(
            labels=[Label(name=n, title=t, color=c, hotkey=k) for n, t, c, k in rows]
        )

    def labels(self, schema: SentimentSchema) -> list[Label]:
        return schema.labels

    def with_labels(self, schema: SentimentSchema, labels: list[Label]) -> SentimentSchema:
        return SentimentSchema(mode=schema.mode, labels=labels)

    def label_names(self, payload: SentimentPayload) -> Iterator[str]:
        yield from payload.labels

    def check(
        self, payload: SentimentPayload, inputs: TextInputs, schema: SentimentSchema
    ) -> list[Problem]:
        known = {label.name for label in schema.labels}
        problems = [
            Problem("labels", _("This project has no label “%(label)s”.", label=label))
            for label in payload.labels
            if label not in known
        ]
        if len(set(payload.labels)) != len(payload.labels):
            problems.append(Problem("labels", _("A label is given twice.")))
        if schema.mode != "multi" and len(payload.labels) != 1:
            problems.append(Problem("labels", _("Choose exactly one label.")))
        return problems

    def canonical(self, payload: SentimentPayload) -> SentimentPayload:
        return SentimentPayload(labels=sorted(payload.labels))

    def map_labels(
        self, payload: SentimentPayload, becomes: Callable[[str], str]
    ) -> SentimentPayload:
        return SentimentPayload(labels=list(dict.fromkeys(map(becomes, payload.labels))))

    def brief(self, payload: SentimentPayload, inputs: TextInputs) -> str:
        return ", ".join(payload.labels) or "—"

    def agreement(self, a: SentimentPayload, b: SentimentPayload) -> float:
        """Jaccard overlap of the label sets; for single labels, 1 or 0."""
        union = set(a.labels) | set(b.labels)
        return len(set(a.labels) & set(b.labels)) / len(union) if union else 1.0

    def places(self, payload: Json) -> list[tuple[Place, str]]:
        return [((), label) for label in payload["labels"]]

    def answer(self, payload: Json, text: str) -> str:
        """The label; several come one a line, since a label may hold a comma."""
        return "\n".join(payload["labels"])

    def parse_answer(self, answer: str, inputs: TextInputs) -> SentimentPayload:
        lines = [line.strip() for line in answer.splitlines()]
        if any(len(line) > 100 for line in lines):
            raise InvalidInput.at("answer", _("The answer is not a label: it is too long."))
        return SentimentPayload(labels=sorted({line for line in lines if line}))
