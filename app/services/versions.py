"""Dataset versions: freezing a project's gold, once and for ever."""

import hashlib
from typing import Any

import orjson
from pydantic import Field, model_validator
from sqlalchemy import func, select
from sqlalchemy.orm import Session

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
    User,
)
from app.services import audit, import_updates, jobs, label_sets
from app.services.access import Actor, project_for
from app.services.projects import instruction
from app.services.splits import Move, Splits
from app.services.version_files import manifest_key
from app.storage import damaged, get_storage
from app.strict import StrictModel

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


def create(
    session: Session,
    actor: Actor,
    project_id: str,
    *,
    note: str = "",
    split: SplitPercent | None = None,
    keep_splits: bool = True,
) -> DatasetVersion:
    """Freeze what is gold at this moment. The file is written by a job; the number is given at once. The number of
    a newest version that failed or was cancelled is given again.

    `keep_splits`: examples stay in the splits that the version before has them in; else all are split anew by the
    per cents and by what their files say."""
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
        keeps_splits=keep_splits,
        created_by=actor.user_id,
    )
    _take_state(session, version, project)
    session.add(version)
    session.flush()
    _note_created(session, actor, version)
    return version


def retry(session: Session, actor: Actor, project_id: str, number: int) -> DatasetVersion:
    """Write a version that failed or was cancelled after all, with what is gold now. Raises Conflict for another."""
    project_for(session, actor, project_id, "manager", write=True)
    project = label_sets.locked(session, project_id)
    version, job = get(session, actor, project_id, number)
    jobs.restart(session, job)
    _take_state(session, version, project)
    _note_created(session, actor, version)
    return version


def cancel(session: Session, actor: Actor, project_id: str, number: int) -> None:
    """Stop writing a version; it can be written after all with `retry`."""
    project_for(session, actor, project_id, "manager", write=True)
    _version, job = get(session, actor, project_id, number)
    jobs.request_cancel(session, job)


def _note_created(session: Session, actor: Actor, version: DatasetVersion) -> None:
    audit.record(
        session,
        user_id=actor.user_id,
        action="version.create",
        project_id=version.project_id,
        subject=str(version.number),
    )


def _take_state(session: Session, version: DatasetVersion, project: Project) -> None:
    """Write down which state the version is of: as of now. The project is locked, under which alone imports come to
    count or to be taken back."""
    import_updates.check_none_is_going_on(session, project.id)
    version.label_schema = label_sets.frozen(project)
    version.instruction, version.guidelines = instruction(project), project.guidelines
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
        data = stream.read()
    try:
        found: dict[str, Any] = orjson.loads(data)
        digest = found["version"]["sha256"]
    except (ValueError, LookupError, TypeError):
        digest = None
    own = version.manifest_sha256
    if digest != version.sha256 or own not in (None, hashlib.sha256(data).hexdigest()):
        raise damaged(key)
    return found


def lineage(session: Session, actor: Actor, project_id: str, number: int) -> dict[str, Any] | None:
    """Where a version is from, by its manifest, with the names of its annotators as far as they have accounts. None
    where it is not written, or by a release that did not keep that. Raises Gone or Damaged."""
    version, _job = get(session, actor, project_id, number)
    if version.manifest_sha256 is None:
        return None
    found: dict[str, Any] = manifest(session, actor, project_id, number)["lineage"]
    ids = [one["annotator"] for one in found["annotators"]]
    names = {user.id: user.name for user in session.scalars(select(User).where(User.id.in_(ids)))}
    people = [one | {"name": names.get(one["annotator"])} for one in found["annotators"]]
    return found | {"annotators": people}


def moves(
    session: Session, actor: Actor, project_id: str, percent: SplitPercent
) -> tuple[int | None, list[Move]]:
    """The number of the newest written version, and which examples would be in another split than versions up to it
    have them in, if all were split anew by these per cents."""
    project_for(session, actor, project_id)
    number = newest_ready(session, project_id)
    if number is None:
        return None, []
    which = [Example.project_id == project_id, Example.status == "labelled"]
    splits = Splits(which, percent.model_dump(), project_id, before=number + 1, keep=False)
    after = 0
    query = select(Example.id, Example.content_hash, Example.split).where(*which)
    while rows := session.execute(
        query.where(Example.id > after).order_by(Example.id).limit(_CHUNK)
    ).all():
        splits.decide([(row.content_hash, row.split) for row in rows])
        after = rows[-1].id
    return number, splits.moves()


def number_before(session: Session, version: DatasetVersion) -> int | None:
    """The number of the version that this one is compared with, if there is one."""
    before = written_before(session, version)
    return before.number if before else None


def written_before(session: Session, version: DatasetVersion) -> DatasetVersion | None:
    """The newest version before this one whose file is written."""
    return session.scalar(
        select(DatasetVersion)
        .where(
            DatasetVersion.project_id == version.project_id,
            DatasetVersion.number < version.number,
            DatasetVersion.sha256.is_not(None),
        )
        .order_by(DatasetVersion.number.desc())
        .limit(1)
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
