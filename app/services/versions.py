"""Dataset versions: freezing a project's gold, once and for ever."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson
from pydantic import Field, model_validator
from sqlalchemy import ColumnElement, exists, func, select
from sqlalchemy.orm import Session, aliased

from app.db import session_scope
from app.errors import Conflict, InvalidInput, NotFound
from app.i18n import gettext as _
from app.models import (
    ACTIVE_STATES,
    Annotation,
    DatasetVersion,
    Example,
    Import,
    Job,
    Member,
    Project,
)
from app.services import audit, jobs, label_sets
from app.services.access import Actor, project_for
from app.services.projects import instruction
from app.storage import damaged, get_storage
from app.strict import StrictModel
from app.tasks import get_task

SPLITS = ("train", "validation", "test")
_CHUNK = 2000


class SplitPercent(StrictModel):
    """Whole per cents of the three splits; they add up to 100."""

    train: int = Field(80, ge=0, le=100)
    validation: int = Field(10, ge=0, le=100)
    test: int = Field(10, ge=0, le=100)

    @model_validator(mode="after")
    def _add_up(self) -> "SplitPercent":
        if self.train + self.validation + self.test != 100:
            raise ValueError("the three splits must add up to 100 per cent")
        return self


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


def data_key(version_id: str) -> str:
    """Where a version's canonical file lies in the storage."""
    return f"versions/{version_id}/data.jsonl"


def manifest_key(version_id: str) -> str:
    """Where its manifest lies."""
    return f"versions/{version_id}/manifest.json"


def create(
    session: Session,
    actor: Actor,
    project_id: str,
    *,
    note: str = "",
    split: SplitPercent | None = None,
) -> DatasetVersion:
    """Freeze what is gold at this moment. The file is written by a job; the number is given at once. The number of
    a newest version that failed or was cancelled is given again."""
    project_for(session, actor, project_id, "manager", write=True)
    project = label_sets.locked(session, project_id)
    if not project.labelled_count:
        raise InvalidInput(_("Nothing is labelled yet, so there is nothing to freeze."))
    _drop_unwritten(session, project_id)
    last = _newest(session, project_id)
    percent = split or SplitPercent(**(last.split_percent if last else {}))
    job = jobs.create(
        session, kind="freeze", queue="cpu", project_id=project_id, created_by=actor.user_id
    )
    version = DatasetVersion(
        project_id=project_id,
        number=last.number + 1 if last else 1,
        job_id=job.id,
        note=note.strip()[:5000],
        split_percent=percent.model_dump(),
        created_by=actor.user_id,
    )
    _take_state(session, version, project)
    session.add(version)
    session.flush()
    audit.record(
        session,
        user_id=actor.user_id,
        action="version.create",
        project_id=project_id,
        subject=str(version.number),
    )
    return version


def retry(session: Session, actor: Actor, project_id: str, number: int) -> DatasetVersion:
    """Write a version that failed or was cancelled after all, with what is gold now. Raises Conflict for another."""
    project_for(session, actor, project_id, "manager", write=True)
    project = label_sets.locked(session, project_id)
    version, job = get(session, actor, project_id, number)
    jobs.restart(session, job)
    _take_state(session, version, project)
    audit.record(
        session,
        user_id=actor.user_id,
        action="version.create",
        project_id=project_id,
        subject=str(version.number),
    )
    return version


def cancel(session: Session, actor: Actor, project_id: str, number: int) -> None:
    """Stop writing a version; it can be written after all with `retry`."""
    project_for(session, actor, project_id, "manager", write=True)
    _version, job = get(session, actor, project_id, number)
    jobs.request_cancel(session, job)


