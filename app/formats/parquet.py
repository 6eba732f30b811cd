"""Parquet, in and out: typed columns, streamed in row groups."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import IO, TYPE_CHECKING, Any, cast

import orjson

from app.formats.archive import Sink
from app.formats.base import (
    NO_FACTS,
    Head,
    Message,
    ReadOptions,
    Record,
    RowProblem,
    VersionFacts,
    Writer,
    no_label_notes,
)
from app.formats.rows import FileRow, read_rows

if TYPE_CHECKING:
    import pyarrow as pa

# pyarrow takes 30 MB, so it is imported where a file is read or written: a start shall not wait for it.
_GROUP = 2000
"""Rows that are written together: so few that others wait no longer for them than a blink."""


class ParquetReader:
    """Reads Parquet files as ours, and others with a text and a label column."""

    name = "parquet"
    title = "Parquet"
    tasks = frozenset({"sentiment", "ner", "srl"})

    def sniff(self, head: Head, task: str) -> float:
        if head.data.startswith(b"PAR1"):
            return 1.0
        return 0.7 if head.name.endswith(".parquet") else 0.0

    def rows(self, stream: IO[bytes], options: ReadOptions) -> Iterator[FileRow]:
        from app.formats.parquet_rows import open_table

        table = open_table(stream)
        for number, row in enumerate(table.rows(), 1):
            if isinstance(row, str):
                yield FileRow(number, problem=row)
            else:
                yield FileRow(number, row, unused=table.left_out)

    def read(
        self, stream: IO[bytes], task: str, options: ReadOptions
    ) -> Iterator[Record | RowProblem]:
        return read_rows(self.rows(stream, options), task, options)


class ParquetWriter(Writer):
    """Writes typed columns; meta as a JSON string, since its keys differ from row to row."""

    name = "parquet"
    title = "Parquet"
    purpose = "rows"
    extension = "parquet"
    media_type = "application/vnd.apache.parquet"
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
        import pyarrow as pa

        column, kind = annotation_column(task)
        fields: list[tuple[str, pa.DataType]] = [
            ("id", pa.int64()),
            ("external_id", pa.string()),
            ("split", pa.string()),
            ("text", pa.string()),
            (column, kind),
            ("tokens", pa.list_(pa.struct(_span()))),
            ("meta", pa.string()),
        ]
        schema = pa.schema(fields)
        columns = [
            lambda r: r.row,
            lambda r: r.external_id,
            lambda r: r.split,
            lambda r: r.text,
            lambda r: (r.annotation or {}).get(column),
            _tokens,
            _meta,
        ]
        yield from write_table(records, schema, columns)

    def check(self, record: Record, task: str) -> list[str]:
        return no_label_notes(record)


def write_table(
    records: Iterable[Record], schema: "pa.Schema", columns: Sequence[Callable[[Record], Any]]
) -> Iterator[bytes]:
    """A Parquet file of these columns, a row group after the other."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = Sink()
    iterator = iter(records)
    with pq.ParquetWriter(cast("IO[bytes]", sink), schema, compression="zstd") as writer:
        while group := list(islice(iterator, _GROUP)):
            arrays = [
                pa.array(list(map(column, group)), field.type)
                for column, field in zip(columns, schema, strict=True)
            ]
            writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema))
            yield sink.take()
    yield sink.take()


def annotation_column(task: str) -> tuple[str, "pa.DataType"]:
    """The annotation's column, and its type."""
    import pyarrow as pa

    label, role = (pa.struct([*_span(), (name, pa.string())]) for name in ("label", "role"))
    predicate = pa.struct([*_span(), ("sense", pa.string()), ("arguments", pa.list_(role))])
    columns: dict[str, tuple[str, pa.DataType]] = {
        "sentiment": ("labels", pa.list_(pa.string())),
        "ner": ("spans", pa.list_(label)),
        "srl": ("predicates", pa.list_(predicate)),
    }
    return columns[task]


def _span() -> list[tuple[str, "pa.DataType"]]:
    import pyarrow as pa

    return [("start", pa.int32()), ("end", pa.int32())]


def _tokens(record: Record) -> list[dict[str, int]] | None:
    tokens = record.tokens
    return None if tokens is None else [{"start": start, "end": end} for start, end in tokens]


def _meta(record: Record) -> str | None:
    return orjson.dumps(record.meta).decode() if record.meta else None
