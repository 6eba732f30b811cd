"""Files that outlive a request: uploads, versions, models. A local folder, or any fsspec URL.

Keys are built by the code from ids (`versions/<id>/data.jsonl`), never from what a person typed.
"""

import errno
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import IO

import fsspec
from fsspec.implementations.local import LocalFileSystem

from app.errors import NotFound
from app.models.base import new_id
from app.settings import get_settings

_KEY = re.compile(r"[a-z]+(?:/[A-Za-z0-9][A-Za-z0-9_.-]*)+")
CHUNK = 1 << 20
PART = ".part"
"""How the name of a file ends that is still being written."""


def is_full(error: OSError) -> bool:
    """Whether it says that the disk, or this user's share of it, is full."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


class Storage:
    """A flat space of keys over one fsspec file system."""

    def __init__(self, url: str) -> None:
        self.fs, root = fsspec.core.url_to_fs(url)
        self.root = str(root).rstrip("/")
        self.is_local = isinstance(self.fs, LocalFileSystem)

    def path(self, key: str) -> str:
        """The file system's name for a key."""
        if not _KEY.fullmatch(key):
            raise ValueError(f"not a storage key: {key!r}")
        return f"{self.root}/{key}"

    @contextmanager
    def writing(self, key: str) -> Iterator[IO[bytes]]:
        """Write a file that appears whole under its key at the end, or not at all."""
        path = self.path(key)
        self.fs.makedirs(path.rsplit("/", 1)[0], exist_ok=True)
        part = f"{path}.{new_id()}{PART}"
        try:
            with self.fs.open(part, "wb") as stream:
                yield stream
                if self.is_local:
                    stream.flush()
                    os.fsync(stream.fileno())
            if self.is_local:
                Path(part).replace(path)
            else:
                self.fs.mv(part, path)
        except BaseException:
            with suppress(FileNotFoundError):
                self.fs.rm(part)
            raise

    @contextmanager
    def reading(self, key: str) -> Iterator[IO[bytes]]:
        """Read a file. Raises NotFound."""
        try:
            stream = self.fs.open(self.path(key), "rb")
        except FileNotFoundError:
            raise NotFound(f"The stored file {key} is missing.") from None
        with stream:
            yield stream

    def size(self, key: str) -> int:
        """Bytes of a file. Raises NotFound."""
        try:
            return int(self.fs.size(self.path(key)))
        except FileNotFoundError:
            raise NotFound(f"The stored file {key} is missing.") from None

    def names(self, prefix: str, *, parts: bool = False) -> list[str]:
        """The names below a folder key, relative to it, sorted; with or without files that are not whole."""
        base = f"{self.root}/{prefix}"
        found = (str(name)[len(base) + 1 :] for name in self.fs.find(base))
        return sorted(name for name in found if parts or not name.endswith(PART))

    def modified(self, key: str) -> datetime:
        """When a file was written; now, where there is none any more."""
        try:
            found: datetime = self.fs.modified(self.path(key))
        except FileNotFoundError:
            return datetime.now(UTC)
        return found if found.tzinfo else found.replace(tzinfo=UTC)

    def remove(self, key: str) -> None:
        """Remove a file or a folder; nothing happens where there is none."""
        with suppress(FileNotFoundError):
            self.fs.rm(self.path(key), recursive=True)

    def put_folder(self, folder: Path, key: str) -> int:
        """Store a folder's files under a key; the bytes stored. What was there before is replaced."""
        self.remove(key)
        size = 0
        try:
            for file in sorted(p for p in folder.rglob("*") if p.is_file()):
                size += file.stat().st_size
                with (
                    file.open("rb") as source,
                    self.writing(f"{key}/{file.relative_to(folder)}") as sink,
                ):
                    shutil.copyfileobj(source, sink, CHUNK)
        except OSError:  # a part of it is of no use, and where the disk is full it takes room
            self.remove(key)
            raise
        return size

    def fetch_folder(self, key: str, folder: Path) -> Path:
        """Copy a stored folder to a local one, once. Local storage is used in place."""
        if self.is_local:
            path = Path(self.path(key))
            if not path.is_dir():
                raise NotFound(f"The stored folder {key} is missing.")
            return path
        if not folder.is_dir():
            part = folder.with_name(f"{folder.name}.{new_id()}{PART}")
            names = self.names(key)
            if not names:
                raise NotFound(f"The stored folder {key} is missing.")
            for name in names:
                target = part / name
                target.parent.mkdir(parents=True, exist_ok=True)
                with self.reading(f"{key}/{name}") as source, target.open("wb") as sink:
                    shutil.copyfileobj(source, sink, CHUNK)
            with suppress(OSError):  # somebody else was quicker
                part.rename(folder)
        return folder

    def fetch_file(self, key: str, folder: Path) -> Path:
        """A local path of a stored file; copied into the folder unless the storage is local."""
        if self.is_local:
            path = Path(self.path(key))
            if not path.is_file():
                raise NotFound(f"The stored file {key} is missing.")
            return path
        target = folder / key.rsplit("/", 1)[1]
        folder.mkdir(parents=True, exist_ok=True)
        with self.reading(key) as source, target.open("wb") as sink:
            shutil.copyfileobj(source, sink, CHUNK)
        return target


@cache
def get_storage() -> Storage:
    """The storage of this process."""
    return Storage(get_settings().storage)
