"""A data set's folder as Hugging Face's `datasets` opens it: Parquet per split with named labels, and a card.

    README.md
    data/train-00000-of-00001.parquet …

`load_dataset("folder")` gives the splits, and `ClassLabel` the labels' names. The names lie in the Parquet schema's
metadata under `huggingface`, as `datasets.Features` reads them (`features/features.py`).
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from app.formats.archive import by_split, zipped
from app.formats.base import NO_FACTS, Message, Record, VersionFacts, Writer
from app.formats.dataset_card import dataset_card
from app.formats.parquet import annotation_column, write_table
from app.formats.tag_columns import encode_tags
from app.formats.words import with_tokens
from app.i18n import mark
from app.tasks import get_task

if TYPE_CHECKING:
    import pyarrow as pa

Feature = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Column:
    name: str
    type: "pa.DataType"
    feature: Feature
    value: Callable[[Record], Any]


class HuggingFaceWriter(Writer):
    """Writes a folder for the hub, zipped."""

    name = "huggingface"
    title = mark("Hugging Face dataset (folder)")
    purpose = "rows"
    extension = "zip"
    media_type = "application/zip"
    splits = "said"
    has_card = True

    def write(
        self,
        records: Iterable[Record],
        task: str,
        *,
        conversation: Callable[[Record], list[Message]],
        comments: bool = False,
        facts: VersionFacts = NO_FACTS,
    ) -> Iterator[bytes]:
        import pyarrow as pa

        columns = _columns(task, facts, _labels(task, facts, records))
        features = {column.name: column.feature for column in columns}
        metadata: dict[bytes | str, bytes | str] = {
            "huggingface": orjson.dumps({"info": {"features": features}})
        }
        schema = pa.schema([(c.name, c.type) for c in columns], metadata=metadata)
        values = [column.value for column in columns]
        written: dict[str, str] = {}

        def files() -> Iterator[tuple[str, Iterable[bytes]]]:
            for split, own in by_split(records):
                written[split] = f"data/{split}-00000-of-00001.parquet"
                yield written[split], write_table(own, schema, values)
            card = dataset_card(facts, get_task(task).pipeline, features, written)
            yield "README.md", (card.encode(),)

        yield from zipped(files())


def _labels(task: str, facts: VersionFacts, records: Iterable[Record]) -> list[str]:
    """The schema's labels in its order, and whatever else is used."""
    kind = get_task(task)
    known = [label.name for label in kind.labels(kind.parse_schema(dict(facts.schema)))]
    used: Iterable[str] = facts.counts.get("labels", ())
    if not facts.counts:
        payloads = (kind.parse_payload(r.annotation) for r in records if r.annotation)
        used = sorted({name for payload in payloads for name in kind.label_names(payload)})
    return list(dict.fromkeys([*known, *used]))


def _columns(task: str, facts: VersionFacts, labels: list[str]) -> list[_Column]:
    import pyarrow as pa

    column, of_annotation = annotation_column(task)
    text = [
        _Column("id", pa.int64(), _value("int64"), lambda r: r.row),
        _Column("external_id", pa.string(), _value("string"), lambda r: r.external_id),
        _Column("text", pa.string(), _value("string"), lambda r: r.text),
    ]
    said = {"labels": _classes, "spans": _tagged}.get(column, _words)(labels, facts)
    if column != "labels":
        feature = _feature(of_annotation)
        said.append(
            _Column(column, of_annotation, feature, lambda r: (r.annotation or {}).get(column))
        )
    meta = _Column("meta", pa.string(), _value("string"), _meta)
    return [*text, *said, meta]


def _classes(labels: list[str], facts: VersionFacts) -> list[_Column]:
    """`label`, if each text has one, else `labels`."""
    import pyarrow as pa

    numbers = {name: number for number, name in enumerate(labels)}

    def several(record: Record) -> list[int] | None:
        if record.annotation is None:
            return None
        return [numbers[name] for name in record.annotation["labels"]]

    def one(record: Record) -> int | None:
        return next(iter(several(record) or ()), None)

    if facts.schema.get("mode") == "multi":
        return [_Column("labels", pa.list_(pa.int64()), _list(_class_label(labels)), several)]
    return [_Column("label", pa.int64(), _class_label(labels), one)]


def _words(labels: list[str], facts: VersionFacts) -> list[_Column]:
    import pyarrow as pa

    def words(record: Record) -> list[str]:
        return [record.text[start:end] for start, end in with_tokens(record).tokens or ()]

    return [_Column("tokens", pa.list_(pa.string()), _list(_value("string")), words)]


def _tagged(labels: list[str], facts: VersionFacts) -> list[_Column]:
    """The words with IOB2 tags; what tags cannot say is in `spans`, which says all."""
    import pyarrow as pa

    as_tags = dict.fromkeys("_".join(label.split()) for label in labels)
    names = ["O", *(f"{begin}-{label}" for label in as_tags for begin in "BI")]
    numbers = {name: number for number, name in enumerate(names)}

    def tags(record: Record) -> list[int] | None:
        if record.annotation is None:
            return None
        return [numbers[tag] for tag in encode_tags(with_tokens(record), "IOB2")[0]]

    tag_column = _Column("ner_tags", pa.list_(pa.int64()), _list(_class_label(names)), tags)
    return [*_words(labels, facts), tag_column]


def _value(dtype: str) -> Feature:
    return {"dtype": dtype, "_type": "Value"}


def _class_label(names: list[str]) -> Feature:
    return {"names": names, "_type": "ClassLabel"}


def _list(feature: Feature) -> Feature:
    return {"feature": feature, "_type": "List"}


def _feature(type_: "pa.DataType") -> Feature:
    """What `datasets` calls an Arrow type of ours."""
    import pyarrow as pa

    if pa.types.is_list(type_):
        return _list(_feature(type_.value_type))
    if pa.types.is_struct(type_):
        return {field.name: _feature(field.type) for field in type_}
    return _value(str(type_))


def _meta(record: Record) -> str | None:
    return orjson.dumps(record.meta).decode() if record.meta else None
