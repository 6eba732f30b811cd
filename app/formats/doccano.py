"""doccano's JSON Lines (read as rows with named columns): the labels of a text, or its spans in code points.

    {"text": "…", "label": ["positive"]}
    {"text": "…", "label": [[0, 3, "PER"]]}                                             sequence labelling
    {"text": "…", "entities": [{"id": 1, "start_offset": 0, "end_offset": 3, "label": "PER"}], "relations": []}

The third is that of its projects with relations. Other names are what doccano keeps as metadata.
Source: doccano, `backend/data_export/pipeline/` and `backend/data_import/pipeline/` (1.8).
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from app.formats.base import NO_FACTS, Message, Record, VersionFacts, Writer, no_label_notes
from app.formats.json_out import beside_text


@dataclass(frozen=True)
class DoccanoWriter(Writer):
    """Writes one object a line."""

    name: str
    title: str
    has_relations: bool
    """Whether it is for a project with relations."""
    extension: str = "doccano.jsonl"
    media_type: str = "application/x-ndjson"
    splits = "said"

    def write(
        self,
        records: Iterable[Record],
        task: str,
        *,
        conversation: Callable[[Record], list[Message]],
        comments: bool = False,
        facts: VersionFacts = NO_FACTS,
    ) -> Iterator[bytes]:
        for record in records:
            row = {"text": record.text, **self._label(record.annotation), **beside_text(record)}
            yield orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)

    def check(self, record: Record, task: str) -> list[str]:
        return no_label_notes(record)

    def _label(self, annotation: dict[str, Any] | None) -> dict[str, Any]:
        if annotation is None:
            return {}
        if "labels" in annotation:
            return {"label": annotation["labels"]}
        spans = annotation["spans"]
        if not self.has_relations:
            return {"label": [[span["start"], span["end"], span["label"]] for span in spans]}
        entities = [
            {"id": n, "label": s["label"], "start_offset": s["start"], "end_offset": s["end"]}
            for n, s in enumerate(spans, 1)
        ]
        return {"entities": entities, "relations": []}
