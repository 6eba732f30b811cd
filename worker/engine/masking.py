"""Masked words: which pieces of a window a model must guess, and what it sees in their place.

Whole words are masked (Devlin et al., 2019): a piece whose word is half seen is too easy to guess. Of the
pieces to be guessed, 80% show the mask, 10% a random piece and 10% themselves, so that the model cannot
trust what it sees either.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from worker.engine.corpus import Row
from worker.engine.windows import Frame, Window

_SHOWN_AS_MASK, _SHOWN_AS_RANDOM = 0.8, 0.9
_FIXED = 2**32 - 1
"""In place of an epoch: the masking that validation is measured with."""


@dataclass(frozen=True, slots=True)
class Masker:
    """Masks rows of a corpus. What it does follows from (seed, epoch, row) alone, so that a stopped run goes
    on with the very same masks."""

    frame: Frame
    share: float
    """Of the words; at least one word of a row is masked."""
    mask: int
    others: NDArray[np.int64]
    """The pieces that a random one is drawn from: all but the special ones."""

    @classmethod
    def of(cls, tokenizer: Any, *, share: float, vocabulary: int) -> "Masker":
        """For a tokenizer, and a model that knows so many pieces."""
        known = np.arange(min(vocabulary, len(tokenizer)))
        others = np.setdiff1d(known, tokenizer.all_special_ids)
        return cls(Frame.of(tokenizer), share, tokenizer.mask_token_id, others)

    def window(self, row: Row, number: int, *, seed: int, epoch: int) -> Window:
        """The row with that number in the corpus, masked for an epoch."""
        return self._window(row, number, np.random.default_rng([seed, epoch, number]))

    def fixed(self, row: Row, number: int) -> Window:
        """The row as it is masked for every measurement of any run."""
        return self._window(row, number, np.random.default_rng([0, _FIXED, number]))

    def _window(self, row: Row, number: int, random: np.random.Generator) -> Window:
        words = np.unique(row.words[row.words >= 0])
        # Rounded up or down by chance, so that short rows have the same share on average.
        count = max(1, int(self.share * len(words) + random.random()))
        chosen = random.choice(words, size=count, replace=False)
        where = np.flatnonzero(np.isin(row.words, chosen))
        draw = random.random(len(where))
        shown = row.ids.copy()
        shown[where[draw < _SHOWN_AS_MASK]] = self.mask
        swapped = where[(draw >= _SHOWN_AS_MASK) & (draw < _SHOWN_AS_RANDOM)]
        shown[swapped] = random.choice(self.others, size=len(swapped))
        input_ids, segment_ids = self.frame.wrap(shown.tolist())
        return Window(
            unit=number,
            input_ids=input_ids,
            segment_ids=segment_ids,
            positions=(where + len(self.frame.before)).tolist(),
            targets=row.ids[where].tolist(),
            weight=float(len(where)),
        )
