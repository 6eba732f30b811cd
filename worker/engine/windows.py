"""Windows: the rows of input that a model sees. A text longer than a window goes in several that overlap."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

IGNORED = -100
"""Target of a word that takes no part in the loss."""


@dataclass(slots=True)
class Window:
    """One row. A unit is what gets one answer: a text, or a text with one predicate marked."""

    unit: int
    input_ids: list[int]
    segment_ids: list[int]
    words: list[int] = field(default_factory=list)
    """Word number of each answer position (token tasks)."""
    positions: list[int] = field(default_factory=list)
    """Where in `input_ids` the first piece of that word stands."""
    context: list[int] = field(default_factory=list)
    """Pieces between that word and the nearer cut edge of the window."""
    targets: list[int] | None = None
    """Label of each answer position, or IGNORED (token tasks)."""
    inner: list[list[int]] = field(default_factory=list)
    """The same for each layer below the first, where spans lie in several."""
    target: Any = None
    """Label number, or a 0/1 list (classification)."""
    weight: float = 1.0
    """Share in the loss: labelled words of all layers (token tasks), or 1 / windows of the text (classification)."""

    def __len__(self) -> int:
        return len(self.input_ids)


def cut(length: int, room: int) -> list[tuple[int, int]]:
    """Start and end of the windows over `length` pieces, each at most `room`, a quarter overlapping."""
    if length <= room:
        return [(0, length)]
    stride = max(1, room - room // 4)
    starts = list(range(0, length - room, stride))
    return [(start, start + room) for start in starts] + [(length - room, length)]


@dataclass(frozen=True, slots=True)
class Frame:
    """The special tokens around the pieces of one text, and between two texts."""

    before: list[int]
    between: list[int]
    after: list[int]

    @classmethod
    def of(cls, tokenizer: Any) -> "Frame":
        """Read off what the tokenizer puts around a text and a pair of texts."""
        single = tokenizer("a", return_special_tokens_mask=True)
        pair = tokenizer("a", "a", return_special_tokens_mask=True)
        mask = single["special_tokens_mask"]
        head = mask.index(0)
        tail = len(mask) - mask[::-1].index(0)
        ids, pair_ids = single["input_ids"], pair["input_ids"]
        pair_mask = pair["special_tokens_mask"]
        first_end = next((i for i in range(head, len(pair_mask)) if pair_mask[i]), len(pair_mask))
        second = next((i for i in range(first_end, len(pair_mask)) if not pair_mask[i]), first_end)
        return cls(ids[:head], pair_ids[first_end:second], ids[tail:])

    @property
    def size(self) -> int:
        """Special tokens around one text."""
        return len(self.before) + len(self.after)

    def wrap(
        self, pieces: Sequence[int], second: Sequence[int] = ()
    ) -> tuple[list[int], list[int]]:
        """Input ids and segment ids of a text, or of a pair where `second` is given."""
        first = [*self.before, *pieces, *(self.between if second else self.after)]
        rest = [*second, *self.after] if second else []
        return first + rest, [0] * len(first) + [1] * len(rest)
