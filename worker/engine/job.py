"""What a run is told and where it works: job.json and the names in its working folder."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from app.formats.example import read_line
from app.tasks.tokenize import tokenize
from app.training import RUN_KINDS, ModelParams
from worker.engine.errors import DataError, EngineError

SPLITS = ("train", "validation", "test")
TokenSpan = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Job:
    """One run as its creator described it."""

    kind: str
    task: str
    language: str
    schema: dict[str, Any]
    params: ModelParams
    """Those of its kind."""
    data: Path
    base_model: str | None
    device: str | None = None
    """The kind of device it is pinned to, "cuda" or "cpu"."""
    processes: int | None = None
    """How many train together; None: as many as there are GPUs."""

    @classmethod
    def read(cls, path: Path) -> "Job":
        """The job of a working folder. Raises EngineError when the file is not one."""
        try:
            given = json.loads(path.read_text(encoding="utf-8"))
            kind = RUN_KINDS[given["kind"]]
            return cls(
                kind=kind.name,
                task=given["task"],
                language=given.get("language") or "en",
                schema=given["schema"],
                params=kind.params.model_validate(given["params"]),
                data=Path(given["data"]),
                base_model=given.get("base_model"),
                device=given.get("device"),
                processes=given.get("processes"),
            )
        except (OSError, ValueError, KeyError, TypeError, ValidationError) as error:
            raise EngineError(f"The job file {path.name} cannot be read: {error}") from error


@dataclass(frozen=True, slots=True)
class Folder:
    """The working folder."""

    root: Path

    @property
    def job(self) -> Path:
        return self.root / "job.json"

    @property
    def progress(self) -> Path:
        return self.root / "progress.jsonl"

    @property
    def checkpoints(self) -> Path:
        return self.root / "checkpoints"

    @property
    def scratch(self) -> Path:
        """The untrained base model of a run from scratch: made once, so that a resumed run has the same."""
        return self.root / "scratch"

    @property
    def model(self) -> Path:
        return self.root / "model"

    @property
    def predictions(self) -> Path:
        return self.root / "predictions.jsonl"

    @property
    def label_issues(self) -> Path:
        return self.root / "label_issues.jsonl"

    @property
    def result(self) -> Path:
        return self.root / "result.json"

    @property
    def error(self) -> Path:
        return self.root / "error.json"


@dataclass(frozen=True, slots=True)
class Item:
    """One text with its word tokens and, where it has one, its gold annotation."""

    text: str
    tokens: Sequence[TokenSpan]
    annotation: dict[str, Any] = field(default_factory=dict)
    id: int | None = None
    """The example's id, where it comes from a version."""

    @classmethod
    def of(cls, text: str, tokens: Sequence[Sequence[int]] | None = None) -> "Item":
        """A text as people give it; without tokens it gets Annotune's own."""
        words = tokenize(text) if tokens is None else [(int(s), int(e)) for s, e in tokens]
        return cls(text, words)


def read_items(path: Path, *, to_train: bool = True) -> dict[str, list[Item]]:
    """The examples of a frozen version by split, in the file's order. Raises DataError naming the line, and
    where there is nothing `to_train` on."""
    splits: dict[str, list[Item]] = {split: [] for split in SPLITS}
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if not line.strip():
                    continue
                try:
                    row = read_line(line)
                    if row.annotation is None:
                        continue
                    item = Item.of(row.inputs["text"], row.inputs.get("tokens"))
                    splits[row.split].append(Item(item.text, item.tokens, row.annotation, row.id))
                except (ValueError, KeyError, TypeError) as error:
                    raise DataError(
                        f"Line {number} of the version's data cannot be read ({error}). "
                        "Freeze a new version and train on that."
                    ) from error
    except OSError as error:
        raise DataError(f"The version's data cannot be opened: {error}") from error
    if to_train and not splits["train"]:
        raise DataError(
            "The version has no training examples. Label more examples, or give the training split a "
            "larger share, and freeze a new version."
        )
    return splits
