"""Readers and writers: one file a format. None of them knows a database."""

import io
import re
from typing import IO

from app.errors import InvalidInput
from app.formats.base import Head, Preview, Reader, ReadOptions, Record, RowProblem, Writer
from app.formats.conll import ConllReader, ConllWriter
from app.formats.conll2012 import Conll2012Reader
from app.formats.conll_heads import Conll2009Reader, Conll2009Writer, UpReader
from app.formats.conll_srl import Conll2005Reader, Conll2005Writer, PropBankReader
from app.formats.conllu import ConlluReader
from app.formats.delimited import CsvReader, CsvWriter, read_sample, read_table, table_mapping
from app.formats.encoding import detect, open_text, uncompressed
from app.formats.json_rows import JsonlReader, JsonlWriter, JsonReader
from app.formats.parquet import ParquetReader, ParquetWriter
from app.formats.sft import AlpacaWriter, MessagesWriter, ShareGptWriter
from app.formats.text import TextReader
from app.formats.webanno import WebAnnoReader
from app.i18n import gettext as _

_READERS: tuple[Reader, ...] = (
    TextReader(),
    CsvReader(),
    JsonlReader(),
    JsonReader(),
    ParquetReader(),
    ConllReader(),
    PropBankReader(),
    Conll2005Reader(),
    Conll2009Reader(),
    UpReader(),
    ConlluReader(),
    Conll2012Reader(),
    WebAnnoReader(),
)
_WRITERS: tuple[Writer, ...] = (
    JsonlWriter(),
    CsvWriter(),
    ParquetWriter(),
    ConllWriter(),
    Conll2005Writer(),
    Conll2009Writer(),
    MessagesWriter(),
    AlpacaWriter(),
    ShareGptWriter(),
)
READERS = {reader.name: reader for reader in _READERS}
WRITERS = {writer.name: writer for writer in _WRITERS}

_CELL = 300
"""Characters of a sample value."""
_PREVIEW_SIZE = 4 << 20
"""Characters of all texts of a preview."""
_PACKED = re.compile(r"\.gz$")


def guess_format(filename: str, head: bytes, task: str) -> str:
    """The reader that is surest that a file which begins like this is its own. Raises InvalidInput where none is."""
    begin = _head(filename, head)
    sure = {r.name: r.sniff(begin, task) for r in _READERS if task in r.tasks}
    best = max(sure, key=lambda name: sure[name])
    if not sure[best]:
        raise InvalidInput.at(
            "file",
            _(
                "No format is recognised in this file. These are read: %(titles)s.",
                titles=", ".join(_(READERS[name].title) for name in sure),
            ),
        )
    return best


def _head(filename: str, data: bytes) -> Head:
    text = _head_text(data)
    lines = [line for line in text.splitlines()[:200] if line.strip()]
    return Head(_PACKED.sub("", filename.lower()), data, text, lines)


def _head_text(head: bytes) -> str:
    raw = uncompressed(io.BytesIO(head))
    try:
        data = raw.read(1 << 16)
    except InvalidInput:
        return ""
    return data.decode(detect(data), errors="replace").lstrip("\ufeff")


def preview(
    stream: IO[bytes], name: str, task: str, options: ReadOptions, *, limit: int = 20
) -> Preview:
    """The first records of a file as this reader takes them. Raises InvalidInput where it cannot at all."""
    columns: dict[str, list[str]] = {}
    mapping: dict[str, str] = {}
    encoding = ""
    if name != "parquet":
        _lines, encoding = open_text(stream, options.encoding)
        _lines.detach()
        stream.seek(0)
    if name == "csv":
        names, rows, encoding = read_table(stream, options)
        sample = [cells for _number, cells in read_sample(rows)]
        mapping = table_mapping(names, sample, options)
        columns = {
            column: [cells[place][:_CELL] for cells in sample[:5] if place < len(cells)]
            for place, column in enumerate(names)
        }
        stream.seek(0)
    records: list[Record] = []
    problems: list[RowProblem] = []
    size = 0
    try:
        for item in READERS[name].read(stream, task, options):
            if isinstance(item, Record):
                records.append(item)
                size += len(item.text)
            else:
                problems.append(item)
            if len(records) >= limit or len(problems) >= limit or size > _PREVIEW_SIZE:
                break
    except InvalidInput as error:
        problems.append(RowProblem(1, error.message))
    return Preview(name, encoding, columns, mapping, records, problems)


__all__ = [
    "READERS",
    "WRITERS",
    "Preview",
    "ReadOptions",
    "Record",
    "RowProblem",
    "guess_format",
    "preview",
]
