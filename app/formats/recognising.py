"""Which of several readers is surest that a file is its own."""

import io
import re
from collections.abc import Iterable

from app.formats.base import Head, Reader
from app.formats.encoding import detect
from app.formats.magic import kind_of
from app.formats.packed import beginning

_PACKED = re.compile(r"\.(?:gz|bz2|xz)$")
HEAD = 1 << 16
"""Bytes of the beginning of a file that a verdict takes."""


def surest(
    readers: Iterable[Reader], filename: str, head: bytes, task: str, language: str | None
) -> Reader | None:
    """The reader that is surest that a file which begins like this is its own; None if none is sure at all."""
    begin = _head(filename, head, language)
    sure = {reader: reader.sniff(begin, task) for reader in readers if task in reader.tasks}
    best = max(sure, key=lambda reader: sure[reader])
    return best if sure[best] else None


def _head(filename: str, data: bytes, language: str | None) -> Head:
    text = _head_text(data, language)
    lines = [line for line in re.split(r"\r\n|\r|\n", text)[:200] if line.strip()]
    return Head(_PACKED.sub("", filename.lower()), data, text, lines)


def _head_text(head: bytes, language: str | None) -> str:
    data = beginning(io.BytesIO(head), HEAD)
    if kind_of(data):
        return ""
    return data.decode(detect(data, language).encoding, errors="replace").lstrip("\ufeff")
