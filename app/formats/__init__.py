"""Readers and writers: one file a format. None of them knows a database."""

import io
import re
from typing import IO

from app.errors import InvalidInput
from app.formats.base import Preview, Reader, ReadOptions, Record, RowProblem, Writer
from app.formats.conll import ConllReader, ConllWriter
from app.formats.conll_heads import Conll2009Reader, Conll2009Writer, UpReader
from app.formats.conll_srl import Conll2005Reader, Conll2005Writer, PropBankReader
from app.formats.delimited import CsvReader, CsvWriter, read_sample, read_table, table_mapping
from app.formats.encoding import detect, open_text, uncompressed
from app.formats.json_rows import JsonlReader, JsonlWriter, JsonReader
from app.formats.parquet import ParquetReader, ParquetWriter
from app.formats.sft import AlpacaWriter, MessagesWriter, ShareGptWriter
from app.formats.text import TextReader

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
_ENDINGS = (
    (r"\.gold_(?:conll|skel)$", "propbank"),
    (r"conll-?(?:20)?05", "conll2005"),
    (r"conll-?(?:20)?09", "conll2009"),
    (r"\.conllup?$|\.conllu\.", "up"),
    (r"\.jsonl$|\.ndjson$", "jsonl"),
    (r"\.json$", "json"),
    (r"\.(?:csv|tsv)$", "csv"),
    (r"\.parquet$", "parquet"),
    (r"\.(?:conll|iob2?|bio|bmes|bieos|bioes)$|\.conll\.", "conll"),
)
_TAGGED = re.compile(r"^\S+(?:[ \t].*)?[ \t](?:O|[BIESMLU]-\S+)$")


def guess_format(filename: str, head: bytes, task: str) -> str:
    """The reader that a file most likely needs, by its name, then by how it begins."""
    name = filename.lower().removesuffix(".gz")
    text = _head_text(head)
    lines = [line for line in text.splitlines()[:200] if line.strip()]
    if task == "ner" and sum(bool(_TAGGED.match(line)) for line in lines) > 0.6 * len(lines):
        return "conll"
    for pattern, reader in _ENDINGS:
        if re.search(pattern, name) and task in READERS[reader].tasks:
            return reader
    return _by_content(head, text, lines, task)


def _by_content(head: bytes, text: str, lines: list[str], task: str) -> str:
    if head.startswith(b"PAR1"):
        return "parquet"
    if text.lstrip().startswith("["):
        return "json"
    if text.lstrip().startswith("{"):
        return "jsonl"
    if task == "srl" and "(V*" in text:
        cells = lines[0].split()
        return "propbank" if len(cells) >= 8 and cells[2].isdigit() else "conll2005"
    if task == "srl" and lines and (lines[0].startswith("#") or lines[0].count("\t") >= 9):
        return "up"
    tabs = sum("\t" in line for line in lines)
    return "csv" if tabs and tabs > 0.8 * len(lines) else "text"


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
