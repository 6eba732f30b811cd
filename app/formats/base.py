"""What a file says, example by example, and the contract of readers and writers."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import IO, Any, Literal, Protocol, runtime_checkable

from pydantic import ConfigDict, Field

from app.errors import InvalidInput
from app.i18n import gettext as _
from app.strict import StrictModel

Message = dict[str, str]
_SPLITS = {
    **dict.fromkeys(("train", "training", "trn"), "train"),
    **dict.fromkeys(("validation", "valid", "val", "dev", "devel", "development", "eval", "evaluation"), "validation"),
    **dict.fromkeys(("test", "testing", "tst"), "test"),
}  # fmt: skip


def read_split(value: object) -> str | None:
    """The split that a file's word for it means; None where nothing is said. Raises InvalidInput for another word:
    an example of somebody's test set must not come to be trained on."""
    word = "" if value is None or value != value else str(value).strip().lower()
    if word and word not in _SPLITS:
        raise InvalidInput.at(
            "split",
            _(
                "“%(value)s” is no split: there are train, validation and test. Choose that the column says no split, "
                "or write one of these.",
                value=str(value)[:100],
            ),
        )
    return _SPLITS.get(word)


def is_split(name: object) -> bool:
    """Whether a name is a word for a split: train, dev, test and the like."""
    return isinstance(name, str) and name.strip().lower() in _SPLITS


@dataclass(frozen=True, slots=True)
class Head:
    """How a file begins, for telling what it is."""

    name: str
    """The file's own, in lower case and without the ending of its compression."""
    data: bytes
    text: str
    """Decoded, the first 64 KiB; empty for what is no text."""
    lines: list[str]
    """The first 200 that are not blank."""


@dataclass(slots=True)
class Record:
    """One example as a file holds it. Nobody changes one; it is not frozen since that would make each three times as
    dear."""

    text: str
    tokens: tuple[tuple[int, int], ...] | None = None
    annotation: dict[str, Any] | None = None
    """The task's payload; None: not labelled."""
    external_id: str | None = None
    meta: dict[str, Any] = field(default_factory=dict)
    row: int = 0
    """1-based line where it starts; in a version, the example's id."""
    split: str | None = None
    unused: tuple[str, ...] = ()
    """Names of what the row holds that was neither read nor kept in `meta`."""
    others: dict[str, Any] = field(default_factory=dict)
    """The task's other inputs, beside text and tokens."""
    parsed: Any = field(default=None, compare=False, repr=False)
    """The annotation as its task has parsed it, where the reader had to look into it."""


@dataclass(frozen=True, slots=True)
class RowProblem:
    """A row that cannot be read, and why, as a sentence."""

    row: int
    message: str
    column: str | None = None
    is_several: bool = False
    """It stands for rows that cannot be told apart: nobody knows how many."""


class ReadOptions(StrictModel):
    """How a file is to be read; what is left open is detected."""

    model_config = ConfigDict(frozen=True)

    encoding: str | None = None
    language: str | None = None
    """The texts', as far as is known: what short ones say may hang on it where the encoding is detected."""
    sheet: str | None = None
    """Of a workbook; None: the first."""
    columns: dict[str, str] = Field(default_factory=dict)
    """Which column is what: {"text": "review", "label": "label", "external_id": …}."""
    has_header: bool | None = None
    delimiter: str | None = Field(None, min_length=1, max_length=1)
    label_separator: str | None = None
    label_map: dict[str, str] = Field(default_factory=dict)
    """The file's labels to the project's: {"0": "negative"}."""
    offsets: Literal["auto", "characters", "utf16", "bytes"] = "auto"
    """What the numbers of spans count: Unicode code points, UTF-16 units or bytes of UTF-8; "auto": the words of the
    spans tell, else what the tool that wrote the file is known to count, else code points."""
    span_end: Literal["auto", "exclusive", "inclusive"] = "auto"
    """Whether the second number of a span is that of its last character, or of the one behind it; "auto": the words
    of the spans tell, else the one behind it."""
    tag_columns: Literal["auto", "last", "all"] = "auto"
    """Where columns of tags follow each other at a line's end: which of them are layers of nested entities."""


