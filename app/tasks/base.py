"""The contract of a task type: what a project of this task labels, and how everything else learns about it."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Generic, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
)
from pydantic_core import PydanticCustomError

from app.errors import InvalidInput, Problem
from app.evaluation.spans import Place
from app.i18n import gettext as _
from app.storable import has_surrogate
from app.tasks.tokenize import tokenize
from app.training import FineTuneParams, Head
from app.validation_words import sentence

Json = dict[str, Any]
Message = dict[str, str]

PALETTE = (
    "#2563eb", "#c2410c", "#15803d", "#a21caf", "#b45309", "#0e7490", "#be123c", "#6d28d9",
    "#4d7c0f", "#0369a1", "#9d174d", "#854d0e", "#3f6212", "#1d4ed8", "#7e22ce", "#0f766e",
)  # fmt: skip
"""Label colours in the order they are handed out; each is readable under white text."""

HOTKEYS = "1234567890qwertyuiopasdfghjklzxcvbnm"


MAX_TEXT = 1_000_000
"""Characters of one text."""
MAX_LABELS = 1000
"""Of one schema."""
MAX_FORMER = 1000
"""Former names of one label."""

_PLAIN = "plain_words"
"""The type of an error whose sentence says itself where it is."""


class Label(BaseModel):
    """One label of a schema, as people see it."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    name: str = Field(min_length=1, max_length=100)
    title: str | None = Field(None, max_length=100)
    color: str = Field("#2563eb", pattern=r"^#[0-9a-fA-F]{6}$")
    hotkey: Annotated[str, StringConstraints(strip_whitespace=False, max_length=1)] | None = None
    description: str = Field("", max_length=2000)
    former: list[str] = Field(
        default_factory=list, max_length=MAX_FORMER, exclude_if=lambda names: not names
    )
    """Names that it had, and of labels that were merged into it: whatever was labelled so counts as this label."""
    retired: bool = Field(False, exclude_if=lambda retired: not retired)
    """It stays for what has it, and is not offered any more."""

    @field_validator("title", "hotkey", mode="before")
    @classmethod
    def _empty_is_none(cls, value: str | None) -> str | None:
        return value or None


def check_labels(labels: Sequence[Label]) -> list[Label]:
    """Labels with distinct names, former ones included, and hotkeys, or an error of pydantic's naming the twin."""
    names: set[str] = set()
    keys: set[str] = set()
    for label in labels:
        if label.name in names:
            raise plain_error(_("Two labels have the same name, “%(name)s”.", name=label.name))
        if label.hotkey in keys:
            raise plain_error(_("Two labels have the same key, “%(key)s”.", key=label.hotkey))
        names.add(label.name)
        keys |= {label.hotkey} if label.hotkey else set()
    for label in labels:
        for name in label.former:
            if name in names:
                raise plain_error(
                    _(
                        "“%(former)s” is a former name of “%(name)s”, and what was labelled so counts as that. "
                        "Separate the two first, or choose another name.",
                        former=name,
                        name=label.name,
                    )
                )
            names.add(name)
    return list(labels)


def plain_error(words: str) -> PydanticCustomError:
    """An error of a validator whose sentence says itself where it is."""
    return PydanticCustomError(_PLAIN, "{words}", {"words": words})


def new_labels(names: Iterable[str], existing: Sequence[Label] = ()) -> list[Label]:
    """Labels for names, each with the next free colour and hotkey."""
    taken = {label.hotkey for label in existing}
    free = iter([key for key in HOTKEYS if key not in taken])
    start = len(existing)
    return [
        parse(
            Label,
            {
                "name": name,
                "color": PALETTE[(start + i) % len(PALETTE)],
                "hotkey": next(free, None),
            },
            _("“%(name)s” cannot be a label.", name=name[:60]),
        )
        for i, name in enumerate(names)
    ]


class TextInputs(BaseModel):
    """One text; `tokens` are (start, end) code-point offsets, in order, where the source had its own."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field(min_length=1, max_length=MAX_TEXT)
    tokens: list[tuple[int, int]] | None = None

    @field_validator("text")
    @classmethod
    def _storable(cls, text: str) -> str:
        if "\x00" in text:
            raise ValueError("the text holds a NUL character, which no database can store")
        if has_surrogate(text):
            raise ValueError(
                "the text holds half a surrogate pair: the file was not decoded rightly"
            )
        if not text.strip():
            raise ValueError("the text is empty")
        return text

    def token_spans(self) -> list[tuple[int, int]]:
        """The source's tokens, else ours."""
        return self.tokens if self.tokens is not None else tokenize(self.text)


