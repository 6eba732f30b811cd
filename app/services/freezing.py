"""The job that writes a version: the gold of the state that the version is of, its digest and its counts."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import orjson
from sqlalchemy import ColumnElement, exists, select
from sqlalchemy.orm import aliased

from app.db import session_scope
from app.models import Annotation, DatasetVersion, Example, Project
from app.services import jobs
from app.services.splits import Splits
from app.services.version_files import data_key, manifest_key
from app.services.versions import SPLITS, written_before
from app.storage import get_storage
from app.tasks import get_task

_CHUNK = 2000


@dataclass
class _Tally:
    """What the version's counts are made of."""

    splits: Counter[str] = field(default_factory=lambda: Counter(dict.fromkeys(SPLITS, 0)))
    labels: dict[str, Counter[str]] = field(
        default_factory=lambda: {split: Counter() for split in SPLITS}
    )

    def counts(self) -> dict[str, Any]:
        total: Counter[str] = sum(self.labels.values(), Counter())
        return {
            "examples": self.splits.total(),
            "splits": dict(self.splits),
            "labels": dict(total.most_common()),
            "labels_by_split": {split: dict(c.most_common()) for split, c in self.labels.items()},
        }


def run(claim: jobs.Claim) -> None:
    """Write the version that a job is for: the canonical file, its digest, its counts."""
    with session_scope(read_only=True) as session:
        version = session.scalars(
            select(DatasetVersion).where(DatasetVersion.job_id == claim.job_id)
        ).one()
        project = session.get_one(Project, version.project_id)
        before = written_before(session, version)
    splits = Splits(examples_in(version), version.split_percent, before, keep=version.keeps_splits)
    digest, tally, size = hashlib.sha256(), _Tally(), 0
    storage = get_storage()
    with storage.writing(data_key(version.id)) as sink:
        for lines in _lines(version, project, splits, tally):
            data = b"".join(lines)
            digest.update(data)
            size += len(data)
            sink.write(data)
            done = tally.splits.total()
            progress = {"done": done, "total": max(done, project.labelled_count)}
            if not jobs.renew(claim, progress):
                raise jobs.Cancelled
    counts = tally.counts() | {
        "moves": [asdict(move) for move in splits.moves()],
        "not_followed": splits.not_followed,
    }
    content = {
        "project": {
            "id": project.id,
            "name": project.name,
            "task": project.task,
            "language": project.language,
        },
        "version": {
            "number": version.number,
            "note": version.note,
            "created_at": version.created_at.isoformat(),
            "sha256": digest.hexdigest(),
        },
        "schema": version.label_schema,
        "instruction": version.instruction,
        "split_percent": version.split_percent,
        "splits_kept_from": before.number if before and version.keeps_splits else None,
        "counts": counts,
    }
    with storage.writing(manifest_key(version.id)) as sink:
        sink.write(orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    with session_scope() as session:
        total = counts["examples"]
        jobs.succeed(session, claim, {"done": total, "total": total})
        row = session.get_one(DatasetVersion, version.id)
        row.counts, row.size, row.sha256 = counts, size, digest.hexdigest()


def _lines(
    version: DatasetVersion, project: Project, splits: Splits, tally: _Tally
) -> Iterator[list[bytes]]:
    """The canonical lines in example order, some thousands at a time, each read in its own transaction."""
    task = get_task(project.task)
    after = 0
    while True:
        with session_scope(read_only=True) as session:
            rows = session.execute(_gold_as_of(version, after).limit(_CHUNK)).all()
        if not rows:
            return
        lines = []
        for example, payload in rows:
            split = splits.of(example.id, example.content_hash, example.split)
            tally.splits[split] += 1
            annotation = task.parse_payload(payload)
            tally.labels[split].update(task.label_names(annotation))
            # Dumped anew: a database need not keep the order of keys, the canonical form does.
            lines.append(_line(example, task.dump(annotation), split))
        yield lines
        after = rows[-1].Example.id


def _gold_as_of(version: DatasetVersion, after: int) -> Any:
    """Each example with the newest annotation that the snapshot knows, unless that one skipped it."""
    later = aliased(Annotation)
    cutoff = version.last_annotation_id or 0
    return (
        select(Example, Annotation.payload)
        .join(Annotation, Annotation.example_id == Example.id)
        .where(
            *examples_in(version),
            Example.id > after,
            Annotation.id <= cutoff,
            Annotation.payload.is_not(None),
            ~Annotation.is_proposal,
            ~select(later.id)
            .where(
                later.example_id == Annotation.example_id,
                later.id > Annotation.id,
                later.id <= cutoff,
                ~later.is_proposal,
            )
            .exists(),
        )
        .order_by(Example.id)
    )


def examples_in(version: DatasetVersion) -> list[ColumnElement[bool]]:
    """Which examples were the project's when the version was asked for, whatever became of them since. Whether they
    are staged says nothing of it: rows of an import that counts become visible bit by bit."""
    conditions = [Example.project_id == version.project_id]
    if version.last_example_id is None:
        return [*conditions, Example.status != "staged"]
    conditions.append(Example.id <= version.last_example_id)
    if version.unpublished_imports:
        conditions.append(~_from(version.unpublished_imports))
    if version.undone_imports:
        said = aliased(Annotation)
        by_people = exists().where(
            said.example_id == Example.id,
            said.source != "import",
            said.id <= (version.last_annotation_id or 0),
        )
        conditions.append(~_from(version.undone_imports) | by_people)
    return conditions


def _from(import_ids: list[str]) -> ColumnElement[bool]:
    return Example.import_id.is_not(None) & Example.import_id.in_(import_ids)


def _line(example: Example, annotation: dict[str, Any], split: str) -> bytes:
    inputs = {"text": example.inputs["text"], "tokens": example.inputs.get("tokens")}
    return orjson.dumps(
        {
            "id": example.id,
            "external_id": example.external_id,
            "split": split,
            "inputs": inputs,
            "annotation": annotation,
            "meta": dict(sorted(example.meta.items())),
        },
        option=orjson.OPT_APPEND_NEWLINE,
    )
