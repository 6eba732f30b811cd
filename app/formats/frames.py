"""PropBank frame files: the rolesets of predicates, from one XML or a zip or tar of them."""

import io
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from app.errors import InvalidInput
from app.formats.base import RowProblem
from app.formats.bounds import check_unpacked
from app.formats.packed import uncompressed
from app.i18n import gettext as _

MAX_FILE = 8 << 20
"""Bytes of one XML file."""
MAX_FILES = 50_000
MAX_TOTAL = 256 << 20
"""Bytes of all of them: PropBank has eleven thousand rolesets in some sixty million."""
MAX_ROLESETS = 100_000
MAX_NAME = 200
"""Characters of a roleset's id or lemma."""
_MAX_ROLES = 100
_MAX_ALIASES = 100
_MAX_WORDS = 2_000
"""Characters of a name or a description."""
_MAX_DIRECTORY = 8 << 20
"""Bytes of a zip's list of what is in it, which is in memory as a whole."""
_ZIP_END = b"PK\x05\x06"
_DAMAGED = (
    zipfile.BadZipFile, tarfile.TarError, OSError, EOFError, zlib.error, lzma.LZMAError, struct.error,
    RuntimeError,  # a zip that is encrypted
    NotImplementedError,  # one that is compressed in a way of its own
    ValueError,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Roleset:
    """One sense of a predicate."""

    id: str
    lemma: str
    name: str
    roles: tuple[tuple[str, str], ...]
    """(role, what it means here)"""
    aliases: tuple[str, ...] = ()


def read_frames(stream: IO[bytes], filename: str) -> Iterator[Roleset | RowProblem]:
    """The rolesets of a frame file or an archive of them, and a problem for each file that cannot be read.

    Raises InvalidInput for something that is neither, and for an archive that holds more than frames do.
    """
    magic = stream.read(4)
    stream.seek(0)
    if magic == b"PK\x03\x04":
        files = _zip(stream)
    elif magic.startswith(b"\x1f\x8b") or filename.lower().endswith(".tar"):
        files = _tar(stream)
    else:
        files = iter([(filename, stream.read(MAX_FILE + 1))])
    total = count = 0
    for name, data in files:
        total += len(data)
        if total > MAX_TOTAL:
            raise _too_much()
        for item in _file(name, data):
            count += isinstance(item, Roleset)
            if count > MAX_ROLESETS:
                raise InvalidInput.at(
                    "file", _("There are more than %(n)s rolesets.", n=f"{MAX_ROLESETS:,}")
                )
            yield item


def _zip(stream: IO[bytes]) -> Iterator[tuple[str, bytes]]:
    try:
        _check_directory(stream)
        with zipfile.ZipFile(stream) as archive:
            members = [m for m in archive.infolist() if m.filename.lower().endswith(".xml")]
            _check_count(len(members))
            unpacked = packed = 0
            for member in members:
                with archive.open(member) as file:
                    data = file.read(MAX_FILE + 1)
                unpacked, packed = unpacked + len(data), packed + member.compress_size
                check_unpacked(unpacked, packed)
                yield member.filename, data
    except _DAMAGED as error:
        raise InvalidInput.at(
            "file", _("The zip file is damaged or encrypted: %(error)s", error=error)
        ) from error


def _check_directory(stream: IO[bytes]) -> None:
    """Raises InvalidInput for a zip whose list of files is too long, before it is read."""
    size = stream.seek(0, io.SEEK_END)
    stream.seek(max(0, size - (1 << 16) - 22))
    _before, mark, end = stream.read().rpartition(_ZIP_END)
    # Entries on this disk, entries, bytes of their list; all ones: too many for these fields.
    if mark and len(end) >= 12:
        entries, length = struct.unpack("<HI", end[6:12])
        if entries == 0xFFFF or length > _MAX_DIRECTORY:
            raise _too_many()
    stream.seek(0)


def _tar(stream: IO[bytes]) -> Iterator[tuple[str, bytes]]:
    try:
        plain = uncompressed(stream)
        with tarfile.open(fileobj=plain, mode="r:") as archive:
            count = 0
            while (member := archive.next()) is not None:
                archive.members = []  # type: ignore[attr-defined]  # it would keep them all
                count += 1
                _check_count(count)
                if plain.tell() > MAX_TOTAL:
                    raise _too_much()
                file = archive.extractfile(member) if member.isfile() else None
                if file is not None and member.name.lower().endswith(".xml"):
                    yield member.name, file.read(MAX_FILE + 1)
    except _DAMAGED as error:
        raise InvalidInput.at(
            "file", _("The tar file is damaged: %(error)s", error=error)
        ) from error


def _check_count(n: int) -> None:
    if n > MAX_FILES:
        raise _too_many()


def _too_many() -> InvalidInput:
    return InvalidInput.at(
        "file", _("The archive holds more than %(n)s files.", n=f"{MAX_FILES:,}")
    )


def _too_much() -> InvalidInput:
    return InvalidInput.at(
        "file", _("The archive holds more than %(n)s MiB of frames.", n=MAX_TOTAL >> 20)
    )


def _file(name: str, data: bytes) -> Iterator[Roleset | RowProblem]:
    if len(data) > MAX_FILE:
        yield RowProblem(1, _("%(file)s is larger than 8 MiB.", file=name))
        return
    try:
        root = fromstring(data)
    except ParseError as error:
        line = error.position[0] if getattr(error, "position", None) else 1
        yield RowProblem(
            line, _("%(file)s is not well-formed XML: %(error)s", file=name, error=error)
        )
        return
    except (DefusedXmlException, ValueError) as error:
        yield RowProblem(1, _("%(file)s cannot be read: %(error)s", file=name, error=error))
        return
    for predicate in root.iter("predicate"):
        for element in predicate.iter("roleset"):
            if not element.get("id"):
                continue
            roleset = _roleset(predicate.get("lemma", ""), element)
            problem = _excess(roleset)
            yield RowProblem(1, f"{name}: {problem}") if problem else roleset


def _excess(roleset: Roleset) -> str | None:
    """What a roleset has more of than the inventory can hold."""
    if max(map(len, (roleset.id, roleset.lemma, *roleset.aliases))) > MAX_NAME:
        return _("The id or a lemma of “%(id)s” is too long.", id=roleset.id[:40])
    words = (roleset.name, *(text for pair in roleset.roles for text in pair))
    if (
        len(roleset.roles) > _MAX_ROLES
        or len(roleset.aliases) > _MAX_ALIASES
        or max(map(len, words)) > _MAX_WORDS
    ):
        return _(
            "“%(id)s” has too many roles or aliases, or too long a description.", id=roleset.id
        )
    return None


def _roleset(lemma: str, roleset: Element) -> Roleset:
    roles = [
        (f"ARG{number.upper()}", role.get("descr", ""))
        for role in roleset.iter("role")
        if (number := role.get("n") or "") and number.upper() != "M"
    ]
    modifiers = [
        (f"ARGM-{(role.get('f') or '').upper()}", role.get("descr", ""))
        for role in roleset.iter("role")
        if (role.get("n") or "").upper() == "M" and role.get("f")
    ]
    aliases = {
        alias.text.strip() for alias in roleset.iter("alias") if alias.text and alias.text.strip()
    }
    sense = roleset.get("id", "")
    return Roleset(
        id=sense,
        lemma=(lemma or sense.rpartition(".")[0]).replace("_", " "),
        name=roleset.get("name", ""),
        roles=tuple(dict([*roles, *modifiers]).items()),
        aliases=tuple(sorted(aliases)),
    )
