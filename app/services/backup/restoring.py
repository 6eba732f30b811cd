"""Bringing a backup back: everything is checked first, the files come before the database that names them."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from app import db
from app.migrate import knows, migrate
from app.services.backup import databases
from app.services.backup.manifest import (
    DATABASES,
    FILES,
    BackupError,
    Manifest,
    StoredFile,
    read,
    verify,
)
from app.services.housekeeping import OWNERS
from app.settings import get_settings
from app.storage import CHUNK, get_storage, is_full

Say = Callable[[str], object]


def restore(folder: Path, *, replace: bool = False, say: Say = lambda _line: None) -> Manifest:
    """Bring a backup back into the database and the storage that the settings name, and the database up to this
    program's schema. Raises BackupError, mostly before anything was changed.

    `replace`: also where there is data already; the database is replaced as a whole, and files that nothing names
    any more are cleared away later, by the workers.
    """
    _require_known(folder)
    try:
        with _alone():
            return _restore(folder, replace, say)
    except OSError as error:
        if is_full(error):
            raise
        where = f" ({error.filename})" if error.filename else ""
        raise BackupError(f"The backup cannot be restored: {error.strerror}{where}.") from error


def _restore(folder: Path, replace: bool, say: Say) -> Manifest:
    say("Checking the backup …")
    manifest = verify(folder)
    _require_room(replace)
    stored = {name: file for name, file in manifest.files.items() if name.startswith(FILES)}
    say(f"Restoring {len(stored)} files …")
    for name, file in stored.items():
        _store(folder / name, name.removeprefix(f"{FILES}/"), file)
    say("Restoring the database …")
    db.dispose()
    databases.load(folder / DATABASES[manifest.database], manifest.rows)
    migrate()
    db.dispose()
    return manifest


def _require_known(folder: Path) -> None:
    manifest = read(folder)
    if not knows(manifest.revision):
        raise BackupError(
            f"The backup was made by a newer version of Annotune ({manifest.annotune}). Install that one, or a later "
            "one, and restore with it."
        )
    if manifest.database != databases.kind():
        raise BackupError(
            f"The backup is of {manifest.database}, and the settings name {databases.kind()}: set "
            "ANNOTUNE_DATABASE_URL to a database of the same kind."
        )


def _require_room(replace: bool) -> None:
    if others := databases.others_connected():
        raise BackupError(
            f"{others} other connections to the database are open. Stop Annotune, its workers too, and try again."
        )
    if replace:
        return
    if not databases.is_empty():
        raise BackupError(
            "There is data in the database already. --replace replaces all of it; make a backup of it first."
        )
    storage = get_storage()
    if any(storage.names(prefix) for prefix in OWNERS):
        raise BackupError(
            f"There are files in {get_settings().storage} already. --replace restores beside them."
        )


def _store(path: Path, key: str, expected: StoredFile) -> None:
    """Store a file, and read it again from there."""
    storage = get_storage()
    with path.open("rb") as source, storage.writing(key) as sink:
        while chunk := source.read(CHUNK):
            sink.write(chunk)
    if storage.sha256(key) != expected.sha256:
        raise BackupError(f"{key} does not read from the storage as it was written.")


@contextmanager
def _alone() -> Iterator[None]:
    """Hold the data folder, as `annotune up` does while it runs."""
    folder = get_settings().data_dir
    made = not folder.exists()
    if made:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / "annotune.lock"
    with os.fdopen(os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600), "a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BackupError(
                f"Annotune runs on the data folder {folder.resolve()}. Stop it, and try again."
            ) from None
        try:
            yield
        except BaseException:
            if made:  # and nothing else lies there: what was refused leaves nothing behind
                path.unlink(missing_ok=True)
                with suppress(OSError):
                    folder.rmdir()
            raise
