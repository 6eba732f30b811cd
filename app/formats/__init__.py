"""Readers and writers: one file a format. None of them knows a database."""

import io
from contextlib import suppress
from typing import IO

from app.errors import InvalidInput
from app.formats.base import Preview, Reader, ReadOptions, Record, RowProblem, Writer
from app.formats.brat import BratReader
from app.formats.brat_out import BratWriter
from app.formats.conll import ConllReader
from app.formats.conll2012 import Conll2012Reader
from app.formats.conll2012_out import Conll2012Writer
from app.formats.conll_heads import Conll2009Reader, Conll2009Writer, UpReader
from app.formats.conll_srl import Conll2005Reader, Conll2005Writer, PropBankReader
from app.formats.conllu import ConlluReader
from app.formats.conllu_out import ConlluWriter, UpWriter
from app.formats.delimited import CsvReader, CsvWriter, open_table
from app.formats.docbin import DocBinReader, DocBinWriter
from app.formats.doccano import DoccanoWriter
from app.formats.encoding import Guess, detect_in, open_text
from app.formats.fasttext import FastTextReader
from app.formats.huggingface import HuggingFaceWriter
from app.formats.json_rows import JsonlReader, JsonlWriter, JsonReader
from app.formats.label_studio import LabelStudioWriter
from app.formats.magic import SIZE, kind_of, not_text
from app.formats.packed import beginning
from app.formats.parquet import ParquetReader, ParquetWriter
from app.formats.python_data import PythonReader
from app.formats.recognising import surest
from app.formats.rows import sample_columns
from app.formats.sft import AlpacaWriter, MessagesWriter, ShareGptWriter, TrlChatWriter, TrlWriter
from app.formats.tables import read_sample, table_mapping, with_labels_merged
from app.formats.tag_columns import TagColumnsWriter
from app.formats.text import TextReader
from app.formats.webanno import WebAnnoReader
from app.formats.webanno_out import WebAnnoWriter
from app.formats.word_tables import word_columns
from app.formats.workbook import WorkbookReader, open_sheet
from app.formats.zip_files import ZipReader
from app.i18n import gettext as _
from app.i18n import mark

_READERS: tuple[Reader, ...] = (
    TextReader(),
    CsvReader(),
    WorkbookReader(),
    FastTextReader(),
    JsonlReader(),
    JsonReader(),
    ParquetReader(),
    PythonReader(),
    ConllReader(),
    PropBankReader(),
    Conll2005Reader(),
    Conll2009Reader(),
    UpReader(),
    ConlluReader(),
    Conll2012Reader(),
    WebAnnoReader(),
    BratReader(),
    DocBinReader(),
)
_WRITERS: tuple[Writer, ...] = (
    JsonlWriter(),
    CsvWriter(),
    ParquetWriter(),
    TagColumnsWriter("conll2003", mark("CoNLL-2003 (IOB2)"), "IOB2"),
    TagColumnsWriter("conll_iob1", mark("CoNLL columns, IOB1"), "IOB1"),
    TagColumnsWriter("conll_bioes", mark("CoNLL columns, BIOES"), "BIOES"),
    TagColumnsWriter("conll_bmes", mark("CoNLL columns, BMES"), "BMES"),
    TagColumnsWriter("conll_bilou", mark("CoNLL columns, BILOU"), "BILOU"),
    TagColumnsWriter("conll_io", mark("CoNLL columns, IO (neighbours of one type melt)"), "IO"),
    ConlluWriter(),
    UpWriter(),
    Conll2012Writer(),
    Conll2005Writer(),
    Conll2009Writer(),
    WebAnnoWriter(),
    BratWriter(),
    DocBinWriter(),
    LabelStudioWriter(),
    DoccanoWriter("doccano", mark("doccano (JSON Lines)"), has_relations=False),
    DoccanoWriter("doccano_relations", mark("doccano, project with relations"), has_relations=True),
    MessagesWriter(),
    AlpacaWriter(),
    ShareGptWriter(),
    TrlWriter(),
    TrlChatWriter(),
    HuggingFaceWriter(),
)
READERS = {reader.name: reader for reader in (*_READERS, ZipReader(_READERS))}
WRITERS = {writer.name: writer for writer in _WRITERS}

