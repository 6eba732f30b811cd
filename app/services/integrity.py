"""Whether what the database speaks of is in the storage, and is what was stored."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import select

from app.db import session_scope
from app.errors import AnnotuneError
from app.models import DatasetVersion, Job, Project, Run
from app.services.runs import leaves_predictions, model_key, predictions_key
from app.services.version_files import data_key, is_export, manifest_key
from app.storage import get_storage


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A version, a model or a run's predictions, and what is wrong with the files."""

    name: str
    size: int
    problem: str | None


def examine(*, digests: bool) -> Iterator[StoredFile]:
    """All versions, models and predictions: that they are there, that versions and models have their size and, with
    `digests`, that every byte of these is as it was, which takes reading them all."""
    yield from _versions(digests)
    yield from _models(digests)
    yield from _predictions()


def _versions(digests: bool) -> Iterator[StoredFile]:
    query = (
        select(Project.name, DatasetVersion)
        .join(Project, Project.id == DatasetVersion.project_id)
        .where(DatasetVersion.sha256.is_not(None))
        .order_by(Project.name, DatasetVersion.number)
    )
    with session_scope(read_only=True) as session:
        rows = session.execute(query).all()
    storage = get_storage()
    for project, version in rows:
        problem = None
        try:
            storage.size(manifest_key(version.id))
            storage.check(
                data_key(version.id),
                size=version.size,
                sha256=version.sha256 if digests else None,
            )
        except (AnnotuneError, OSError) as error:
            problem = str(error)
        yield StoredFile(f"{project}, version {version.number}", version.size or 0, problem)


def _models(digests: bool) -> Iterator[StoredFile]:
    query = (
        select(Project.name, Run)
        .join(Project, Project.id == Run.project_id)
        .join(Job, Job.id == Run.job_id)
        .where(Run.model_size.is_not(None), Job.state == "succeeded")
        .order_by(Project.name, Run.created_at)
    )
    with session_scope(read_only=True) as session:
        rows = session.execute(query).all()
    for project, run in rows:
        problem = None
        try:
            get_storage().check_folder(model_key(run.id), size=run.model_size, digests=digests)
        except (AnnotuneError, OSError, ValueError) as error:
            problem = str(error)
        yield StoredFile(f"{project}, model of “{run.name}”", run.model_size or 0, problem)


def exports() -> tuple[int, int]:
    """How many files of exports are kept, and their bytes: all of them can be made again."""
    storage = get_storage()
    keys = [f"versions/{name}" for name in storage.names("versions") if is_export(name)]
    return len(keys), sum(map(storage.size, keys))


def _predictions() -> Iterator[StoredFile]:
    query = (
        select(Project.name, Run, Job.kind)
        .join(Project, Project.id == Run.project_id)
        .join(Job, Job.id == Run.job_id)
        .where(Job.state == "succeeded")
        .order_by(Project.name, Run.created_at)
    )
    with session_scope(read_only=True) as session:
        rows = session.execute(query).all()
    for project, run, kind in rows:
        if not leaves_predictions(kind, run.result):
            continue
        size, problem = 0, None
        try:
            size = get_storage().size(predictions_key(run.id))
        except (AnnotuneError, OSError) as error:
            problem = str(error)
        yield StoredFile(f"{project}, predictions of “{run.name}”", size, problem)
