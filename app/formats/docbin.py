"""spaCy's DocBin (.spacy), which `spacy train` takes: entities in `doc.ents` and `doc.spans["sc"]`, labels in `cats`.

Made and opened by spaCy in a process of its own (`docbin_child`); it comes with the extra `spacy`.
https://spacy.io/api/docbin, https://spacy.io/api/data-formats#training
"""

import importlib.util
import json
import shutil
import subprocess
import sys
import tempfile
import zlib
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import IO, Any, cast

import orjson

from app.errors import InvalidInput
from app.formats.base import (
    NO_FACTS,
    Head,
    Message,
    ReadOptions,
    Record,
    RowProblem,
    VersionFacts,
    Writer,
    read_split,
)
from app.formats.bounds import MAX_ROW, text_problem
from app.formats.words import covering, with_tokens
from app.i18n import gettext as _
from app.i18n import mark
from app.storable import unstorable

_CHILD = Path(__file__).with_name("docbin_child.py")
_MAX_LINE = 4 * MAX_ROW
_PIECE = 1 << 20
_NAMES = {
    "tags": mark("tags"),
    "parts of speech": mark("parts of speech"),
    "morphology": mark("morphology"),
    "lemmas": mark("lemmas"),
    "dependencies": mark("dependencies"),
    "sentences": mark("sentences"),
    "links of entities": mark("links of entities"),
    "user data": mark("user data"),
}


class DocBinReader:
    """Reads each document as an example."""

    name = "docbin"
    title = mark("spaCy DocBin (.spacy)")
    tasks = frozenset({"sentiment", "ner"})

    def sniff(self, head: Head, task: str) -> float:
        if _begins_so(head.data):
            return 0.97
        return 0.9 if head.name.endswith(".spacy") else 0.0

    def read(
        self, stream: IO[bytes], task: str, options: ReadOptions
    ) -> Iterator[Record | RowProblem]:
        _check_spacy()
        begin = stream.read(1 << 16)
        if not _begins_so(begin):  # spaCy takes two seconds to say so
            raise _not_read(_("it does not begin like one"))
        with tempfile.TemporaryDirectory(prefix="annotune-") as folder:
            path = Path(folder, "docbin")
            with path.open("wb") as file:
                file.write(begin)
                shutil.copyfileobj(stream, file)
            with _start("read", str(path)) as child:
                try:
                    for number, line in enumerate(_lines(child), 1):
                        yield _record(number, line, task, options)
                    if child.wait():
                        raise _not_read(_("it is damaged, or too large"))
                finally:
                    child.kill()


def _begins_so(data: bytes) -> bool:
    """Whether this is packed as a DocBin is, and its first name the DocBin's."""
    with suppress(zlib.error):
        return b"version" in zlib.decompressobj().decompress(data, 32)[:16]
    return False


def _lines(child: subprocess.Popen[bytes]) -> Iterator[bytes]:
    output = cast("IO[bytes]", child.stdout)
    return iter(lambda: output.readline(_MAX_LINE), b"")


def _record(number: int, line: bytes, task: str, options: ReadOptions) -> Record | RowProblem:
    if not line.endswith(b"\n"):
        raise _not_read(_("it is damaged, or too large"))
    item = json.loads(line)
    if "error" in item:
        raise _not_read(item["error"])
    text, about = item["text"], item["about"]
    unused = [_(_NAMES[name]) if name in _NAMES else name for name in item["others"]]
    problem = unstorable([text, about]) or text_problem(text)
    if not problem and not text.strip():
        problem = _("The text is empty.")
    annotation: dict[str, Any] | None
    try:
        if task == "ner":
            annotation = _entities(item, options.label_map)
            unused += [_("categories")] * bool(item["cats"])
        else:
            annotation = _labels(item["cats"], options.label_map)
            unused += [_("entities")] * bool(item["ents"] or item["spans"])
        split = read_split(about.get("split"))
    except InvalidInput as error:
        problem = problem or error.message
    if problem:
        return RowProblem(number, problem)
    own_id, meta = about.get("external_id"), about.get("meta")
    return Record(
        text,
        tuple((start, end) for start, end in item["tokens"]),
        annotation,
        own_id if isinstance(own_id, str) else None,
        meta if isinstance(meta, dict) else {},
        number,
        split,
        tuple(unused),
    )