TABLES = {"csv": open_table, "excel": open_sheet}
"""How the readers of tables open a file, so that its columns can be shown."""

_NO_TEXT = ("parquet", "excel", "brat", "docbin", "zip")
_CELL = 300
"""Characters of a sample value."""
_PREVIEW_SIZE = 4 << 20
"""Characters of all texts of a preview."""


def guess_format(filename: str, head: bytes, task: str, *, language: str | None = None) -> str:
    """The reader that is surest that a file which begins like this is its own. Raises InvalidInput where none is."""
    best = surest(READERS.values(), filename, head, task, language)
    if best is None:
        if kind := kind_of(beginning(io.BytesIO(head), SIZE)):
            raise not_text(kind)
        raise InvalidInput.at(
            "file",
            _(
                "No format is recognised in this file. These are read: %(titles)s. If each of its lines is a text of "
                "its own, give the file a name that ends in .txt.",
                titles=", ".join(_(r.title) for r in READERS.values() if task in r.tasks),
            ),
        )
    return best.name


def encoding_of(stream: IO[bytes], name: str, options: ReadOptions) -> Guess:
    """The encoding that this reader takes a file to be in; an empty one for what is no text. Leaves the stream at its
    beginning. Raises InvalidInput for a file of another kind."""
    if name in _NO_TEXT:
        return Guess("")
    lines, encoding = open_text(stream, options.encoding, language=options.language)
    lines.detach()
    stream.seek(0)
    is_certain = options.encoding is not None or detect_in(stream, options.language).is_certain
    return Guess(encoding, is_certain)


def preview(
    stream: IO[bytes], name: str, task: str, options: ReadOptions, *, limit: int = 20
) -> Preview:
    """The first records of a file as this reader takes them. Raises InvalidInput where it cannot at all."""
    reader = READERS[name]
    guess = encoding_of(stream, name, options)
    columns, mapping = _columns(reader, stream, task, options)
    records: list[Record] = []
    problems: list[RowProblem] = []
    size = 0
    try:
        for item in reader.read(stream, task, options):
            if isinstance(item, Record):
                records.append(item)
                size += len(item.text)
            else:
                problems.append(item)
            if len(records) >= limit or len(problems) >= limit or size > _PREVIEW_SIZE:
                break
    except InvalidInput as error:
        problems.append(RowProblem(1, error.message))
    return Preview(name, guess.encoding, guess.is_certain, columns, mapping, records, problems)


def _columns(
    reader: Reader, stream: IO[bytes], task: str, options: ReadOptions
) -> tuple[dict[str, list[str]], dict[str, str]]:
    """(columns with sample values, what they are taken for); empty where a format has none, or cannot be read."""
    columns: dict[str, list[str]] = {}
    mapping: dict[str, str] = {}
    if reader.name in TABLES:
        table = with_labels_merged(TABLES[reader.name](stream, options), task, options)
        sample = [cells for _number, cells in read_sample(table.rows)]
        mapping = table_mapping(table.columns, sample, options, label=table.label)
        mapping |= word_columns(table.columns, task, options)
        columns = {
            column: [cells[place][:_CELL] for cells in sample[:5] if place < len(cells)]
            for place, column in enumerate(table.columns)
        }
    elif isinstance(reader, JsonlReader | JsonReader | ParquetReader | PythonReader):
        with suppress(InvalidInput):  # told with the rows before it
            columns, mapping = sample_columns(reader.rows(stream, options), task, options)
    stream.seek(0)
    return columns, mapping


__all__ = [
    "READERS",
    "WRITERS",
    "Preview",
    "ReadOptions",
    "Record",
    "RowProblem",
    "encoding_of",
    "guess_format",
    "preview",
]
