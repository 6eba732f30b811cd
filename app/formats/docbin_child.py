"""Makes and opens spaCy's DocBin, for `docbin.py`: JSON lines in, a file out, or a file in, JSON lines out.

Run as a program of its own: spaCy brings what no web process should hold, and a file is read by compiled code that was
made for files of one's own. It imports nothing of ours, to start at once.
"""

import contextlib
import json
import sys
import zlib
from pathlib import Path
from typing import Any

# What spaCy loads only to see whether it is there.
sys.modules.update(dict.fromkeys(("torch", "tensorflow", "mxnet", "cupy")))  # type: ignore[arg-type]

from spacy.tokens import Doc, DocBin, Span  # noqa: E402
from spacy.vocab import Vocab  # noqa: E402

MEMORY = 4 << 30
"""Bytes of address space for reading one file."""
SECONDS = 600
"""Of processor time."""
MAX_UNPACKED = 1 << 30
GROUP = "sc"
"""The group of spans that spaCy's own components read and write."""
OURS = "annotune"
_OTHERS = {
    "TAG": "tags", "POS": "parts of speech", "MORPH": "morphology", "LEMMA": "lemmas", "DEP": "dependencies",
    "SENT_START": "sentences",
}  # fmt: skip


def write() -> None:
    """A line is {"words", "spaces", "ents", "spans", "cats", "about"}; entities and spans are [first word, behind the
    last, label], or null where nobody has looked for any."""
    vocab = Vocab()
    found = DocBin(attrs=["ENT_IOB", "ENT_TYPE"], store_user_data=True)
    for line in sys.stdin:
        item = json.loads(line)
        doc = Doc(vocab, words=item["words"], spaces=item["spaces"])
        if item["ents"] is not None:
            doc.set_ents([Span(doc, *span) for span in item["ents"]], default="outside")
            doc.spans[GROUP] = [Span(doc, *span) for span in item["spans"]]
        doc.cats = item["cats"]
        doc.user_data[OURS] = item["about"]
        found.add(doc)
    sys.stdout.buffer.write(found.to_bytes())


def read(path: str) -> None:
    """A line is a document: {"text", "tokens", "ents", "spans", "cats", "about", "others"} on characters."""
    with contextlib.suppress(ImportError):  # Windows has no such limits
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    try:
        unpacked = zlib.decompressobj().decompress(Path(path).read_bytes(), MAX_UNPACKED)
        found = DocBin().from_bytes(zlib.compress(unpacked, 0))
        for doc in found.get_docs(Vocab()):
            _say(_document(doc))
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError, zlib.error) as error:
        _say({"error": str(error)[:300]})


def _document(doc: Any) -> dict[str, Any]:
    groups = {name: [_span(span) for span in spans] for name, spans in doc.spans.items()}
    others = [name for attribute, name in _OTHERS.items() if doc.has_annotation(attribute)]
    others += [f"spans: {name}" for name in sorted(groups) if name != GROUP]
    if any(span.kb_id_ for span in doc.ents):
        others.append("links of entities")
    about = doc.user_data.get(OURS)
    if len(doc.user_data) > isinstance(about, dict):
        others.append("user data")
    return {
        "text": doc.text,
        "tokens": [[t.idx, t.idx + len(t.text)] for t in doc if t.text.strip()],
        "ents": [_span(span) for span in doc.ents] if doc.has_annotation("ENT_IOB") else None,
        "spans": groups.get(GROUP),
        "cats": doc.cats,
        "about": about if isinstance(about, dict) else {},
        "others": others,
    }


def _span(span: Any) -> list[Any]:
    return [span.start_char, span.end_char, span.label_]


def _say(value: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(value) + "\n")


if __name__ == "__main__":
    if sys.argv[1] == "write":
        write()
    else:
        read(sys.argv[2])
