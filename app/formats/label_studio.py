"""Label Studio's tasks with annotations, as its import takes them (read by `shapes/label_studio.py`).

    {"data": {"text": "…"}, "annotations": [{"result": [{"id": "1", "type": "labels", "from_name": "label",
      "to_name": "text", "value": {"start": 0, "end": 3, "text": "Ada", "labels": ["PER"]}}]}]}

`from_name` and `to_name` are those of Label Studio's own templates: `<Labels name="label" toName="text">` and
`<Choices name="sentiment" toName="text">` over `<Text name="text" value="$text"/>`. Its offsets are those of the
browser's strings, UTF-16 units. Source: label-studio's guide, “Import pre-annotated data” and “Label Studio JSON
format of annotated tasks”; label-studio-sdk, `converter/`.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from app.formats.base import NO_FACTS, Message, Record, VersionFacts, Writer, no_label_notes
from app.formats.json_out import beside_text, json_array
from app.formats.tokens import utf_16_units
from app.i18n import mark


class LabelStudioWriter(Writer):
    """Writes an array of tasks. What else is known of an example is in the task's data, under its own name."""

    name = "label_studio"
    title = mark("Label Studio (JSON)")
    extension = "label-studio.json"
    media_type = "application/json"
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
        yield from json_array(_task(record) for record in records)

    def check(self, record: Record, task: str) -> list[str]:
        return no_label_notes(record)


def _task(record: Record) -> dict[str, Any]:
    item: dict[str, Any] = {"data": {"text": record.text, **beside_text(record)}}
    if record.annotation is not None:
        item["annotations"] = [{"result": _result(record, record.annotation)}]
    return item


def _result(record: Record, annotation: dict[str, Any]) -> list[dict[str, Any]]:
    if "labels" in annotation:
        choices = {"choices": annotation["labels"]}
        return [_item(record, 1, "sentiment", "choices", choices)] if annotation["labels"] else []
    unit = utf_16_units(record.text)
    return [
        _item(
            record,
            number,
            "label",
            "labels",
            {
                "start": unit(span["start"]),
                "end": unit(span["end"]),
                "text": record.text[span["start"] : span["end"]],
                "labels": [span["label"]],
            },
        )
        for number, span in enumerate(annotation["spans"], 1)
    ]


def _item(
    record: Record, number: int, control: str, kind: str, value: dict[str, Any]
) -> dict[str, Any]:
    return {
        "id": f"{record.row}-{number}",
        "from_name": control,
        "to_name": "text",
        "type": kind,
        "value": value,
    }
