"""PropBank frame files: the rolesets of predicates, from one XML or a zip or tar of them."""

import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from app.errors import InvalidInput
from app.formats.base import RowProblem
from app.i18n import gettext as _

MAX_FILE = 8 << 20
"""Bytes of one XML file."""
MAX_FILES = 50_000


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

    Raises InvalidInput for something that is neither.
    """
    magic = stream.read(4)
    stream.seek(0)
    if magic == b"PK\x03\x04":
        files = _zip(stream)
    elif magic.startswith(b"\x1f\x8b") or filename.lower().endswith(".tar"):
        files = _tar(stream)
    else:
        files = iter([(filename, stream.read(MAX_FILE + 1))])
    for name, data in files:
        yield from _file(name, data)


def _zip(stream: IO[bytes]) -> Iterator[tuple[str, bytes]]:
    try:
        with zipfile.ZipFile(stream) as archive:
            members = [m for m in archive.infolist() if m.filename.lower().endswith(".xml")]
            _check_count(len(members))
            for member in members:
                with archive.open(member) as file:
                    yield member.filename, file.read(MAX_FILE + 1)
    except (zipfile.BadZipFile, OSError, EOFError) as error:
        raise InvalidInput.at(
            "file", _("The zip file is damaged: %(error)s", error=error)
        ) from error


def _tar(stream: IO[bytes]) -> Iterator[tuple[str, bytes]]:
    try:
        with tarfile.open(fileobj=stream, mode="r:*") as archive:
            count = 0
            for member in archive:
                file = archive.extractfile(member) if member.isfile() else None
                if file is not None and member.name.lower().endswith(".xml"):
                    count += 1
                    _check_count(count)
                    yield member.name, file.read(MAX_FILE + 1)
    except (tarfile.TarError, OSError, EOFError) as error:
        raise InvalidInput.at(
            "file", _("The tar file is damaged: %(error)s", error=error)
        ) from error


def _check_count(n: int) -> None:
    if n > MAX_FILES:
        raise InvalidInput.at("file", _("The archive holds more than %(n)s files.", n=MAX_FILES))


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
        for roleset in predicate.iter("roleset"):
            if roleset.get("id"):
                yield _roleset(predicate.get("lemma", ""), roleset)


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
