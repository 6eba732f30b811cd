"""Zip archives: which files one holds, and each of them opened within bounds.

What an archive says of its sizes is never believed: what comes out of all its files together is counted on the way
(`bounds.check_unpacked`). Names are words to show and to pair files by, never paths. Source of the format: PKWARE's
APPNOTE.TXT 6.3; read by `zipfile`.
"""

import io
import re
import stat
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any, cast

from app.errors import InvalidInput
from app.formats.bounds import check_unpacked
from app.formats.encoding import detect
from app.formats.magic import SIZE, kind_of
from app.i18n import gettext as _

ZIP = b"PK\x03\x04"
"""How an archive that holds anything begins."""
MAX_FILES = 200_000
MAX_DIRECTORY = 32 << 20
"""Bytes of the list of files, which is in memory as a whole."""
_PIECE = 1 << 16
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)
"""Not LZMA: a file of a few bytes may ask for a dictionary of 4 GiB."""
_ENTRY = b"PK\x01\x02"
_UTF8, _ENCRYPTED = 0x800, 0x1
_LITTER = re.compile(r"(?:^|/)(?:__MACOSX/|\.[^/]*$|Thumbs\.db$|desktop\.ini$)")
"""What systems leave behind in folders: nobody's data."""
_READ_AS_THEY_ARE = (".xlsx", ".xlsm", ".xlsb", ".ods", ".parquet")
_DAMAGED = (
    zipfile.BadZipFile, OSError, EOFError, zlib.error, struct.error, NotImplementedError, ValueError,
    RuntimeError,  # what zipfile raises for what is encrypted
)  # fmt: skip
_HEADER = re.compile(re.escape(ZIP) + rb".{22}(?P<length>..)..", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Member:
    """A file of an archive."""

    name: str
    """With its folders, divided by `/`, as the archive spells it."""
    size: int
    """Bytes, as the archive says."""
    info: zipfile.ZipInfo

    @property
    def folder(self) -> str:
        """The folders that it lies in, divided by `/`; empty for none."""
        return self.name.rpartition("/")[0]

    @property
    def stem(self) -> str:
        """The name with its folders, without its ending."""
        return self.name[: len(self.name) - len(self.ending)]

    @property
    def ending(self) -> str:
        """`.txt` and the like, as it is written; empty for none."""
        name = self.name.rpartition("/")[2]
        return name[name.rindex(".") :] if "." in name[1:] else ""


class Archive:
    """An archive that is open. `members` are its files in the order of their names, without folders and without what
    systems leave in them."""

    def __init__(self, file: zipfile.ZipFile, members: list[Member], size: int) -> None:
        self._file, self.members, self._size = file, members, size
        self._unpacked = self._packed = 0

    def open(self, member: Member) -> IO[bytes]:
        """The file, which can be sought in. Reading it raises InvalidInput, as does one that is an archive itself."""
        try:
            file = self._file.open(member.info)
        except _DAMAGED as error:
            raise _damaged(error) from error
        self._packed += member.info.compress_size
        stream = io.BufferedReader(_Unpacked(self, file), _PIECE)
        kind = kind_of(stream.read(SIZE))
        if kind is not None and not member.name.lower().endswith(_READ_AS_THEY_ARE):
            raise InvalidInput.at(
                "file",
                _(
                    "“%(name)s” in the archive is %(kind)s, not text: take it out, or unpack it first.",
                    name=member.name[:200],
                    kind=kind,
                ),
            )
        stream.seek(0)
        return cast("IO[bytes]", stream)

    def count(self, size: int) -> None:
        """Counts bytes that came out. Raises InvalidInput for too many."""
        self._unpacked += size
        check_unpacked(self._unpacked, min(self._packed, self._size))


class _Unpacked(io.RawIOBase):
    """What is in one file of an archive."""

    def __init__(self, archive: Archive, file: IO[bytes]) -> None:
        super().__init__()
        self._archive, self._file = archive, file
        self._furthest = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._file.tell()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        try:
            return self._file.seek(offset, whence)
        except _DAMAGED as error:
            raise _damaged(error) from error

    def readinto(self, buffer: Any) -> int:
        try:
            data = self._file.read(min(len(buffer), _PIECE))
        except _DAMAGED as error:
            raise _damaged(error) from error
        buffer[: len(data)] = data
        place = self._file.tell()
        if place > self._furthest:
            self._archive.count(place - self._furthest)
            self._furthest = place
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()


class _Listing:
    """A file as `zipfile` sees it: its list of what is in it, which it reads at once, is bounded."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.is_listed = False
        self.seek, self.tell, self.seekable = stream.seek, stream.tell, stream.seekable

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(min(size, MAX_DIRECTORY + 1) if size >= 0 else MAX_DIRECTORY + 1)
        # Each entry begins so: counted before there is an object for each.
        if len(data) > MAX_DIRECTORY or (not self.is_listed and data.count(_ENTRY) > MAX_FILES):
            raise _too_many()
        return data


@contextmanager
def open_archive(stream: IO[bytes], *, language: str | None = None) -> Iterator[Archive]:
    """The archive in a file. `language` is the one that the names of its files are probably in, where they are not
    in UTF-8. Raises InvalidInput for one that is damaged, locked or too large, and for two files of one name."""
    size = stream.seek(0, io.SEEK_END)
    stream.seek(0)
    listing = _Listing(stream)
    try:
        file = zipfile.ZipFile(cast("IO[bytes]", listing))
    except _DAMAGED as error:
        raise _damaged(error) from error
    listing.is_listed = True
    with file:
        yield Archive(file, _members(file, language), size)


def _members(file: zipfile.ZipFile, language: str | None) -> list[Member]:
    infos = [info for info in file.infolist() if not _is_folder(info)]
    if len(infos) > MAX_FILES:
        raise _too_many()
    names = _names(infos, language)
    members = sorted(
        (
            Member(name, info.file_size, info)
            for name, info in zip(names, infos, strict=True)
            if not _LITTER.search(name)
        ),
        key=lambda member: member.name,
    )
    for member in members:
        if member.info.flag_bits & _ENCRYPTED:
            raise InvalidInput.at(
                "file",
                _(
                    "“%(name)s” in the archive is locked with a password: pack it without.",
                    name=member.name[:200],
                ),
            )
        if member.info.compress_type not in _METHODS:
            raise InvalidInput.at(
                "file",
                _(
                    "“%(name)s” in the archive is packed in a way that is not read here: pack it as an ordinary ZIP "
                    "file (deflate).",
                    name=member.name[:200],
                ),
            )
    for name, count in Counter(member.name for member in members).items():
        if count > 1:
            raise InvalidInput.at(
                "file", _("The archive has %(n)s files “%(name)s”.", n=count, name=name[:200])
            )
    if not members:
        raise InvalidInput.at("file", _("The archive holds no files."))
    return members


def _is_folder(info: zipfile.ZipInfo) -> bool:
    """A folder, or a link, whose words are the path that it points to."""
    return info.filename.endswith(("/", "\\")) or stat.S_ISLNK(info.external_attr >> 16)


def _names(infos: list[zipfile.ZipInfo], language: str | None) -> list[str]:
    """The files' names. Old packers write those of the system's language and do not say which it is."""
    raw = [None if info.flag_bits & _UTF8 else info.orig_filename.encode("cp437") for info in infos]
    sample = b"\n".join(name for name in raw if name is not None and not name.isascii())
    encoding = detect(sample, language).encoding if sample else "ascii"
    names = [
        info.orig_filename if name is None else name.decode(encoding, errors="replace")
        for name, info in zip(raw, infos, strict=True)
    ]
    return [name.partition("\0")[0].replace("\\", "/") for name in names]


def names_in(head: bytes) -> list[str]:
    """The names of files that the beginning of an archive shows, for telling what it is; empty for what is none."""
    if not head.startswith(ZIP):
        return []
    names = []
    for match in _HEADER.finditer(head):
        name = head[match.end() : match.end() + int.from_bytes(match["length"], "little")]
        if name and b"\0" not in name:
            names.append(name.decode("utf-8", errors="replace").replace("\\", "/"))
    return [name for name in names if not name.endswith("/") and not _LITTER.search(name)]


def _too_many() -> InvalidInput:
    return InvalidInput.at(
        "file", _("The archive holds more than %(n)s files: split it.", n=f"{MAX_FILES:,}")
    )


def _damaged(error: Exception) -> InvalidInput:
    return InvalidInput.at("file", _("The ZIP archive is damaged: %(error)s", error=error))
