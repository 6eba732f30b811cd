"""The rows of a Parquet file, in bounded memory whatever the file claims.

A few kilobytes of Parquet can stand for gigabytes: pages are compressed, values are counted by run lengths, and
a long text that is said a million times is stored once. So each row group's pages are measured before they are
read, texts stay in their dictionaries until their size is known, and rows leave them a few at a time.

pyarrow takes 30 MB: import this module where a file is read, so that a start does not wait for it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from app.errors import InvalidInput
from app.formats.bounds import MAX_COLUMNS, check_unpacked
from app.formats.class_labels import Naming, namings
from app.formats.parquet_pages import pages
from app.i18n import gettext as _

_GROUP = 5000
"""Rows that are read together, at most."""
_BATCH_BYTES = 32 << 20
"""Of rows that are Python objects at the same time."""
_OBJECT = 64
"""Bytes that a value takes as an object, roughly."""
_MAX_PAGE = 64 << 20
"""Bytes of a page when it is unpacked. Writers make pages of one megabyte."""
_MAX_PAGES = 256 << 20
"""Bytes of the largest pages of all columns: as many are in memory at once."""
_MAX_ELEMENTS = 32_000_000
"""Of all the lists of a column in one row group: all of them may be in one row."""
_MAX_DEPTH = 32


@dataclass(frozen=True, slots=True)
class Table:
    """An opened Parquet file."""

    stream: IO[bytes]
    file: pq.ParquetFile
    names: list[str]
    """The columns that are read."""
    left_out: tuple[str, ...]
    """Those of bytes (images, for one)."""
    naming: dict[str, Naming]
    maps: tuple[str, ...]
    """Columns of maps, which JSON has as objects."""

    def rows(self) -> Iterator[dict[str, Any] | str]:
        """Each row, or what is wrong with it. Raises InvalidInput."""
        with _readable():
            packed = unpacked = 0
            for group in range(self.file.num_row_groups):
                if self.file.metadata.row_group(group).num_rows == 0:
                    continue  # it need not have pages either
                measured = _measure_group(self.stream, self.file.metadata, group)
                packed += measured.packed
                for batch in self.file.iter_batches(
                    measured.rows_at_once, row_groups=[group], columns=self.names, use_threads=False
                ):
                    columns = [_plain_column(column) for column in batch.columns]
                    batch = pa.RecordBatch.from_arrays(columns, names=batch.schema.names)
                    unpacked += _size(batch)[0]
                    check_unpacked(unpacked, packed)
                    for row in _split(batch):
                        yield row if isinstance(row, str) else self._named(row)

    def _named(self, row: dict[str, Any]) -> dict[str, Any]:
        for name, naming in self.naming.items():
            if name in row:
                row[name] = naming(row[name])
        for name in self.maps:
            pairs = row.get(name)
            if pairs and len(dict(pairs)) == len(pairs):
                row[name] = dict(pairs)
        return row


def open_table(stream: IO[bytes]) -> Table:
    """Raises InvalidInput for a file that is no Parquet."""
    with _readable():
        file = _open(stream)
        schema = file.schema_arrow
        left_out = tuple(field.name for field in schema if _holds_bytes(field.type))
        names = [name for name in schema.names if name not in left_out]
        maps = tuple(field.name for field in schema if pa.types.is_map(field.type))
        return Table(stream, file, names, left_out, namings(schema.metadata), maps)


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
        raise InvalidInput.at(
            "file", _("The file is not Parquet, or damaged: %(error)s", error=error)
        ) from error


def _open(stream: IO[bytes]) -> pq.ParquetFile:
    options: dict[str, Any] = {
        "pre_buffer": False,
        "buffer_size": 1 << 20,
        "arrow_extensions_enabled": False,
        "schema_depth_limit": _MAX_DEPTH,
    }
    file = pq.ParquetFile(stream, **options)
    schema = file.metadata.schema
    if file.metadata.num_columns > MAX_COLUMNS:
        raise ValueError(f"it has {file.metadata.num_columns} columns")
    if len(set(file.schema_arrow.names)) < len(file.schema_arrow.names):
        raise ValueError("two of its columns have the same name")
    texts = [
        schema.column(n).path
        for n in range(file.metadata.num_columns)
        if schema.column(n).physical_type == "BYTE_ARRAY"
    ]
    stream.seek(0)
    return pq.ParquetFile(stream, metadata=file.metadata, read_dictionary=texts, **options)


def _holds_bytes(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        return _holds_bytes(kind.value_type)
    if pa.types.is_nested(kind):
        return any(_holds_bytes(kind.field(n).type) for n in range(kind.num_fields))
    return (
        pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_fixed_size_binary(kind)
    )


@dataclass(frozen=True, slots=True)
class _Group:
    """What reading a row group takes."""

    packed: int
    rows_at_once: int


def _measure_group(stream: IO[bytes], metadata: pq.FileMetaData, number: int) -> _Group:
    """Raises ValueError for pages that are too large to be read."""
    group = metadata.row_group(number)
    packed = held = 0
    row_size = 1.0
    for place in range(group.num_columns):
        chunk = group.column(place)
        offsets = [chunk.data_page_offset]
        if chunk.has_dictionary_page and chunk.dictionary_page_offset:
            offsets.append(chunk.dictionary_page_offset)
        largest = values = 0
        value_size = 0.0
        for page in pages(stream, min(offsets), chunk.total_compressed_size):
            packed += page.packed
            largest = max(largest, page.unpacked)
            if not page.is_dictionary:
                values += page.values
                value_size = max(value_size, page.unpacked / max(1, page.values))
        held += largest
        if largest > _MAX_PAGE or held > _MAX_PAGES:
            raise ValueError(f"a page of “{chunk.path_in_schema}” unpacks to {largest:,} bytes")
        is_list = metadata.schema.column(place).max_repetition_level > 0
        if is_list and values > _MAX_ELEMENTS:
            raise ValueError(f"“{chunk.path_in_schema}” has {values:,} elements in one row group")
        row_size += value_size * (max(1.0, values / max(1, group.num_rows)) if is_list else 1)
    return _Group(packed, max(1, min(_GROUP, int(_BATCH_BYTES / row_size))))


def _plain_column(column: Any) -> Any:
    """The column as something that JSON has, too: Python has no nanoseconds, and no year after 9999."""
    kind = column.type
    if pa.types.is_timestamp(kind):
        return _iso(column)
    plain = _plain_type(kind)
    return column if plain == kind else column.cast(plain)


def _iso(column: Any) -> Any:
    """Times as ISO 8601 has them: 2024-01-31T12:00:00."""
    if column.type.tz:  # this machine may not know the zone
        column = column.cast(pa.timestamp(column.type.unit, "UTC"))
    texts = pc.replace_substring(column.cast(pa.string()), " ", "T", max_replacements=1)
    return pc.replace_substring_regex(texts, r"\.0+(Z?)$", r"\1")


def _plain_type(kind: pa.DataType) -> pa.DataType:
    """The type with texts for times and decimals, wherever they stand."""
    if pa.types.is_temporal(kind) or pa.types.is_decimal(kind):
        return pa.string()
    if pa.types.is_struct(kind):
        return pa.struct([(part.name, _plain_type(part.type)) for part in kind])
    if pa.types.is_map(kind):
        return pa.map_(_plain_type(kind.key_type), _plain_type(kind.item_type))
    if pa.types.is_list(kind) and _plain_type(kind.value_type) != kind.value_type:
        return pa.list_(_plain_type(kind.value_type))
    if pa.types.is_large_list(kind) and _plain_type(kind.value_type) != kind.value_type:
        return pa.large_list(_plain_type(kind.value_type))
    return kind


def _split(batch: pa.RecordBatch) -> Iterator[dict[str, Any] | str]:
    """The rows of a batch, cut in halves until a part is small enough; one that is too large is left out, in words."""
    size, values = _size(batch)
    if size + _OBJECT * values <= _BATCH_BYTES:
        try:
            yield from batch.to_pylist()
            return
        except (ValueError, OverflowError) as error:
            if batch.num_rows == 1:
                yield _("The row cannot be read: %(error)s", error=error)
                return
    elif batch.num_rows == 1:
        yield _("The row is larger than %(n)s MiB.", n=_BATCH_BYTES >> 20)
        return
    half = batch.num_rows // 2
    yield from _split(batch.slice(0, half))
    yield from _split(batch.slice(half))


def _size(batch: pa.RecordBatch) -> tuple[int, int]:
    """(bytes, values) of a batch when its dictionaries are resolved."""
    sizes = [_size_of(column) for column in batch.columns]
    return sum(size for size, _values in sizes), sum(values for _size, values in sizes)


def _size_of(array: Any) -> tuple[int, int]:
    kind, n = array.type, len(array)
    if pa.types.is_dictionary(kind):
        lengths = pc.binary_length(array.dictionary).cast(pa.int64())
        return (pc.sum(lengths.take(array.indices)).as_py() or 0) + n, n
    if pa.types.is_struct(kind):
        parts = [_size_of(part) for part in array.flatten()]
    elif pa.types.is_map(kind):
        pairs = pa.StructArray.from_arrays([array.keys, array.items], ["key", "value"])
        parts = [_size_of(pa.ListArray.from_arrays(array.offsets, pairs).flatten())]
    elif pa.types.is_nested(kind):
        parts = [_size_of(array.flatten())]
    else:
        return max(array.nbytes, n), n
    return sum(size for size, _n in parts) + n, sum(values for _size, values in parts) + n
