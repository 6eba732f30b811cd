"""What a file says, example by example, and the contract of readers and writers."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import IO, Any, Literal, Protocol

from pydantic import ConfigDict, Field

from app.strict import StrictModel

Message = dict[str, str]
SPLITS = {
    "train": "train",
    "validation": "validation",
    "valid": "validation",
    "dev": "validation",
    "test": "test",
}
"""What files call the splits, and what we do."""


@dataclass(frozen=True, slots=True)
class Record:
    """One example as a file holds it."""

    text: str
    tokens: tuple[tuple[int, int], ...] | None = None
    annotation: dict[str, Any] | None = None
    """The task's payload; None: not labelled."""
    external_id: str | None = None
    meta: dict[str, Any] = field(default_factory=dict)
    row: int = 0
    """1-based line where it starts; in a version, the example's id."""
    split: str | None = None


@dataclass(frozen=True, slots=True)
class RowProblem:
    """A row that cannot be read, and why, as a sentence."""

    row: int
    message: str
    column: str | None = None


class ReadOptions(StrictModel):
    """How a file is to be read; what is left open is detected."""

    model_config = ConfigDict(frozen=True)

    encoding: str | None = None
    columns: dict[str, str] = Field(default_factory=dict)
    """Which column is what: {"text": "review", "label": "label", "external_id": …}."""
    has_header: bool | None = None
    delimiter: str | None = Field(None, min_length=1, max_length=1)
    label_separator: str | None = None
    label_map: dict[str, str] = Field(default_factory=dict)
    """The file's labels to the project's: {"0": "negative"}."""
    tag_columns: Literal["auto", "last", "all"] = "auto"
    """Where columns of tags follow each other at a line's end: which of them are layers of nested entities."""


@dataclass(frozen=True, slots=True)
class Preview:
    """The beginning of a file as it will be read."""

    format: str
    encoding: str
    columns: dict[str, list[str]]
    """Column names with sample values; empty for formats without columns."""
    mapping: dict[str, str]
    """What the columns are taken for."""
    records: list[Record]
    problems: list[RowProblem]


class Reader(Protocol):
    """Reads one format."""

    name: str
    title: str
    tasks: frozenset[str]

    def read(
        self, stream: IO[bytes], task: str, options: ReadOptions
    ) -> Iterator[Record | RowProblem]: ...


class Writer(Protocol):
    """Writes one format, the same bytes each time."""

    name: str
    title: str
    extension: str
    media_type: str

    def write(
        self,
        records: Iterable[Record],
        task: str,
        *,
        conversation: Callable[[Record], list[Message]],
        comments: bool = False,
    ) -> Iterator[bytes]: ...

    def check(self, record: Record, task: str) -> list[str]: ...
