"""Texts in one file and their labels in another, line by line: as TweetEval, SNIPS and ATIS are published.

train_text.txt + train_labels.txt (+ mapping.txt)      train/seq.in + train/seq.out + train/label
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

from app.errors import InvalidInput
from app.formats.base import ReadOptions, Record, RowProblem, is_split
from app.formats.bounds import read_lines
from app.formats.encoding import open_text, unreadable
from app.formats.rows import read_row
from app.formats.unzip import Archive, Member
from app.i18n import gettext as _

_ROLES = {
    **dict.fromkeys(
        ("text", "texts", "sentence", "sentences", "seq.in", "tweet", "tweets", "review", "reviews", "utterances"),
        "text",
    ),
    **dict.fromkeys(
        ("label", "labels", "intent", "intents", "class", "classes", "sentiment", "category", "categories", "y"),
        "label",
    ),
    **dict.fromkeys(("seq.out", "tags", "ner", "ner_tags", "bio", "slots"), "tags"),
}  # fmt: skip
_ENDINGS = frozenset(("", ".txt", ".lst", ".in", ".out", ".text", ".label", ".labels", ".tags"))
_ENDING = re.compile(r"\.(?:txt|lst)$")
_MAPPING = re.compile(r"(?:^|/)(?:mapping|label_map|labels_map|class_names)\.txt$")


@dataclass(slots=True)
class Lines:
    """Files of as many lines: the texts', and what is said of each."""

    split: str | None
    files: dict[str, Member] = field(default_factory=dict)
    """By role: "text", and "label" or "tags" or both."""


def find_lines(members: Sequence[Member]) -> list[Lines]:
    """The files that belong together, a text file and one of labels or tags at least."""
    found: dict[tuple[str, str], Lines] = {}
    for member in members:
        named = _role(member)
        if named is None:
            continue
        role, rest = named
        words = [*member.folder.lower().split("/"), rest]
        split = next((word for word in reversed(words) if is_split(word)), None)
        lines = found.setdefault((member.folder, rest), Lines(split))
        lines.files.setdefault(role, member)
    return [lines for lines in found.values() if "text" in lines.files and len(lines.files) > 1]


def _role(member: Member) -> tuple[str, str] | None:
    """(role, the rest of the name) of a file: ("label", "train") of `train_labels.txt`."""
    if member.ending.lower() not in _ENDINGS:
        return None
    name = _ENDING.sub("", member.name.rpartition("/")[2].lower())
    if name in _ROLES:
        return _ROLES[name], ""
    for word, role in _ROLES.items():
        for sign in "_-.":
            if name.endswith(sign + word):
                return role, name[: -len(word) - 1]
            if name.startswith(word + sign):
                return role, name[len(word) + 1 :]
    return None


def is_mapping(member: Member) -> bool:
    """Whether a file names numbered labels."""
    return _MAPPING.search(member.name.lower()) is not None


def read_mapping(archive: Archive, member: Member, options: ReadOptions) -> dict[str, str]:
    """The names of numbered labels, a line each: a number, white space, the name."""
    with archive.open(member) as stream:
        lines, _encoding = open_text(stream, options.encoding, language=options.language)
        parts = [line.strip().partition("\t") for line in read_lines(lines) if line.strip()]
    pairs = {number.strip(): name.strip() for number, tab, name in parts if tab and name.strip()}
    return pairs if len(pairs) == len(parts) else {}


def read_aligned(
    archive: Archive, lines: Lines, task: str, options: ReadOptions, *, after: int
) -> Iterator[Record | RowProblem]:
    """The lines that belong together as records, numbered from `after`. Raises InvalidInput where
    one file has more lines than another."""
    roles = list(lines.files)
    columns = [_lines_of(archive, member, options) for member in lines.files.values()]
    name = lines.files["text"].name
    for number, cells in enumerate(zip_longest(*columns), 1):
        if None in cells:
            short = lines.files[roles[cells.index(None)]].name
            raise InvalidInput.at(
                "file",
                _(
                    "“%(short)s” ends before line %(n)s, and others of its files go on: which label is whose?",
                    short=short,
                    n=number,
                ),
            )
        row = dict(zip(roles, cells, strict=True))
        if not any(row.values()):
            continue
        item = _item(row, lines.split, task, options, after + number)
        if isinstance(item, RowProblem):
            message = _(
                "“%(name)s”, row %(n)s: %(problem)s", name=name, n=number, problem=item.message
            )
            item = RowProblem(item.row, message)
        yield item


def _lines_of(
    archive: Archive, member: Member, options: ReadOptions
) -> Iterator[str | InvalidInput]:
    with archive.open(member) as stream:
        lines, encoding = open_text(stream, options.encoding, language=options.language)
        for line in read_lines(lines):
            problem = unreadable(line, encoding)
            yield InvalidInput(problem) if problem else line.rstrip("\n")


def _item(
    row: Mapping[str, str | InvalidInput],
    split: str | None,
    task: str,
    options: ReadOptions,
    number: int,
) -> Record | RowProblem:
    for value in row.values():
        if isinstance(value, InvalidInput):
            return RowProblem(number, value.message)
    values: dict[str, Any] = {"split": split}
    if task == "sentiment":
        values |= {name: value for name, value in row.items() if name != "tags"}
        columns = {"text": "text", "label": "label" if "label" in row else ""}
    else:
        tags = row.get("tags")
        if isinstance(tags, str):
            words = str(row["text"]).split()
            values |= {"tokens": words, "ner_tags": tags.split()}
            columns = {"tokens": "tokens", "label": "ner_tags"}
            if len(words) != len(values["ner_tags"]):
                return RowProblem(
                    number,
                    _(
                        "“%(name)s” has %(n)s values for %(m)s words: each word needs one tag.",
                        name="tags",
                        n=len(values["ner_tags"]),
                        m=len(words),
                    ),
                )
        else:
            values["text"] = row["text"]
            columns = {"text": "text", "label": ""}
        if "label" in row:
            values["class"] = row["label"]
    own = ReadOptions(
        columns={**columns, "split": "split"},
        label_map=options.label_map,
        label_separator=options.label_separator,
    )
    return read_row(values, task, own, number)
