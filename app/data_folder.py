"""The data folder: labels, passwords' hashes and models, which no other user of the machine is to read."""

import os
import stat
from pathlib import Path

import structlog

from app.settings import Settings

OTHERS = stat.S_IRWXG | stat.S_IRWXO
_SQLITE = ("annotune.sqlite3", "annotune.sqlite3-wal", "annotune.sqlite3-shm")
RESTORING = ".restoring"
"""Behind the name of a database that is being restored, until it is whole."""
_OURS = frozenset({"annotune.sqlite3", "annotune.lock"})

log = structlog.get_logger()


def make(settings: Settings) -> None:
    """Make the folder, and the SQLite file in it, for this user alone. What is there already stays as it is. Raises
    OSError where the folder cannot be made."""
    folder = settings.data_dir
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
    if settings.database_url is None:
        # SQLite gives its other files the mode of this one.
        database = folder / _SQLITE[0]
        if not database.exists():
            os.close(os.open(database, os.O_CREAT | os.O_WRONLY, 0o600))


def probe(settings: Settings) -> None:
    """Write into the folder and take it back. Raises OSError where that cannot be."""
    file = settings.data_dir.resolve() / f".writable-{os.getpid()}"
    file.touch()
    file.unlink()


def keep_private(settings: Settings) -> None:
    """Make the folder, close it where an earlier release left it open, and let this process make what its user alone
    can read. A storage elsewhere may be shared with the users of other machines, so there the system's own rule
    stands; and so it does for a folder of somebody else's things."""
    folder = settings.data_dir
    is_ours = not folder.exists() or _is_ours(folder)
    make(settings)
    for path in (folder, *(folder / name for name in _SQLITE)):
        if is_ours or path != folder:
            _close(path)
    if settings.storage_url is None:
        os.umask(0o077)


def _is_ours(folder: Path) -> bool:
    """Whether a folder is empty or holds what we put there: a mistyped one may be the whole system's."""
    names = {path.name for path in folder.iterdir()}
    return not names or bool(names & _OURS)


def missing_database(settings: Settings) -> Path | None:
    """The SQLite file that the settings name, if it is not there: opening it would make it."""
    scheme, _colon, path = settings.database.partition(":///")
    file = Path(path.partition("?")[0])
    is_file = scheme.startswith("sqlite") and path not in ("", ":memory:")
    return file if is_file and not file.exists() else None


def broken_restore(settings: Settings) -> Path | None:
    """What a restore has left that did not come to its end, where there is no database but that."""
    missing = missing_database(settings)
    part = None if missing is None else missing.with_name(f"{missing.name}{RESTORING}")
    return part if part is not None and part.exists() else None


def is_open(path: Path) -> bool:
    """Whether other users of this machine may do anything with it."""
    return bool(path.stat().st_mode & OTHERS)


def _close(path: Path) -> None:
    try:
        if not is_open(path):
            return
        path.chmod(path.stat().st_mode & ~OTHERS & 0o7777)
    except FileNotFoundError:
        return
    except OSError as error:  # another user's: the doctor says so
        log.warning("data_open_to_others", path=str(path), error=str(error))
        return
    log.warning("data_closed_to_others", path=str(path))
