"""Several files as one: a zip that is written while it is sent, the same bytes each time."""

import io
import zipfile
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any, cast

from app.formats.base import NO_FACTS, Message, Record, Splittable, VersionFacts, Writer

SPLITS = ("train", "validation", "test")
_STORED = (".parquet", ".gz", ".zip")
"""Ends of the names of files that hold nothing more to compress."""
_LEVEL = 1
"""Of DEFLATE: four fifths of what can be saved, at a multiple of the speed."""


class Sink(io.RawIOBase):
    """Bytes on their way out: counted, handed on, not kept."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._position = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        piece = bytes(data)
        self._pieces.append(piece)
        self._position += len(piece)
        return len(piece)

    def tell(self) -> int:
        return self._position

    def take(self) -> bytes:
        """What was written since the last time."""
        piece = b"".join(self._pieces)
        self._pieces.clear()
        return piece


def zipped(files: Iterable[tuple[str, Iterable[bytes]]]) -> Iterator[bytes]:
    """A zip of these (name, content), in their order. Names are the code's own, never what a person typed."""
    sink = Sink()
    with zipfile.ZipFile(cast("Any", sink), "w", compresslevel=_LEVEL) as archive:
        for name, content in files:
            info = zipfile.ZipInfo(name)  # of 1980, whenever it is made
            info.external_attr = 0o644 << 16
            is_packed = name.endswith(_STORED)
            info.compress_type = zipfile.ZIP_STORED if is_packed else zipfile.ZIP_DEFLATED
            # How large it becomes is known at its end.
            with archive.open(info, "w", force_zip64=True) as member:
                for piece in content:
                    member.write(piece)
                    yield sink.take()
    yield sink.take()


def by_split(records: Iterable[Record]) -> Iterator[tuple[str, Iterator[Record]]]:
    """(split, its records) for each split that has any; a record that says none is one of train."""
    for split in SPLITS:
        own = _of_split(records, split)
        first = next(own, None)
        if first is not None:
            yield split, chain((first,), own)


def _of_split(records: Iterable[Record], split: str) -> Iterator[Record]:
    if isinstance(records, Splittable):
        return records.of_split(split)
    return (record for record in records if (record.split or "train") == split)


def write_apart(
    writer: Writer,
    records: Iterable[Record],
    task: str,
    *,
    conversation: Callable[[Record], list[Message]],
    comments: bool = False,
    facts: VersionFacts = NO_FACTS,
) -> Iterator[bytes]:
    """A zip of one file for each split, and of what the writer has to say besides."""
    files: dict[str, str] = {}

    def parts() -> Iterator[tuple[str, Iterable[bytes]]]:
        for split, own in by_split(records):
            files[split] = f"{split}.{writer.extension}"
            yield (
                files[split],
                writer.write(own, task, conversation=conversation, comments=comments, facts=facts),
            )
        for name, content in writer.beside(files, facts).items():
            yield name, (content,)

    return zipped(parts())
