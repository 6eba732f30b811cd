"""The examples of a version as what writers take."""

from collections.abc import Iterator

from app.formats.base import Record
from app.formats.example import read_line, record_of, split_of
from app.models import DatasetVersion
from app.services.version_files import lines


class VersionRecords:
    """The examples of a version, or of one of its splits, in the version's order; each going-through reads them anew.
    A record's `row` is the example's id. Raises Gone or Damaged before the first."""

    def __init__(self, version: DatasetVersion, split: str | None = None) -> None:
        self._version, self._split = version, split
        self.read = 0
        """So many were read, in all goings-through together."""

    def __iter__(self) -> Iterator[Record]:
        return self._records(self._split)

    def of_split(self, split: str) -> Iterator[Record]:
        """Only those of a split."""
        return self._records(split) if self._split in (None, split) else iter(())

    def _records(self, split: str | None) -> Iterator[Record]:
        word = split.encode() if split else None
        for line in lines(self._version):
            if word is not None and split_of(line) != word:
                continue
            self.read += 1
            yield record_of(read_line(line))
