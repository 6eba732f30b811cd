"""What a backup says of itself, and whether that is so.

A backup is a folder: `manifest.json`, the database in one file, and `files/` with the stored files under their
keys. The manifest is written last and names every file with its size and digest.
"""

import hashlib
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import IO, Literal

from pydantic import BaseModel, ValidationError

from app.errors import AnnotuneError
from app.storage import CHUNK

NAME = "manifest.json"
FILES = "files"
DATABASES = {"sqlite": "database.sqlite3", "postgresql": "database.pgdump"}


class BackupError(AnnotuneError):
    """A backup that cannot be made, or is not to be trusted."""

    status = 409


class StoredFile(BaseModel):
    """A file of the backup."""

    size: int
    sha256: str


class Manifest(BaseModel):
    """All that is in a backup."""

    layout: Literal[1] = 1
    """The form of backups; a program refuses one that it does not know."""
    annotune: str
    """The version of the program that made it."""
    revision: str
    """The schema of the database."""
    database: Literal["sqlite", "postgresql"]
    created_at: datetime
    rows: dict[str, int]
    """Rows of each table."""
    files: dict[str, StoredFile]
    """By their path in the folder."""
    missing: list[str] = []
    """Keys that the database names and the storage does not have: it had lost them before."""
    damaged: list[str] = []
    """Keys of files that were not what had been stored; they are in the backup as they were found."""

    @property
    def is_whole(self) -> bool:
        """Whether it has every file that the database names, as it was stored."""
        return not self.missing and not self.damaged


def copy(source: IO[bytes], target: Path) -> StoredFile:
    """Write a file to the disk itself, for this user alone; what was read."""
    digest, size = hashlib.sha256(), 0
    for folder in reversed([folder for folder in target.parents if not folder.exists()]):
        folder.mkdir(mode=0o700)
    with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as sink:
        while chunk := source.read(CHUNK):
            digest.update(chunk)
            size += len(chunk)
            sink.write(chunk)
        sink.flush()
        os.fsync(sink.fileno())
    return StoredFile(size=size, sha256=digest.hexdigest())


def measure(path: Path) -> StoredFile:
    """A file as it lies on the disk."""
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return StoredFile(size=path.stat().st_size, sha256=digest)


def read(folder: Path) -> Manifest:
    """The manifest of a backup. Raises BackupError."""
    path = folder / NAME
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise BackupError(
            f"{folder} is no whole backup: it has no {NAME}, which is written last."
        ) from None
    except (ValidationError, OSError) as error:
        raise BackupError(
            f"{path} cannot be read. It is damaged, or a newer version of Annotune wrote it: {error}"
        ) from error


def verify(folder: Path) -> Manifest:
    """Read everything, and compare it with the manifest. Raises BackupError for the first difference."""
    manifest = read(folder)
    for name, expected in manifest.files.items():
        path = folder / name
        if not path.is_file():
            raise BackupError(f"The backup lacks {name}.")
        if measure(path) != expected:
            raise BackupError(f"{name} is not what was backed up: its digest is another.")
    for name in _found(folder):
        if name not in manifest.files and name != NAME:
            raise BackupError(f"The backup has a file that it does not name: {name}.")
    return manifest


def _found(folder: Path) -> Iterator[str]:
    for path in folder.rglob("*"):
        if path.is_file():
            yield path.relative_to(folder).as_posix()
