"""Making a backup: the database first, then the files that it names.

In this order nothing is lacking: a file is whole before the database names it, and never changes after. What is made
meanwhile is not in the backup. Where something is deleted meanwhile whose file was still to be copied, the database
is copied anew.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib.metadata import version
from io import BytesIO
from pathlib import Path

from sqlalchemy import Connection, Table, inspect, select
from sqlalchemy.sql.visitors import iterate

from app.errors import AnnotuneError, NotFound
from app.models import ACTIVE_STATES, DatasetVersion, Import, Job, Run, new_id, now
from app.services.backup import databases
from app.services.backup.manifest import (
    DATABASES,
    FILES,
    NAME,
    BackupError,
    Manifest,
    StoredFile,
    copy,
    measure,
    verify,
)
from app.services.housekeeping import OWNERS
from app.services.runs import leaves_predictions, predictions_key
from app.services.version_files import data_key, is_export, manifest_key
from app.settings import get_settings
from app.storage import DIGESTS, get_storage

_TRIES = 3
Say = Callable[[str], object]


def create(folder: Path, say: Say = lambda _line: None) -> Manifest:
    """Back up everything into a folder that does not exist yet or is empty. It appears there when it is whole and
    was read again. Raises BackupError."""
    folder = folder.resolve()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BackupError(f"{folder} is not empty. Name a new folder for each backup.")
    for live in _live_folders():
        if folder.is_relative_to(live):
            raise BackupError(
                f"{folder} lies in {live}, the very data that it is to save: name a folder elsewhere, on another disk "
                "if there is one."
            )
    if not folder.parent.is_dir():
        raise BackupError(f"There is no folder {folder.parent}.")
    part = folder.with_name(f"{folder.name}.{new_id()}.part")
    try:
        part.mkdir(mode=0o700)
        manifest = _fill(part, say)
        say("Reading it again …")
        verify(part)
        part.rename(folder)
        _sync(folder.parent)
    except OSError as error:
        raise BackupError(f"The backup cannot be written to {folder}: {error.strerror}") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return manifest


def _live_folders() -> list[Path]:
    """Folders of this machine that hold what is backed up."""
    storage = get_storage()
    found = [get_settings().data_dir]
    if storage.is_local:
        found.append(Path(storage.root))
    return [path.resolve() for path in found]


def _fill(part: Path, say: Say) -> Manifest:
    kind = databases.kind()
    database = part / DATABASES[kind]
    files: dict[str, StoredFile] = {}
    before: list[str] | None = None
    for attempt in range(_TRIES):
        database.unlink(missing_ok=True)
        say("Copying the database …")
        with databases.snapshot(database) as connection:
            revision, rows = databases.revision(connection), databases.count_rows(connection)
            needed, digests = _needed(connection), _digests(connection)
        digests |= _digests_of_folders(needed)
        new = [key for key in needed if f"{FILES}/{key}" not in files and key not in (before or ())]
        say(f"Copying {len(new)} files …")
        missing = [key for key in needed if not _copy_file(part, key, files)]
        # What the newer copy names as well was not deleted meanwhile: it is lost.
        if not missing or missing == before or attempt == _TRIES - 1:
            break
        before = missing
        say(f"{len(missing)} of them are not there. Looking whether they were deleted meanwhile …")
    for name in files.keys() - {f"{FILES}/{key}" for key in needed}:  # of what is deleted by now
        del files[name]
        (part / name).unlink()
    files[database.name] = measure(database)
    manifest = Manifest(
        annotune=version("annotune"),
        revision=revision,
        database=kind,
        created_at=now(),
        rows=rows,
        files=dict(sorted(files.items())),
        missing=sorted(missing),
        damaged=[key for key in needed if _is_damaged(key, files, digests)],
    )
    path = part / NAME
    copy(BytesIO(manifest.model_dump_json(indent=2).encode()), path)
    for done in (path, *part.rglob("*/"), part):
        _sync(done)
    return manifest


def _needed(connection: Connection) -> list[str]:
    """Keys of the files that the database names, uploads first: they go when their import has ended."""
    storage = get_storage()
    found = dict.fromkeys(_promised(connection))
    there = set(inspect(connection).get_table_names())
    for prefix, owners in OWNERS.items():
        if not {table.name for table in iterate(owners) if isinstance(table, Table)} <= there:
            continue  # the database is of an earlier release, which had no such files
        known = set(connection.scalars(owners))
        for name in storage.names(prefix):
            if name.replace(".", "/").split("/")[0] in known and not is_export(name):
                found[f"{prefix}/{name}"] = None
    return sorted(found, key=lambda key: (not key.startswith("uploads/"), key))


def _promised(connection: Connection) -> Iterator[str]:
    """Files that must be there, by what their rows say."""
    for id_ in connection.scalars(
        select(DatasetVersion.id).where(DatasetVersion.sha256.is_not(None))
    ):
        yield data_key(id_)
        yield manifest_key(id_)
    waiting = select(Import.id).outerjoin(Job, Job.id == Import.job_id)
    for id_ in connection.scalars(waiting.where(Job.state.in_(ACTIVE_STATES))):
        yield f"uploads/{id_}"
    storage = get_storage()
    for id_ in connection.scalars(select(Run.id).where(Run.model_size.is_not(None))):
        if not storage.names(f"models/{id_}"):
            yield f"models/{id_}/config.json"
    results = select(Run.id, Job.kind, Run.result).join(Job, Job.id == Run.job_id)
    for id_, kind, result in connection.execute(results.where(Job.state == "succeeded")):
        if leaves_predictions(kind, result):
            yield predictions_key(id_)


def _digests(connection: Connection) -> dict[str, str]:
    """Digests that the database has of files."""
    versions = connection.execute(select(DatasetVersion.id, DatasetVersion.sha256))
    uploads = connection.execute(select(Import.id, Import.sha256))
    found = {data_key(id_): digest for id_, digest in versions if digest}
    return found | {f"uploads/{id_}": digest for id_, digest in uploads}


def _digests_of_folders(needed: list[str]) -> dict[str, str]:
    """Digests that were stored beside files: those of models."""
    found: dict[str, str] = {}
    for key in needed:
        folder, _slash, name = key.rpartition("/")
        if name == DIGESTS:
            with suppress(AnnotuneError):  # it is missing or damaged itself
                found |= {f"{folder}/{file}": told for file, told in get_storage().digests(folder)}
    return found


def _is_damaged(key: str, files: dict[str, StoredFile], digests: dict[str, str]) -> bool:
    file = files.get(f"{FILES}/{key}")
    return file is not None and digests.get(key, file.sha256) != file.sha256


def _copy_file(part: Path, key: str, files: dict[str, StoredFile]) -> bool:
    """Copy a stored file, unless it was before. False: it is not there."""
    name = f"{FILES}/{key}"
    if name in files:
        return True
    try:
        with get_storage().reading(key) as source:
            files[name] = copy(source, part / name)
    except NotFound:
        return False
    return True


def _sync(path: Path) -> None:
    """Have the system write a file, or a folder's list of names, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
