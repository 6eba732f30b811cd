"""The contract of a recipe: how a task's examples become model input, and the model's output annotations."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from worker.engine.crf import CRF
from worker.engine.errors import ModelError
from worker.engine.job import Item
from worker.engine.models import Family
from worker.engine.report import Report
from worker.engine.scoring import Runner
from worker.engine.windows import Frame, Window

Splits = Mapping[str, Sequence[Item]]


@dataclass(frozen=True, slots=True)
class Encoder:
    """What a recipe encodes with: the tokenizer, its special tokens, and how much fits in a window."""

    tokenizer: Any
    frame: Frame
    max_length: int
    two_segments: bool
    """Whether the model tells a second segment apart (token_type_ids)."""


@dataclass(slots=True)
class Encoded:
    """A split as windows. `units` says what each unit number stands for."""

    windows: list[Window] = field(default_factory=list)
    units: list[Any] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    """What a person should know: texts in several windows, spans that cannot be learned, …"""


@dataclass(frozen=True, slots=True)
class Prediction:
    """An annotation in the task's payload form, and how sure the model is of its parts (0 to 1)."""

    annotation: dict[str, Any]
    scores: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        return {"annotation": self.annotation, "scores": self.scores}


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What came of evaluating a split."""

    report: Report
    loss: float | None
    """The mean loss."""
    predictions: list[Prediction]
    """In the order of the items; their scores are only there where details were wished for."""


class Recipe(ABC):
    """One per family of tasks. Made from a schema and training data, or from a saved model's card."""

    name: ClassVar[str]
    family: ClassVar[Family]
    primary: ClassVar[str]
    """The score that the best epoch is chosen by."""
    cased: ClassVar[bool] = False
    """Whether a vocabulary from scratch keeps capital letters."""

    schema: dict[str, Any]
    labels: list[str]
    """The network's outputs, in order of their ids."""

    @classmethod
    @abstractmethod
    def prepare(cls, schema: dict[str, Any], splits: Splits) -> Self:
        """The recipe for a schema, with whatever it reads off the training split. Raises DataError."""

    @classmethod
    @abstractmethod
    def restore(cls, schema: dict[str, Any], labels: list[str], state: dict[str, Any]) -> Self:
        """The recipe of a saved model."""

    def state(self) -> dict[str, Any]:
        """What `restore` needs beside schema and labels, as JSON."""
        return {}

    @property
    def problem(self) -> str | None:
        """transformers' name of the problem, for the saved configuration."""
        return None

    def crf(self) -> CRF:
        """A CRF over the labels. Raises ModelError for tasks without tag sequences."""
        raise ModelError(
            "This task labels whole texts: it has no tag sequences that a CRF could learn. Choose the "
            "softmax head."
        )

    @abstractmethod
    def encode(self, items: Sequence[Item], encoder: Encoder) -> Encoded:
        """Annotated items as windows with targets."""

    @abstractmethod
    def evaluate(
        self, items: Sequence[Item], encoded: Encoded, run: Runner, *, detailed: bool = False
    ) -> Evaluation:
        """Evaluate on annotated items that `encode` has encoded."""

    @abstractmethod
    def predict(self, items: Sequence[Item], encoder: Encoder, run: Runner) -> list[Prediction]:
        """Annotations of items, in order."""


def label_names(schema: dict[str, Any], key: str, seen: Sequence[str]) -> list[str]:
    """The schema's label names in order, then any that only the data has."""
    names = [label["name"] for label in schema.get(key) or []]
    return list(dict.fromkeys([*names, *sorted(set(seen))]))
