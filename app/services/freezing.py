"""The job that writes a version: the gold of the state that the version is of, its digest and its counts."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Text, exists, select, type_coerce
from sqlalchemy.orm import aliased

from app.db import session_scope
from app.formats.example import StoredExample, write_line
from app.models import Annotation, DatasetVersion, Example, Project
from app.services import jobs, near_duplicates, version_manifest
from app.services.label_names import Today
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

    def count(self, split: str, labels: Iterable[str]) -> None:
        """An example of a split, with these uses of labels."""
        self.splits[split] += 1
        uses = self.labels[split]
        for label in labels:
            uses[label] += 1

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
    splits = Splits(_examples_in(version), version.split_percent, before, keep=version.keeps_splits)
    digest, tally, size = hashlib.sha256(), _Tally(), 0
    lineage = version_manifest.Lineage(version)
    storage = get_storage()
    with storage.writing(data_key(version.id)) as sink:
        for lines in _lines(version, project, splits, tally, lineage):
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
    content = version_manifest.content(
        project, version, sha256=digest.hexdigest(), counts=counts, before=before, lineage=lineage
    )
    manifest = orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    with storage.writing(manifest_key(version.id)) as sink:
        sink.write(manifest)
    with session_scope() as session:
        total = counts["examples"]
        jobs.succeed(session, claim, {"done": total, "total": total})
        row = session.get_one(DatasetVersion, version.id)
        row.counts, row.size, row.sha256 = counts, size, digest.hexdigest()
        row.manifest_sha256 = hashlib.sha256(manifest).hexdigest()
        near_duplicates.queue(session, row)


def _lines(
    version: DatasetVersion,
    project: Project,
    splits: Splits,
    tally: _Tally,
    lineage: version_manifest.Lineage,
) -> Iterator[list[bytes]]:
    """The canonical lines in example order, some thousands at a time, each read in its own transaction."""
    task = get_task(project.task)
    today = Today(project, version)
    after = 0
    while True:
        with session_scope(read_only=True) as session:
            rows = session.connection().execute(_gold_as_of(version, after).limit(_CHUNK)).all()
            if not rows:
                return
            lineage.add(session, rows)
        lines = []
        for number, external_id, content_hash, own_split, inputs, meta, payload, *_from in rows:
            split = splits.of(number, content_hash, own_split)
            annotation = task.parse_payload(today(_loaded(payload)))
            tally.count(split, task.label_names(annotation))
            # Dumped anew: a database need not keep the order of keys, the canonical form does.
            annotated = task.dump(annotation)
            example = StoredExample(
                _loaded(inputs), split, number, external_id, annotated, _loaded(meta)
            )
            lines.append(write_line(example))
        yield lines
        after = rows[-1].id


def _loaded(value: Any) -> dict[str, Any]:
    """A JSON column as the driver gives it: SQLite's gives text, PostgreSQL's has parsed it."""
    found: dict[str, Any] = orjson.loads(value) if isinstance(value, str) else value
    return found


def _gold_as_of(version: DatasetVersion, after: int) -> Any:
    """Each example with the newest annotation that the snapshot knows, unless that one skipped it."""
    later = aliased(Annotation)
    cutoff = version.last_annotation_id or 0
    return (
        select(
            Example.id,
            Example.external_id,
            Example.content_hash,
            Example.split,
            *(
                type_coerce(column, Text)
                for column in (Example.inputs, Example.meta, Annotation.payload)
            ),
            Example.import_id,
            Annotation.user_id,
            Annotation.source,
        )
        .join(Annotation, Annotation.example_id == Example.id)
        .where(
            *_examples_in(version),
            Example.id > after,
            # An expression, so that no planner without statistics, as just after a large import, reads the index of
            # all annotations once for each example.
            Annotation.id + 0 <= cutoff,
            Annotation.payload.is_not(None),
            ~Annotation.is_proposal,
            ~select(later.id)
            .where(
                later.example_id == Annotation.example_id,
                later.id > Annotation.id,
                later.id + 0 <= cutoff,
                ~later.is_proposal,
            )
            .exists(),
        )
        .order_by(Example.id)
    )


def _examples_in(version: DatasetVersion) -> list[ColumnElement[bool]]:
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
