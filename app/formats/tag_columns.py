"""CoNLL-2003's columns, written in each tag scheme: word, two that we do not know (`-X-`), tag.

https://www.clips.uantwerpen.be/conll2003/ner/ (its own files are IOB1); the schemes are those of `tags`.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from app.formats.base import NO_FACTS, Message, Record, VersionFacts, Writer
from app.formats.columns import comment_lines
from app.formats.tags import USUAL, decode, encode
from app.formats.words import off_borders, on_tokens, with_tokens, word, word_notes
from app.i18n import gettext as _


@dataclass(frozen=True)
class TagColumnsWriter(Writer):
    """Writes a word and its tag a line, in one scheme.

    Comments make it read back exactly; they are off by default, since most tools take them for words.
    """

    name: str
    title: str
    scheme: str
    """One of `tags.SCHEMES`."""
    purpose = "columns"
    extension: str = "conll"
    media_type: str = "text/plain; charset=utf-8"
    has_comments: bool = True

    def write(
        self,
        records: Iterable[Record],
        task: str,
        *,
        conversation: Callable[[Record], list[Message]],
        comments: bool = False,
        facts: VersionFacts = NO_FACTS,
    ) -> Iterator[bytes]:
        yield b"-DOCSTART- -X- -X- O\n\n"
        for record in records:
            record = with_tokens(record)
            tags, _notes = encode_tags(record, self.scheme)
            lines = [
                f"{word(record, start, end)} -X- -X- {tag}\n"
                for (start, end), tag in zip(record.tokens or (), tags, strict=True)
            ]
            yield ((comment_lines(record) if comments else "") + "".join(lines) + "\n").encode()

    def check(self, record: Record, task: str) -> list[str]:
        record = with_tokens(record)
        return encode_tags(record, self.scheme)[1] + word_notes(record)


def encode_tags(record: Record, scheme: str) -> tuple[list[str], list[str]]:
    """(tags, what they cannot say): spans that cut a token, lie over an outer one, or melt into their neighbour;
    labels that no tag holds as they are."""
    length = len(record.tokens or ())
    spans: list[tuple[int, int, str]] = []
    notes = []
    covered = -1
    ordered = sorted(
        (record.annotation or {}).get("spans", ()), key=lambda item: (item["start"], -item["end"])
    )
    for span in ordered:
        label = span["label"]
        words = record.text[span["start"] : span["end"]]
        place = on_tokens(record, span)
        if place is None:
            notes.append(off_borders(record, span, label))
            continue
        first, last = place
        if first <= covered:
            notes.append(
                _("“%(words)s” (%(label)s) lies over another entity.", words=words, label=label)
            )
            continue
        covered = last
        written = "_".join(label.split())
        if list(decode([f"B-{written}"], USUAL)) != [(0, 0, label)]:
            notes.append(
                _("The label “%(label)s” cannot be read back from a tag as it is.", label=label)
            )
        if scheme == "IO" and spans and spans[-1][1:] == (first - 1, written):
            notes.append(
                _(
                    "“%(words)s” (%(label)s) follows an entity of its own type: without B tags they are one.",
                    words=words,
                    label=label,
                )
            )
        spans.append((first, last, written))
    return encode(spans, length, scheme), notes
