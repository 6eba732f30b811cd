"""Examples that tests write, and what a writer makes of them."""

from typing import Any

from app.formats import WRITERS, Record


def write(name: str, task: str, *items: Record, comments: bool = False) -> bytes:
    """The file."""
    pieces = WRITERS[name].write(items, task, conversation=lambda record: [], comments=comments)
    return b"".join(pieces)


def entities(text: str, *spans: tuple[str, str], **more: Any) -> Record:
    """An example with entities by their words, (words, label), each where the words stand first."""
    found = [
        {"start": text.index(words), "end": text.index(words) + len(words), "label": label}
        for words, label in spans
    ]
    return Record(text, annotation={"spans": found}, **{"row": 7, **more})


def predicate(text: str, words: str, sense: str | None, *arguments: tuple[str, str]) -> Record:
    """An example with one predicate and its arguments by their words."""

    def place(words: str) -> dict[str, int]:
        return {"start": text.index(words), "end": text.index(words) + len(words)}

    roles = [place(said) | {"role": role} for said, role in arguments]
    head = place(words) | {"sense": sense, "arguments": roles}
    return Record(text, annotation={"predicates": [head]}, row=7)
