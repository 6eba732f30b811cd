"""The texts of a project, to learn its language from: each once, and none that a test will ask about."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import select
from sqlalchemy.orm import aliased

from app.db import session_scope
from app.formats.example import write_text
from app.models import DatasetVersion, Example
from app.services import decided_splits
from app.services.splits import split_of, splits_of_copies
from app.services.versions import SplitPercent

_CHUNK = 2000


@dataclass(frozen=True, slots=True)
class TextCounts:
    """What a file of texts holds, and what was left out of it."""

    train: int
    validation: int
    left_out: int
    """Texts of the test split."""
    test_percent: int
    """The share of the test split that they were found by."""
    sha256: str
    """Of the file."""


def write_texts(
    path: Path, project_id: str, *, as_of: datetime, validation_percent: int
) -> TextCounts:
    """Write a project's texts as they were at that time, one JSON line each, in the order they came.

    A text goes to "train" or "validation" by its hash, or as its file was imported. Equal texts are one, and
    those that a version up to that time tests on, or the next would, are left out. The
    counts are written beside the file, which takes its name when it is whole. Opens its own sessions.
    """
    newest = _newest_version(project_id, as_of)
    percent = dict(newest.split_percent) if newest else SplitPercent().model_dump()
    decided_splits.catch_up(project_id)
    percent |= {"validation": min(validation_percent, 100 - percent["test"])}
    copies = splits_of_copies([Example.project_id == project_id, Example.status != "staged"])
    splits: Counter[str] = Counter()
    digest = hashlib.sha256()
    part = path.with_name(f"{path.name}.part")
    with part.open("wb") as sink:
        for inputs, content_hash, own, decided in _distinct(project_id, as_of, newest):
            split = copies.get(content_hash) or own or split_of(content_hash, percent)
            if decided == "test":
                split = "test"
            splits[split] += 1
            if split == "test":
                continue
            line = write_text(split, inputs)
            digest.update(line)
            sink.write(line)
    counts = TextCounts(
        train=splits["train"],
        validation=splits["validation"],
        left_out=splits["test"],
        test_percent=percent["test"],
        sha256=digest.hexdigest(),
    )
    path.with_suffix(".json").write_bytes(orjson.dumps(asdict(counts)))
    part.replace(path)
    return counts


def _newest_version(project_id: str, as_of: datetime) -> DatasetVersion | None:
    with session_scope(read_only=True) as session:
        return session.scalar(
            select(DatasetVersion)
            .where(DatasetVersion.project_id == project_id, DatasetVersion.created_at <= as_of)
            .order_by(DatasetVersion.number.desc())
            .limit(1)
        )


def _distinct(
    project_id: str, as_of: datetime, newest: DatasetVersion | None
) -> Iterator[tuple[dict[str, Any], str, str | None, str | None]]:
    """Inputs, hash, imported split and the split that versions up to `newest` have decided, of the first example with
    each text, read some thousands at a time."""
    earlier = aliased(Example)
    query = (
        select(Example.id, Example.inputs, Example.content_hash, Example.split)
        .where(
            Example.project_id == project_id,
            Example.status != "staged",
            Example.created_at <= as_of,
            ~select(earlier.id)
            .where(
                earlier.project_id == project_id,
                earlier.content_hash == Example.content_hash,
                earlier.status != "staged",
                earlier.id < Example.id,
            )
            .exists(),
        )
        .order_by(Example.id)
        .limit(_CHUNK)
    )
    after = 0
    while True:
        with session_scope(read_only=True) as session:
            rows = session.execute(query.where(Example.id > after)).all()
            hashes = [row.content_hash for row in rows]
            before = newest.number + 1 if newest else 0
            decided = decided_splits.recall(session, project_id, hashes, before=before)
        if not rows:
            return
        for row in rows:
            yield row.inputs, row.content_hash, row.split, decided.get(row.content_hash)
        after = rows[-1].id