@dataclass(frozen=True, slots=True)
class Preview:
    """The beginning of a file as it will be read."""

    format: str
    encoding: str
    """Empty for what is no text."""
    encoding_is_certain: bool
    """False where the encoding is only the most likely one."""
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

    def sniff(self, head: Head, task: str) -> float:
        """How sure it is that this is its format: 0 it is not, up to 0.3 it may be read so, from 0.5 it begins so,
        from 0.7 its name says so, from 0.9 nothing else begins so."""
        ...

    def read(
        self, stream: IO[bytes], task: str, options: ReadOptions
    ) -> Iterator[Record | RowProblem]: ...


@dataclass(frozen=True, slots=True)
class VersionFacts:
    """What there is to say of a version beside its records: for cards, names and lists of labels."""

    project: str = "project"
    """The project's name as a person typed it: never part of a path."""
    number: int = 1
    language: str = "en"
    schema: Mapping[str, Any] = field(default_factory=dict)
    """The label schema that the version was frozen with, as the task parses it."""
    instruction: str = ""
    note: str = ""
    created_at: str = ""
    """ISO 8601, in UTC."""
    counts: Mapping[str, Any] = field(default_factory=dict)
    """{"examples", "splits": {…}, "labels": {…}, "labels_by_split": {split: {…}}}"""
    sha256: str = ""
    """Of the canonical file."""
    guidelines: str = ""
    licence: str = ""
    """An identifier of the hub's list, such as cc-by-4.0, where the person has chosen one."""


NO_FACTS = VersionFacts()


@runtime_checkable
class Splittable(Protocol):
    """Records that know those of one split without going through all."""

    def of_split(self, split: str) -> Iterator[Record]: ...


class Writer(Protocol):
    """Writes one format, the same bytes each time. Writers inherit from it what they do not say themselves."""

    name: str
    title: str
    extension: str
    """Of one file; `zip` for a writer of several, which yields what `archive.zipped` makes of them."""
    media_type: str
    purpose: Literal["rows", "columns", "tools", "training"] = "tools"
    """What people want it for: data as it is, the field's columns of words, another labelling tool, a trainer of
    language models."""
    splits: Literal["said", "apart", "unsaid"] = "unsaid"
    """Whether the file says of each example which split it is of. Where it does not, the splits can be had as a zip
    of one file each; `apart`: they are had so unless one is named, since what trains must not hold the test split."""
    has_comments: bool = False
    """Whether `comments` make a difference."""
    leaves_out: tuple[str, ...] = ()
    """What no example has in this format, in words: its meta data, its tokens."""
    has_card: bool = False
    """Whether it writes down a licence and the guidelines, which the facts then hold."""

    def write(
        self,
        records: Iterable[Record],
        task: str,
        *,
        conversation: Callable[[Record], list[Message]],
        comments: bool = False,
        facts: VersionFacts = NO_FACTS,
    ) -> Iterator[bytes]:
        """The file, in pieces of any size. `records` may be gone through more than once (`archive.by_split`)."""
        ...

    def check(self, record: Record, task: str) -> list[str]:
        """What the format cannot say of an example, a sentence each."""
        return []

    def beside(self, files: Mapping[str, str], facts: VersionFacts) -> dict[str, bytes]:
        """What a zip of one file a split holds besides, by name: a description, a snippet to load it.
        `files`: the names of the files by their split."""
        return {}


def no_label_notes(record: Record) -> list[str]:
    """What formats say of an answer that is no label at all, if it reads back as no answer from them."""
    if record.annotation == {"labels": []}:
        return [_("Its answer is that no label fits; it reads back as if nobody had labelled it.")]
    return []