def check_tokens(inputs: TextInputs) -> None:
    """Raises InvalidInput where tokens overlap, are out of order or leave the text."""
    previous = 0
    for number, (start, end) in enumerate(inputs.tokens or [], 1):
        if not previous <= start < end <= len(inputs.text):
            raise InvalidInput.at(
                f"tokens[{number}]",
                _(
                    "Token %(number)s (%(start)s to %(end)s) overlaps its neighbour or leaves the text.",
                    number=number,
                    start=start,
                    end=end,
                ),
            )
        previous = end


SchemaT = TypeVar("SchemaT", bound=BaseModel)
PayloadT = TypeVar("PayloadT", bound=BaseModel)


class TaskType(ABC, Generic[SchemaT, PayloadT]):
    """A kind of labelling. One subclass per task; everything else finds it through the registry.

    Payloads, schemas and inputs travel as JSON objects; the methods take and return those, and parse
    them where they need structure.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    summary: ClassVar[str]
    label_word: ClassVar[str]
    """What a label is called in this task (label, entity type, role)."""
    schema_type: type[SchemaT]
    payload_type: type[PayloadT]
    recipe: ClassVar[str]
    pipeline: ClassVar[str]
    """What Hugging Face calls what its models do."""
    heads: ClassVar[tuple[Head, ...]] = ("softmax",)
    training_defaults: ClassVar[FineTuneParams]
    primary_metric: ClassVar[str]
    """The score that models of this task are chosen and compared by."""
    counted_scores: ClassVar[Mapping[str, str]]
    """Scores that follow from `places` alone, by their name in a report: what `app.evaluation` calls them."""
    export_formats: ClassVar[tuple[str, ...]]
    instructions: ClassVar[Mapping[str, str]]
    """The SFT instruction by language; `{labels}` is filled with the schema's label names."""

    @abstractmethod
    def default_schema(self, language: str) -> SchemaT:
        """A schema to start a new project from."""

    @abstractmethod
    def labels(self, schema: SchemaT) -> list[Label]:
        """The schema's labels, in order."""

    @abstractmethod
    def with_labels(self, schema: SchemaT, labels: list[Label]) -> SchemaT:
        """The same schema with other labels."""

    def why_reserved(self, name: str) -> str | None:
        """Why a new label cannot have this name, as a sentence; None where it can."""
        return None

    @abstractmethod
    def label_names(self, payload: PayloadT) -> Iterator[str]:
        """Every use of a label in a payload, as the schema names it (for counts and for new labels)."""

    @abstractmethod
    def check(self, payload: PayloadT, inputs: TextInputs, schema: SchemaT) -> list[Problem]:
        """What is wrong with a well-formed payload on this example."""

    @abstractmethod
    def canonical(self, payload: PayloadT) -> PayloadT:
        """The same content in its one canonical order."""

    @abstractmethod
    def map_labels(self, payload: PayloadT, becomes: Callable[[str], str]) -> PayloadT:
        """The same content under other label names; what becomes the same twice is there once."""

    def trim(self, payload: PayloadT, inputs: TextInputs) -> PayloadT:
        """The same content without white space at the edges of its spans, for tasks that have some."""
        return payload

    @abstractmethod
    def brief(self, payload: PayloadT, inputs: TextInputs) -> str:
        """The payload in a few words, for lists."""

    @abstractmethod
    def agreement(self, a: PayloadT, b: PayloadT) -> float:
        """How far two annotations of one example agree, 0 to 1 (1 = the same)."""

    @abstractmethod
    def places(self, payload: Json) -> list[tuple[Place, str]]:
        """The annotation as labelled places: what precision, recall and F1 count."""

    @abstractmethod
    def answer(self, payload: Json, text: str) -> str:
        """The annotation, as it is stored, as an assistant's answer."""

    @abstractmethod
    def parse_answer(self, answer: str, inputs: TextInputs) -> PayloadT:
        """The annotation that an answer says. Raises InvalidInput."""

    def words(self, place: Place, text: str) -> str:
        """The words at a place of `places`, empty where it is the whole text."""
        return text[place[0] : place[1]] if place else ""

    # -- shared behaviour ---------------------------------------------------------------------

    def parse_inputs(self, data: Json) -> TextInputs:
        """Checked inputs. Raises InvalidInput."""
        inputs = parse(TextInputs, data, _("The example cannot be stored."))
        check_tokens(inputs)
        return inputs

    def parse_schema(self, data: Json) -> SchemaT:
        """Checked schema. Raises InvalidInput."""
        return parse(self.schema_type, data, _("The label schema is not right."))

    def relabelled(self, schema: SchemaT, labels: list[Label]) -> SchemaT:
        """The same schema with other labels, checked. Raises InvalidInput."""
        try:
            return self.with_labels(schema, labels)
        except ValidationError as error:
            raise _as_input(error, _("The label schema is not right.")) from error

    def parse_payload(self, data: Json) -> PayloadT:
        """A well-formed payload, not yet checked against an example. Raises InvalidInput."""
        return parse(self.payload_type, data, _("The annotation is not in this task's form."))

    def normalise(self, payload: PayloadT, inputs: TextInputs) -> PayloadT:
        """The same content in the one form in which it is stored."""
        return self.canonical(self.trim(payload, inputs))

    def validate(self, data: Json, inputs: TextInputs, schema: SchemaT) -> Json:
        """The payload as it is to be stored, or InvalidInput with every problem found."""
        return self.accept(self.parse_payload(data), inputs, schema)

    def accept(self, payload: PayloadT, inputs: TextInputs, schema: SchemaT) -> Json:
        """The same of a payload that is well-formed."""
        payload = self.normalise(payload, inputs)
        problems = self.check(payload, inputs, schema)
        if problems:
            raise InvalidInput(problems[0].message, problems)
        return self.dump(payload)

    def dump(self, payload: PayloadT) -> Json:
        """The payload as it is stored."""
        return payload.model_dump(mode="json")

    def renamed(self, data: Json, becomes: Mapping[str, str]) -> Json:
        """A stored payload with other names for some of its labels."""
        payload = self.map_labels(self.parse_payload(data), lambda name: becomes.get(name, name))
        return self.dump(self.canonical(payload))

    def former_names(self, schema: SchemaT) -> dict[str, str]:
        """Former names of labels, and what each of these is called today."""
        return {old: label.name for label in self.labels(schema) for old in label.former}

    def offered(self, schema: SchemaT) -> list[Label]:
        """The labels that an annotation may be given now."""
        return [label for label in self.labels(schema) if not label.retired]

    def extend_schema(self, schema: SchemaT, names: Iterable[str]) -> SchemaT:
        """The schema with labels added for the names it lacks. Raises InvalidInput for too many, or a wrong name."""
        known = self.labels(schema)
        have = {label.name for label in known}
        missing = [name for name in dict.fromkeys(names) if name not in have]
        if len(known) + len(missing) > MAX_LABELS:
            raise InvalidInput.at(
                "labels", _("A project has at most %(n)s labels.", n=f"{MAX_LABELS:,}")
            )
        return self.relabelled(schema, known + new_labels(missing, known)) if missing else schema

    def instruction(self, schema: SchemaT, language: str) -> str:
        """The SFT instruction in the project's language, labels filled in."""
        template = self.instructions.get(language) or self.instructions["en"]
        return template.replace("{labels}", ", ".join(label.name for label in self.labels(schema)))

    def conversation(self, inputs: Json, payload: Json, instruction: str) -> list[Message]:
        """The example and its gold, both as they are stored, as a conversation: system instruction, the exact text,
        the answer."""
        text = inputs["text"]
        return [
            {"role": "system", "content": instruction},
            {"role": "user", "content": text},
            {"role": "assistant", "content": self.answer(payload, text)},
        ]


Model = TypeVar("Model", bound=BaseModel)
_ALL = "(all)"
"""Where a problem is that no single field has."""


def parse(model: type[Model], data: object, message: str, *, strict: bool | None = None) -> Model:
    """Pydantic's verdict as our InvalidInput, each problem with its path. What comes from an HTML form is text, so
    its numbers are read with `strict=False`, whatever the model says."""
    try:
        return model.model_validate(data, strict=strict)
    except ValidationError as error:
        raise _as_input(error, message) from error


def _as_input(error: ValidationError, message: str) -> InvalidInput:
    errors = error.errors(include_url=False, include_input=False)
    problems = [
        Problem(".".join(str(part) for part in item["loc"]) or _ALL, sentence(item))
        for item in errors
    ]
    first = problems[0]
    is_plain = errors[0]["type"] == _PLAIN
    where = "" if is_plain or first.where == _ALL else f"{first.where}: "
    return InvalidInput(f"{message} {where}{first.message}", problems)
