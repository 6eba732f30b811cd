"""Which split an example of a version falls into: decided once per text, and remembered.

The first decision is the file's that brought the example, else its text's: the hash of the text as a point of
[0, 100), test first, then validation, then train. Copies of a text stay together. What any version has decided stands,
whatever becomes of the examples and whatever files and per cents say since, unless somebody wants all of it decided
anew.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, select

from app.db import session_scope
from app.models import Example
from app.services import decided_splits


@dataclass(frozen=True, slots=True)
class Move:
    """So many examples that a version before had in another split."""

    before: str
    after: str
    examples: int


class Splits:
    """The splits of a version that is being written, asked for some thousands of examples at a time."""

    def __init__(
        self,
        which: list[ColumnElement[bool]],
        percent: Mapping[str, int],
        project_id: str,
        *,
        before: int,
        keep: bool,
    ) -> None:
        """`which`: conditions for the examples that the version is made from. `before`: its number; what the versions
        before it have decided is kept, or compared with. Raises Gone or Damaged where a file of theirs is needed and
        is not what was stored."""
        decided_splits.catch_up(project_id)
        self._percent, self._project_id, self._before, self._keep = (
            percent,
            project_id,
            before,
            keep,
        )
        with session_scope(read_only=True) as session:
            self._has_before = decided_splits.has_any(session, project_id)
        self._copies = splits_of_copies(which)
        self._moved: Counter[tuple[str, str]] = Counter()
        self.new: dict[str, str] = {}
        """What was decided just now, by the texts' hashes, and is to be remembered."""
        self.not_followed = 0
        """Examples that are in another split than their file says: their texts were there before, or a copy is."""

    def decide(self, examples: Sequence[tuple[str, str | None]]) -> list[str]:
        """The splits of examples, each the hash of its text and what its file says."""
        decided: dict[str, str] = {}
        if self._has_before:
            with session_scope(read_only=True) as session:
                hashes = {digest for digest, _wanted in examples}
                decided = decided_splits.recall(
                    session, self._project_id, hashes, before=self._before
                )
        self.new = {}
        return [self._decide(digest, wanted, decided.get(digest)) for digest, wanted in examples]

    def _decide(self, digest: str, wanted: str | None, had: str | None) -> str:
        split = (had if self._keep else None) or self._copies.get(digest) or wanted
        split = split or split_of(digest, self._percent)
        self.not_followed += wanted not in (None, split)
        if had != split:
            self.new[digest] = split
            if had is not None:
                self._moved[had, split] += 1
        return split

    def moves(self) -> list[Move]:
        """The examples that are in another split now than in the versions before, so far."""
        return [Move(*pair, n) for pair, n in sorted(self._moved.items())]


def split_of(content_hash: str, percent: Mapping[str, int]) -> str:
    """The split a text falls into by itself: it depends on the text and the per cents alone."""
    point = int(content_hash[:13], 16) / 16**13 * 100
    if point < percent["test"]:
        return "test"
    return "validation" if point < percent["test"] + percent["validation"] else "train"


def splits_of_copies(which: list[ColumnElement[bool]]) -> dict[str, str]:
    """Texts that stand among these examples more than once, a copy of which was imported for a split: the one that is
    hardest to leak from of those."""
    with session_scope(read_only=True) as session:
        rows = session.execute(
            select(Example.content_hash, func.min(Example.split), func.max(Example.split))
            .where(*which)
            .group_by(Example.content_hash)
            .having(func.count() > 1, func.max(Example.split).is_not(None))
        ).all()
    # Alphabetically test < train < validation: the least and the greatest tell of all three.
    return {
        digest: next(split for split in decided_splits.HARDEST if split in (least, most))
        for digest, least, most in rows
    }
