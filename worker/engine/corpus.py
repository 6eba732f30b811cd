"""Texts to learn a language from: read from a run's snapshot, cut into rows of pieces, held in few bytes."""

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.formats.example import read_line
from worker.engine.alignment import CHUNK, align
from worker.engine.errors import DataError
from worker.engine.job import Item


@dataclass(frozen=True, slots=True)
class Texts:
    """The texts of one split of a snapshot, read from the file each time that they are gone through."""

    path: Path
    split: str

    def __iter__(self) -> Iterator[str]:
        return (inputs["text"] for inputs in self._inputs())

    def items(self) -> Iterator[Item]:
        """The same with their words."""
        return (Item.of(inputs["text"], inputs["tokens"]) for inputs in self._inputs())

    def _inputs(self) -> Iterator[dict[str, Any]]:
        try:
            with self.path.open("rb") as lines:
                for row in map(read_line, lines):
                    if row.split == self.split:
                        yield row.inputs
        except (OSError, ValueError) as error:
            raise DataError(f"The run's texts cannot be read ({error}). Start it anew.") from error


@dataclass(frozen=True, slots=True)
class Row:
    """Pieces of one text, as many as fit in a window, and the word that each belongs to.

    A piece of no word, such as white space or a special piece that stands in the text, has the word -1.
    """

    ids: NDArray[np.int32]
    words: NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Corpus:
    """Rows one behind the other. All pieces of all texts are in it, but for texts without any word.

    Texts are not joined in a row: fine-tuning will see them one by one, too, and batches of similar length
    waste little.
    """

    ids: NDArray[np.int32]
    words: NDArray[np.int32]
    borders: NDArray[np.int64]
    texts: int
    windowed: int
    """Texts that are longer than a window, and so are several rows."""

    @classmethod
    def of(
        cls, items: Iterable[Item], tokenizer: Any, *, room: int, check: Callable[[], None]
    ) -> "Corpus":
        """Tokenise texts into rows of at most `room` pieces. `check` may raise Stopped now and then."""
        ids, words, borders = array("i"), array("i"), array("q", [0])
        texts = windowed = 0
        special = set(tokenizer.all_special_ids)
        remaining = iter(items)
        while chunk := list(islice(remaining, CHUNK)):
            check()
            found = align(tokenizer, [i.text for i in chunk], [i.tokens for i in chunk])
            for pieces in found:
                owners = [
                    -1 if piece in special else word
                    for piece, word in zip(pieces.ids, pieces.words, strict=True)
                ]
                rows = [
                    (start, end)
                    for start, end in cut_between_words(owners, room)
                    if max(owners[start:end]) >= 0
                ]
                texts += bool(rows)
                windowed += len(rows) > 1
                for start, end in rows:
                    ids.extend(pieces.ids[start:end])
                    words.extend(owners[start:end])
                    borders.append(len(ids))
        return cls(
            np.frombuffer(ids, dtype=np.int32) if ids else np.empty(0, np.int32),
            np.frombuffer(words, dtype=np.int32) if words else np.empty(0, np.int32),
            np.frombuffer(borders, dtype=np.int64),
            texts,
            windowed,
        )

    def __len__(self) -> int:
        return len(self.borders) - 1

    def __getitem__(self, number: int) -> Row:
        start, end = self.borders[number], self.borders[number + 1]
        return Row(self.ids[start:end], self.words[start:end])

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Pieces of each row."""
        return np.diff(self.borders)


def cut_between_words(words: Sequence[int], room: int) -> Iterator[tuple[int, int]]:
    """Start and end of rows of at most `room` pieces, one behind the other; a word is cut only where it has
    more pieces than that."""
    start = 0
    while len(words) - start > room:
        end = start + room
        while end > start and words[end] >= 0 and words[end] == words[end - 1]:
            end -= 1
        end = end if end > start else start + room
        yield start, end
        start = end
    if start < len(words):
        yield start, len(words)