def _entities(item: dict[str, Any], label_map: dict[str, str]) -> dict[str, Any] | None:
    """Entities and spans together; None where nobody has looked for any."""
    if item["ents"] is None and item["spans"] is None:
        return None
    spans = {
        (start, end, label_map.get(label, label))
        for start, end, label in (*(item["ents"] or ()), *(item["spans"] or ()))
    }
    ordered = sorted(spans, key=lambda span: (span[0], -span[1], span[2]))
    return {"spans": [{"start": a, "end": b, "label": label} for a, b, label in ordered]}


def _labels(cats: dict[str, Any], label_map: dict[str, str]) -> dict[str, Any] | None:
    """The categories that are 1. Raises InvalidInput for what is between 0 and 1."""
    if not cats:
        return None
    if not all(score in (0, 1) for score in cats.values()):
        raise InvalidInput.at("cats", _("The categories have scores between 0 and 1, not labels."))
    return {"labels": [label_map.get(name, name) for name, score in cats.items() if score]}


class DocBinWriter(Writer):
    """Writes a document for each example. spaCy holds all of them in memory."""

    name = "docbin"
    title = mark("spaCy DocBin (.spacy)")
    extension = "spacy"
    media_type = "application/octet-stream"

    def write(
        self,
        records: Iterable[Record],
        task: str,
        *,
        conversation: Callable[[Record], list[Message]],
        comments: bool = False,
        facts: VersionFacts = NO_FACTS,
    ) -> Iterator[bytes]:
        _check_spacy()
        names = [label["name"] for label in facts.schema.get("labels", ())]
        with _start("write") as child:
            try:
                # It ends early where memory does; what it says then, is seen below.
                with suppress(BrokenPipeError), cast("IO[bytes]", child.stdin) as sink:
                    for record in records:
                        document = _document(record, names)
                        sink.write(orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE))
                output = cast("IO[bytes]", child.stdout)
                while piece := output.read(_PIECE):
                    yield piece
                if child.wait():
                    raise InvalidInput(_("spaCy could not make the file."))
            finally:
                child.kill()

    def check(self, record: Record, task: str) -> list[str]:
        if record.tokens is None or tuple(_words(record)) == record.tokens:
            return []
        return [_("Its tokens are divided where a span ends, or where they leave out words.")]


def _document(record: Record, names: list[str]) -> dict[str, Any]:
    annotation = record.annotation or {}
    words: list[str] = []
    spaces: list[bool] = []
    starts, ends = {}, {}
    at = 0
    for start, end in (*_words(record), (len(record.text), len(record.text))):
        gap = record.text[at:start]
        if words and gap.startswith(" "):
            gap = gap[1:]
            spaces[-1] = True
        for word in filter(None, (gap, record.text[start:end])):
            words.append(word)
            spaces.append(False)
        starts[start], ends[end] = len(words) - 1, len(words)
        at = end
    spans = [
        (starts[span["start"]], ends[span["end"]], span["label"])
        for span in annotation.get("spans", ())
    ]
    apart: list[tuple[int, int, str]] = []
    for span in sorted(spans, key=lambda span: (span[0], -span[1])):
        if not apart or span[0] >= apart[-1][1]:
            apart.append(span)
    labels = annotation.get("labels", ())
    scores = dict.fromkeys(names, 0.0) if "labels" in annotation else {}
    about = {"external_id": record.external_id, "split": record.split, "meta": record.meta}
    return {
        "words": words,
        "spaces": spaces,
        "ents": apart if "spans" in annotation else None,
        "spans": spans,
        "cats": scores | dict.fromkeys(labels, 1.0),
        "about": {name: value for name, value in about.items() if value},
    }


def _words(record: Record) -> list[tuple[int, int]]:
    """The words as spaCy has them: on all that is visible, and divided where a span begins or ends."""
    spans = (record.annotation or {}).get("spans", ())
    borders = sorted({place for span in spans for place in (span["start"], span["end"])})
    words: list[tuple[int, int]] = []
    for start, end in covering(with_tokens(record)):
        inside = borders[bisect_right(borders, start) : bisect_left(borders, end)]
        words += pairwise((start, *inside, end))
    return words


def _check_spacy() -> None:
    if importlib.util.find_spec("spacy") is None:
        raise InvalidInput.at(
            "format",
            _(
                "spaCy is not installed here, which makes and opens .spacy files: install Annotune with its extra "
                "“spacy”, or choose another format."
            ),
        )


def _start(*arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-I", str(_CHILD), *arguments],
        stdin=subprocess.PIPE if arguments[0] == "write" else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )


def _not_read(error: str) -> InvalidInput:
    return InvalidInput.at("file", _("The file is no DocBin of spaCy's: %(error)s.", error=error))
