"""Workbooks of Excel and LibreOffice (.xlsx, .xlsm, .xlsb, .xls, .ods): one sheet of one, as a table.

What a cell holds is its value: the result of a formula, a date in ISO form. Read by calamine in a process of its own
(`workbook_child`), which ends when it wants too much.
"""

import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import orjson

from app.errors import InvalidInput
from app.formats.base import Head, ReadOptions, Record, RowProblem
from app.formats.bounds import MAX_ROW
from app.formats.packed import uncompressed
from app.formats.tables import Cells, Table, make_table, read_records
from app.i18n import gettext as _
from app.i18n import mark

_CHILD = Path(__file__).with_name("workbook_child.py")
_ENDING = re.compile(r"\.(?:xlsx|xlsm|xlsb|xls|ods)$")
_ZIP, _OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_MAX_UNPACKED = 1 << 30
"""Bytes of all files in an .xlsx or .ods."""
_MAX_FILES = 10_000
_MAX_LINE = 2 * MAX_ROW
"""Bytes of a row: JSON of letters beyond ASCII takes six for each."""
_NAMED = 20
"""Sheets that are named as not used."""


class WorkbookReader:
    """Reads the first sheet of a workbook, or the one that is named."""

    name = "excel"
    title = mark("Excel or OpenDocument")
    tasks = frozenset({"sentiment", "ner", "srl"})

    def sniff(self, head: Head, task: str) -> float:
        if not head.data.startswith((_ZIP, _OLE, b"\x1f\x8b", b"BZh", b"\xfd7zXZ")):
            return 0.0
        is_book = b"xl/" in head.data or b"opendocument.spreadsheet" in head.data
        return 0.95 if _ENDING.search(head.name) or (is_book and not head.text) else 0.0

    def read(
        self, stream: IO[bytes], task: str, options: ReadOptions
    ) -> Iterator[Record | RowProblem]:
        yield from read_records(open_sheet(stream, options), task, options)


def open_sheet(stream: IO[bytes], options: ReadOptions) -> Table:
    """The sheet as a table. Raises InvalidInput."""
    lines = _lines(stream, options.sheet or "")
    about = next(lines, None)
    if not isinstance(about, dict) or "error" in about:
        raise _not_read(about["error"] if isinstance(about, dict) else "")
    sheets = about["sheets"]
    if not sheets:
        raise InvalidInput.at("file", _("The workbook has no sheet with cells."))
    if options.sheet and options.sheet not in sheets:
        raise InvalidInput.at(
            "sheet",
            _(
                "The workbook has no sheet “%(name)s”. There are: %(sheets)s.",
                name=options.sheet[:100],
                sheets=", ".join(sheets[:_NAMED]),
            ),
        )
    others = [name for name in sheets if name != (options.sheet or sheets[0])]
    unused = tuple(_("sheet “%(name)s”", name=name) for name in others[:_NAMED])
    return make_table(_rows(lines), options, unused=unused)


def _rows(lines: Iterator[Any]) -> Iterator[tuple[int, Cells] | RowProblem]:
    for line in lines:
        if isinstance(line, dict):
            raise _not_read(line["error"])
        number, *cells = line
        if any(cell != "" for cell in cells):
            yield number, cells


def _not_read(error: str) -> InvalidInput:
    if error == "password":
        return InvalidInput.at(
            "file", _("The workbook is locked with a password: save it without.")
        )
    if not error:
        return InvalidInput.at(
            "file",
            _(
                "The workbook is too large, or has cells far from the others. Save the sheet as CSV, or delete the "
                "empty rows and columns behind its cells."
            ),
        )
    return InvalidInput.at(
        "file",
        _("The file is no workbook, or damaged: %(error)s. Save the sheet as CSV.", error=error),
    )


def _lines(stream: IO[bytes], sheet: str) -> Iterator[Any]:
    """What the child says. It is ended when nobody listens any more."""
    if "\0" in sheet:
        raise InvalidInput.at("sheet", _("The name of a sheet has no NUL."))
    with tempfile.TemporaryDirectory(prefix="annotune-") as folder:
        path = Path(folder, "workbook")
        with path.open("w+b") as file:
            shutil.copyfileobj(uncompressed(stream), file)
            file.seek(0)
            if not file.read(len(_OLE)).startswith((_ZIP, _OLE)):
                raise _not_read(_("it does not begin like one"))
        _check_packed(path)
        command = [sys.executable, "-I", str(_CHILD), str(path), sheet]
        with subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as child:
            try:
                yield from map(orjson.loads, _output(child))
                if child.wait():
                    raise _not_read("")
            finally:
                child.kill()


def _output(child: subprocess.Popen[bytes]) -> Iterator[bytes]:
    while child.stdout is not None and (line := child.stdout.readline(_MAX_LINE)):
        if not line.endswith(b"\n"):
            raise _not_read("")
        yield line


def _check_packed(path: Path) -> None:
    """What an .xlsx or .ods says of its size; what it does not say, the child's limits hold."""
    if not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as archive:
            files = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise _not_read(str(error)) from error
    if len(files) > _MAX_FILES or sum(file.file_size for file in files) > _MAX_UNPACKED:
        raise _not_read("")