def _take_state(session: Session, version: DatasetVersion, project: Project) -> None:
    """Write down which state the version is of: as of now. The project is locked, under which alone imports come to
    count or to be taken back."""
    version.label_schema, version.instruction = project.label_schema, instruction(project)
    version.last_annotation_id = session.scalar(select(func.max(Annotation.id)))
    version.last_example_id = session.scalar(select(func.max(Example.id)))
    own = select(Import.id).where(Import.project_id == project.id)
    version.unpublished_imports = list(
        session.scalars(own.where(Import.job_id.is_not(None), Import.published_at.is_(None)))
    )
    version.undone_imports = list(
        session.scalars(
            own.join(Job, Job.id == Import.undo_job_id).where(Job.state.in_(ACTIVE_STATES))
        )
    )


def needs_rows_of(session: Session, row: Import) -> bool:
    """Whether a version is still to be written that holds an import's examples, so that none may be removed."""
    waiting = session.scalars(
        select(DatasetVersion.undone_imports)
        .join(Job, Job.id == DatasetVersion.job_id)
        .where(DatasetVersion.project_id == row.project_id, Job.state.in_(ACTIVE_STATES))
    )
    return any(row.id not in undone for undone in waiting)


def list_versions(
    session: Session, actor: Actor, project_id: str
) -> list[tuple[DatasetVersion, Job]]:
    """A project's versions with their jobs, newest first."""
    project_for(session, actor, project_id)
    rows = session.execute(
        select(DatasetVersion, Job)
        .join(Job, Job.id == DatasetVersion.job_id)
        .where(DatasetVersion.project_id == project_id)
        .order_by(DatasetVersion.number.desc())
    )
    return [(version, job) for version, job in rows]


def get(session: Session, actor: Actor, project_id: str, number: int) -> tuple[DatasetVersion, Job]:
    """One version with its job. Raises NotFound."""
    project_for(session, actor, project_id)
    row = session.execute(
        select(DatasetVersion, Job)
        .join(Job, Job.id == DatasetVersion.job_id)
        .where(DatasetVersion.project_id == project_id, DatasetVersion.number == number)
    ).first()
    if row is None:
        raise NotFound(_("This project has no version %(number)s.", number=number))
    return row.DatasetVersion, row.Job


def ready(session: Session, actor: Actor, project_id: str, number: int) -> DatasetVersion:
    """A version whose file is written. Raises Conflict while it is not."""
    version, job = get(session, actor, project_id, number)
    if version.sha256 is None:
        raise Conflict(
            _(
                "Version %(number)s is not ready: its job is %(state)s.",
                number=number,
                state=job.state,
            )
        )
    return version


def verify(version: DatasetVersion) -> None:
    """That the data of a written version is what was stored. Raises Gone or Damaged."""
    get_storage().verify(data_key(version.id), size=version.size, sha256=str(version.sha256))


def newest_ready(session: Session, project_id: str) -> int | None:
    """The number of the newest version whose file is written, for somebody who sees the project."""
    return session.scalar(
        select(func.max(DatasetVersion.number)).where(
            DatasetVersion.project_id == project_id, DatasetVersion.sha256.is_not(None)
        )
    )


def list_ready(
    session: Session, actor: Actor, task: str, *, limit: int = 200
) -> list[tuple[Project, DatasetVersion]]:
    """Written versions of all projects of a task that this person manages, the newest of each first."""
    query = (
        select(Project, DatasetVersion)
        .join(DatasetVersion, DatasetVersion.project_id == Project.id)
        .where(
            Project.task == task, Project.deleted_at.is_(None), DatasetVersion.sha256.is_not(None)
        )
        .order_by(Project.created_at.desc(), Project.id, DatasetVersion.number.desc())
        .limit(limit)
    )
    if not actor.is_admin:
        query = query.join(Member, Member.project_id == Project.id).where(
            Member.user_id == actor.user_id, Member.role == "manager"
        )
    return [(project, version) for project, version in session.execute(query)]


def manifest(session: Session, actor: Actor, project_id: str, number: int) -> dict[str, Any]:
    """What stands beside a version's data. Raises Conflict while it is not written, Gone or Damaged."""
    version = ready(session, actor, project_id, number)
    key = manifest_key(version.id)
    with get_storage().reading(key) as stream:
        try:
            found: dict[str, Any] = orjson.loads(stream.read())
            digest = found["version"]["sha256"]
        except (ValueError, LookupError, TypeError):
            digest = None
    if digest != version.sha256:
        raise damaged(key)
    return found


