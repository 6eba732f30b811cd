"""Which split an example of a version falls into: decided once, and remembered by the version before.

The first decision is the file's that brought the example, else its text's: the hash of the text as a point of
[0, 100), test first, then validation, then train. Copies of a text stay together. What a version before has decided
stands, whatever files and per cents say since, unless somebody wants all of it decided anew.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, select

from app.db import session_scope
from app.models import DatasetVersion, Example
from app.services import version_files
from app.tasks.content import content_hash

_HARDEST = ("test", "validation", "train")
"""From which a leak does most harm, first."""


@dataclass(frozen=True, slots=True)
class Move:
    """So many examples that a version before had in another split."""

    before: str
    after: str
    examples: int


class Splits:
    """The splits of a version that is being written, asked for in the order of its examples."""

    def __init__(
        self,
        which: list[ColumnElement[bool]],
        percent: Mapping[str, int],
        before: DatasetVersion | None,
        *,
        keep: bool,
    ) -> None:
        """`which`: conditions for the examples that the version is made from. `before`: the version whose splits are
        kept, or compared with. Raises Gone or Damaged where its file is not what was stored."""
        self._percent, self._keep = percent, keep
        self._copies = splits_of_copies(which)
        self._remembered = dict(_of_texts(before, set(self._copies))) if before and keep else {}
        self._before = _of_examples(before) if before else iter(())
        self._next: tuple[int, str] | None = next(self._before, None)
        self._moved: Counter[tuple[str, str]] = Counter()
        self.not_followed = 0
        """Examples that are in another split than their file says: their texts were there before, or a copy is."""

    def of(self, example_id: int, content_hash: str, wanted: str | None) -> str:
        """The split of an example, of which its file may say one; its id is greater than that of the one before."""
        had = self._had(example_id)
        decided = self._remembered.get(content_hash) or had if self._keep else None
        split = decided or self._copies.get(content_hash) or wanted
        split = split or split_of(content_hash, self._percent)
        self.not_followed += wanted not in (None, split)
        if had is not None and had != split:
            self._moved[had, split] += 1
        return split

    def moves(self) -> list[Move]:
        """The examples that are in another split now than in the version before, so far."""
        return [Move(*pair, n) for pair, n in sorted(self._moved.items())]

    def _had(self, example_id: int) -> str | None:
        while self._next is not None and self._next[0] < example_id:
            self._next = next(self._before, None)
        return self._next[1] if self._next is not None and self._next[0] == example_id else None


def split_of(content_hash: str, percent: Mapping[str, int]) -> str:
    """The split a text falls into by itself: it depends on the text and the per cents alone."""
    point = int(content_hash[:13], 16) / 16**13 * 100
    if point < percent["test"]:
        return "test"
    return "validation" if point < percent["test"] + percent["validation"] else "train"


def splits_of_copies(which: list[ColumnElement[bool]]) -> dict[str, str | None]:
    """Texts that stand among these examples more than once, with the split that is hardest to leak from of those
    that their copies were imported for; None where they were imported for none."""
    with session_scope(read_only=True) as session:
        rows = session.execute(
            select(Example.content_hash, func.min(Example.split), func.max(Example.split))
            .where(*which)
            .group_by(Example.content_hash)
            .having(func.count() > 1)
        ).all()
    # Alphabetically test < train < validation: the least and the greatest tell of all three.
    return {
        digest: next((split for split in _HARDEST if split in (least, most)), None)
        for digest, least, most in rows
    }


def _of_texts(version: DatasetVersion, hashes: set[str]) -> Iterator[tuple[str, str]]:
    """The split that a version had these texts in; the one that is hardest to leak from comes last."""
    if not hashes:
        return
    found: dict[str, str] = {}
    for item in version_files.examples(version):
        digest = content_hash(item.inputs["text"])
        if digest in hashes:
            before = found.get(digest, item.split)
            found[digest] = min(before, item.split, key=_HARDEST.index)
    yield from found.items()


def _of_examples(version: DatasetVersion) -> Iterator[tuple[int, str]]:
    for item in version_files.examples(version):
        yield item.id, item.split


def texts_in(version: DatasetVersion, split: str) -> set[str]:
    """The hashes of the texts that a version has in a split. Raises Gone or Damaged."""
    items = version_files.examples(version)
    return {content_hash(item.inputs["text"]) for item in items if item.split == split}
