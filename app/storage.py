"""Files that outlive a request: uploads, versions, models. A local folder, or any fsspec URL.

Keys are built by the code from ids (`versions/<id>/data.jsonl`), never from what a person typed.
"""

import errno
import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import IO

from app.errors import Damaged, Gone
from app.i18n import gettext as _
from app.models.base import new_id
from app.settings import get_settings

_KEY = re.compile(r"[a-z]+(?:/[A-Za-z0-9][A-Za-z0-9_.-]*)+")
CHUNK = 1 << 20
DIGESTS = "SHA256SUMS"
"""The file of a stored folder that has the digests of the others, as `sha256sum --check` reads it."""
PART = ".part"
"""How the name of a file ends that is still being written."""
_MAX_REMEMBERED = 10_000
"""Files that a process remembers to be whole."""
_MARKS = (
    "ETag",
    "etag",
    "md5Hash",
    "generation",
    "LastModified",
    "last_modified",
    "mtime",
    "created",
)
"""What fsspec's file systems call that which changes with a file's content."""


def is_full(error: BaseException | None) -> bool:
    """Whether it says that the disk, or this user's share of it, is full."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


class Storage:
    """A flat space of keys over one fsspec file system."""

    def __init__(self, url: str, *, private: bool = False) -> None:
        """`private`: a local folder of which other users of the machine see nothing."""
        import fsspec
        from fsspec.implementations.local import LocalFileSystem

        self.fs, root = fsspec.core.url_to_fs(url)
        self._private = private
        self.root = str(root).rstrip("/")
        self._whole: dict[str, tuple[str, tuple[object, ...]]] = {}
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
        part = f"{path}.{new_id()}{PART}"
        try:
            with self._create(part) as stream:
                yield stream
                if self.is_local:
                    stream.flush()
                    os.fsync(stream.fileno())
            if self.is_local:
                Path(part).replace(path)
                _sync_folder(Path(path).parent)
            else:
                self.fs.mv(part, path)
        except BaseException:
            with suppress(
                OSError
            ):  # not there, or the storage is away: what counts is the first error
                self.fs.rm(part)
            raise

    def _create(self, path: str) -> IO[bytes]:
        if not self.is_local:
            self.fs.makedirs(path.rsplit("/", 1)[0], exist_ok=True)
            opened: IO[bytes] = self.fs.open(path, "wb")
            return opened
        folder = Path(path).parent
        for missing in reversed([p for p in (folder, *folder.parents) if not p.exists()]):
            missing.mkdir(0o700 if self._private else 0o777, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        return os.fdopen(os.open(path, flags, 0o600 if self._private else 0o666), "wb")

    @contextmanager
    def reading(self, key: str) -> Iterator[IO[bytes]]:
        """Read a file. Raises Gone."""
        try:
            stream = self.fs.open(self.path(key), "rb")
        except FileNotFoundError:
            raise _gone(key) from None
        with stream:
            yield stream

    def size(self, key: str) -> int:
        """Bytes of a file. Raises Gone."""
        try:
            return int(self.fs.size(self.path(key)))
        except FileNotFoundError:
            raise _gone(key) from None

    def check(self, key: str, *, size: int | None = None, sha256: str | None = None) -> None:
        """Raises Gone for a file that is missing, Damaged for one that is not what was stored. The digest takes
        reading all of it."""
        if size is not None and self.size(key) != size:
            raise damaged(key)
        if sha256 is not None and self.sha256(key) != sha256:
            raise damaged(key)

    def verify(self, key: str, *, size: int | None, sha256: str) -> None:
        """The same by size and digest, for those who ask often: a file is read once in the life of this process, and
        after that only when the file system says that it has changed."""
        self.check(key, size=size)
        stamp = self._stamp(
            key
        )  # before it is read: a change while it is read is seen the next time
        if stamp is not None and self._whole.get(key) == (sha256, stamp):
            return
        self.check(key, sha256=sha256)
        self._remember(key, sha256, stamp)

    def trust(self, key: str, sha256: str) -> None:
        """Let `verify` take a file that this process has just written for whole."""
        self._remember(key, sha256, self._stamp(key))

    def _remember(self, key: str, sha256: str, stamp: tuple[object, ...] | None) -> None:
        if stamp is not None:
            if len(self._whole) >= _MAX_REMEMBERED:
                self._whole.clear()
            self._whole[key] = (sha256, stamp)

    def _stamp(self, key: str) -> tuple[object, ...] | None:
        """What changes with the file's content; None if the file system says nothing of the sort. Raises Gone."""
        path = self.path(key)
        try:
            if self.is_local:
                stat = Path(path).stat()
                return stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns
            info = self.fs.info(path)
        except FileNotFoundError:
            raise _gone(key) from None
        marks = tuple(str(info[name]) for name in _MARKS if info.get(name) is not None)
        return (info.get("size"), *marks) if marks else None

    def check_folder(self, key: str, *, size: int | None, digests: bool) -> None:
        """The same for a folder: that it has all its files, by their bytes together and, with `digests`, by the digests
        that were stored with it, where there are any."""
        stored = self._check_names(key, size=size)
        for name, digest in stored if digests else ():
            self.check(f"{key}/{name}", sha256=digest)

    def verify_folder(self, key: str, *, size: int | None) -> list[tuple[str, str]]:
        """The same by all of it, for those who ask often, as `verify` is for a file; what `digests` returns."""
        stored = self._check_names(key, size=size)
        for name, digest in stored:
            self.verify(f"{key}/{name}", size=None, sha256=digest)
        return stored

    def _check_names(self, key: str, *, size: int | None) -> list[tuple[str, str]]:
        names = [name for name in self.names(key) if name != DIGESTS]
        if not names:
            raise _gone(key)
        stored = self.digests(key)
        for name, _digest in stored:
            if name not in names:
                raise _gone(f"{key}/{name}")
        if size is not None and sum(self.size(f"{key}/{name}") for name in names) != size:
            raise damaged(key)
        return stored

    def digests(self, key: str) -> list[tuple[str, str]]:
        """The names of a folder's files with the digests that were stored with it; none, where there are none. Raises
        Damaged where these are no digests."""
        try:
            with self.reading(f"{key}/{DIGESTS}") as stream:
                data = stream.read()
        except Gone:
            return []
        try:
            pairs = [line.split("  ", 1) for line in data.decode().splitlines()]
            return [(name, digest) for digest, name in pairs]
        except ValueError:
            raise damaged(f"{key}/{DIGESTS}") from None

    def sha256(self, key: str) -> str:
        """The digest of a file, which is read for it. Raises Gone."""
        with self.reading(key) as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()  # type: ignore[arg-type]

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
        """Store a folder's files under a key, with their digests; the bytes stored, without those. What was there
        before is replaced."""
        self.remove(key)
        size = 0
        digests = []
        try:
            for file in sorted(p for p in folder.rglob("*") if p.is_file()):
                name = file.relative_to(folder).as_posix()
                digest = hashlib.sha256()
                with file.open("rb") as source, self.writing(f"{key}/{name}") as sink:
                    while chunk := source.read(CHUNK):
                        digest.update(chunk)
                        size += sink.write(chunk)
                digests.append(f"{digest.hexdigest()}  {name}\n")
            with self.writing(f"{key}/{DIGESTS}") as sink:
                sink.write("".join(digests).encode())
        except OSError:  # a part of it is of no use, and where the disk is full it takes room
            self.remove(key)
            raise
        return size

    def fetch_folder(self, key: str, folder: Path) -> Path:
        """Copy a stored folder to a local one, once. Local storage is used in place."""
        if self.is_local:
            path = Path(self.path(key))
            if not path.is_dir():
                raise _gone(key)
            return path
        if not folder.is_dir():
            part = folder.with_name(f"{folder.name}.{new_id()}{PART}")
            names = self.names(key)
            if not names:
                raise _gone(key)
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
                raise _gone(key)
            return path
        target = folder / key.rsplit("/", 1)[1]
        folder.mkdir(parents=True, exist_ok=True)
        with self.reading(key) as source, target.open("wb") as sink:
            shutil.copyfileobj(source, sink, CHUNK)
        return target


def _gone(key: str) -> Gone:
    return Gone(
        _("The stored file %(key)s is missing. Whoever runs Annotune can restore it.", key=key)
    )


def damaged(key: str) -> Damaged:
    """What to raise for a file that is not what was stored."""
    return Damaged(
        _(
            "The stored file %(key)s is damaged: it is not what was stored. Whoever runs Annotune can restore it.",
            key=key,
        )
    )


def _sync_folder(folder: Path) -> None:
    """Have a new name of the folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@cache
def get_storage() -> Storage:
    """The storage of this process."""
    settings = get_settings()
    return Storage(settings.storage, private=settings.storage_url is None)