def run(claim: jobs.Claim) -> None:
    """Write the version that a job is for: the canonical file, its digest, its counts."""
    with session_scope(read_only=True) as session:
        version = session.scalars(
            select(DatasetVersion).where(DatasetVersion.job_id == claim.job_id)
        ).one()
        project = session.get_one(Project, version.project_id)
    digest, tally, size = hashlib.sha256(), _Tally(), 0
    storage = get_storage()
    with storage.writing(data_key(version.id)) as sink:
        for lines in _lines(version, project, tally):
            data = b"".join(lines)
            digest.update(data)
            size += len(data)
            sink.write(data)
            done = tally.splits.total()
            progress = {"done": done, "total": max(done, project.labelled_count)}
            if not jobs.renew(claim, progress):
                raise jobs.Cancelled
    counts = tally.counts()
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
        "counts": counts,
    }
    with storage.writing(manifest_key(version.id)) as sink:
        sink.write(orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    with session_scope() as session:
        total = counts["examples"]
        jobs.succeed(session, claim, {"done": total, "total": total})
        row = session.get_one(DatasetVersion, version.id)
        row.counts, row.size, row.sha256 = counts, size, digest.hexdigest()


def _lines(version: DatasetVersion, project: Project, tally: _Tally) -> Iterator[list[bytes]]:
    """The canonical lines in example order, some thousands at a time, each read in its own transaction."""
    task = get_task(project.task)
    shared = shared_splits(*_examples_in(version))
    after = 0
    while True:
        with session_scope(read_only=True) as session:
            rows = session.execute(_gold_as_of(version, after).limit(_CHUNK)).all()
        if not rows:
            return
        lines = []
        for example, payload in rows:
            split = (
                shared.get(example.content_hash)
                or example.split
                or split_of(example.content_hash, version.split_percent)
            )
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
            *_examples_in(version),
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


def split_of(content_hash: str, percent: dict[str, Any]) -> str:
    """The split a text falls into: its hash as a point of [0, 100), test first, then validation, then train.

    It depends on the text and the per cents alone, so an example stays where it is from version to
    version, and equal texts stay together.
    """
    point = int(content_hash[:13], 16) / 16**13 * 100
    if point < percent["test"]:
        return "test"
    return "validation" if point < percent["test"] + percent["validation"] else "train"


def shared_splits(*which: ColumnElement[bool]) -> dict[str, str]:
    """Texts that stand among these examples more than once and were imported for a certain split.

    All their copies go to the split that is hardest to leak from: test, then validation.
    """
    with session_scope(read_only=True) as session:
        rows = session.execute(
            select(
                Example.content_hash, func.count(), func.min(Example.split), func.max(Example.split)
            )
            .where(*which)
            .group_by(Example.content_hash)
            .having((func.count() > 1) & (func.count(Example.split) > 0))
        ).all()
    # Alphabetically test < train < validation: the least and the greatest tell of all three.
    return {
        digest: "test"
        if "test" in (least, most)
        else "validation"
        if most == "validation"
        else "train"
        for digest, _n, least, most in rows
    }


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


def _drop_unwritten(session: Session, project_id: str) -> None:
    """Remove the newest version, if it never came to be."""
    last = _newest(session, project_id)
    if last is None or last.sha256 is not None:
        return
    job = session.get_one(Job, last.job_id)
    if job.state in ("failed", "cancelled"):
        session.delete(last)
        session.flush()
        session.delete(job)
        session.flush()


def _newest(session: Session, project_id: str) -> DatasetVersion | None:
    return session.scalar(
        select(DatasetVersion)
        .where(DatasetVersion.project_id == project_id)
        .order_by(DatasetVersion.number.desc())
        .limit(1)
    )
