"""A ZIP archive of files: a folder for each label, files of lines that belong together, or files of any format, one
for each split.

    data/train.csv, data/dev.csv        train-00000-of-00001.parquet, test-00000-of-00001.parquet

What of it is not read is named.
"""

import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import IO

from app.errors import InvalidInput
from app.formats import aligned_lines, class_folders
from app.formats.base import (
    Head,
    Reader,
    ReadOptions,
    Record,
    RowProblem,
    is_split,
    read_split,
)
from app.formats.recognising import HEAD, surest
from app.formats.unzip import Archive, Member, names_in, open_archive
from app.i18n import gettext as _
from app.i18n import mark

_OFFICE = re.compile(r"\[Content_Types\]\.xml|(?:xl|word|ppt|META-INF)/|mimetype$|.*\.ann$")
"""What stands in archives that are a document, a workbook or a program, and in brat's."""
_NO_ROWS = re.compile(
    r"(?:^|/)(?:readme|licen[cs]e|copying|notice|changelog|citation|authors|requirements|dataset_infos?|state|"
    r"dataset_dict|config|label2id|id2label)[^/]*$|\.(?:md|rst|pdf|html?|ya?ml|toml|cfg|ini|sh|png|jpe?g|gif|svg)$",
    re.IGNORECASE,
)
_PART = re.compile(r"-\d+-of-\d+$")
_WORDS = re.compile(r"[^A-Za-z]+")
_NAMED = 20
"""Files that are named as not used."""


class ZipReader:
    """Reads what other readers read, out of an archive."""

    name = "zip"
    title = mark("ZIP archive of files")
    tasks = frozenset({"sentiment", "ner", "srl"})

    def __init__(self, readers: Sequence[Reader]) -> None:
        """`readers`: those of the files in it."""
        self._readers = readers

    def sniff(self, head: Head, task: str) -> float:
        names = names_in(head.data)
        return 0.9 if names and not any(map(_OFFICE.match, names)) else 0.0

    def read(
        self, stream: IO[bytes], task: str, options: ReadOptions
    ) -> Iterator[Record | RowProblem]:
        with open_archive(stream, language=options.language) as archive:
            members = [member for member in archive.members if not _NO_ROWS.search(member.name)]
            others = [member for member in archive.members if _NO_ROWS.search(member.name)]
            if class_folders.is_one(members):
                texts = [member for member in members if member.ending.lower() == ".txt"]
                others += [member for member in members if member not in texts]
                items = class_folders.read_texts(archive, texts, task, options)
            elif lines := aligned_lines.find_lines(members):
                used = [member for one in lines for member in one.files.values()]
                mapping = next(filter(aligned_lines.is_mapping, members), None)
                others += [m for m in members if m not in used and m is not mapping]
                items = _aligned(archive, lines, mapping, task, options)
            else:
                found = [
                    (member, self._reader_of(archive, member, task, options)) for member in members
                ]
                others += [member for member, reader in found if reader is None]
                files = [(member, reader) for member, reader in found if reader is not None]
                if not files:
                    raise InvalidInput.at(
                        "file",
                        _(
                            "No file of the archive is in a format that is read: %(names)s.",
                            names=_names(archive.members),
                        ),
                    )
                items = _files(archive, files, task, options)
            yield from _with_unused(items, others)

    def _reader_of(
        self, archive: Archive, member: Member, task: str, options: ReadOptions
    ) -> Reader | None:
        with archive.open(member) as file:
            name = member.name.rpartition("/")[2]
            return surest(self._readers, name, file.read(HEAD), task, options.language)


def _with_unused(
    items: Iterator[Record | RowProblem], others: list[Member]
) -> Iterator[Record | RowProblem]:
    """The same; what of the archive is not read is named with the first record."""
    unused = tuple(_("file “%(name)s”", name=member.name[:200]) for member in others[:_NAMED])
    if len(others) > _NAMED:
        unused = (*unused, _("%(n)s more files", n=len(others) - _NAMED))
    for item in items:
        if unused and isinstance(item, Record):
            item, unused = replace(item, unused=(*item.unused, *unused)), ()
        yield item


def _names(members: Sequence[Member]) -> str:
    return ", ".join(member.name[:100] for member in members[:_NAMED])


def _aligned(
    archive: Archive,
    lines: list[aligned_lines.Lines],
    mapping: Member | None,
    task: str,
    options: ReadOptions,
) -> Iterator[Record | RowProblem]:
    if mapping is not None and not options.label_map:
        names = aligned_lines.read_mapping(archive, mapping, options)
        options = options.model_copy(update={"label_map": names})
    last = 0
    for one in lines:
        for item in aligned_lines.read_aligned(archive, one, task, options, after=last):
            yield item
            last = item.row


def _files(
    archive: Archive, files: list[tuple[Member, Reader]], task: str, options: ReadOptions
) -> Iterator[Record | RowProblem]:
    """The rows of all files, numbered through, each for the split that its file's name says."""
    number = 0
    for member, reader in files:
        split = split_of(member)
        with archive.open(member) as packed, tempfile.TemporaryFile() as file:
            if reader.name == "parquet":  # which is read from its end, and what is packed is not
                shutil.copyfileobj(packed, file)
                file.seek(0)
            source = file if reader.name == "parquet" else packed
            try:
                for item in reader.read(source, task, options):
                    number += 1
                    if isinstance(item, RowProblem):
                        yield _told_of(member, item, number)
                    else:
                        yield replace(item, row=number, split=item.split or split)
            except InvalidInput as error:
                raise InvalidInput.at(
                    "file",
                    _("“%(name)s”: %(problem)s", name=member.name[:200], problem=error.message),
                ) from error


def _told_of(member: Member, problem: RowProblem, number: int) -> RowProblem:
    message = _(
        "“%(name)s”, row %(n)s: %(problem)s",
        name=member.name[:200],
        n=problem.row,
        problem=problem.message,
    )
    return RowProblem(number, message, problem.column)


def split_of(member: Member) -> str | None:
    """The split that a file's name or the folder it lies in says: `data/train-00000-of-00002.parquet`, `dev/a.csv`."""
    name = _PART.sub("", member.stem.rpartition("/")[2])
    for words in ([name], _WORDS.split(name), member.folder.split("/")):
        if found := [word for word in words if is_split(word)]:
            return read_split(found[-1])
    return None
