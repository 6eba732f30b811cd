"""Writes a sheet of a workbook to its standard output: a line of JSON about the workbook, then one a row.

Run as a program of its own, by `workbook.py`. calamine holds a sheet in memory as one rectangle, so that a file of a
kilobyte with a cell at XFD1048576 asks for terabytes, and Rust ends the process that cannot have them. It imports
nothing of ours, to start at once.
"""

import contextlib
import datetime
import json
import sys

import python_calamine as calamine

MEMORY = 1536 << 20
"""Bytes of address space for one workbook."""
SECONDS = 120
"""Of processor time."""


def main(path: str, wanted: str) -> None:
    with contextlib.suppress(ImportError):  # Windows has no such limits
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    try:
        book = calamine.CalamineWorkbook.from_path(path)
        sheets = [sheet.name for sheet in book.sheets_metadata if _is_table(sheet)]
        _write({"sheets": sheets})
        if not sheets or (wanted and wanted not in sheets):
            return
        sheet = book.get_sheet_by_name(wanted or sheets[0])
        # From the sheet's first row, but its first column that holds something.
        for number, cells in enumerate(sheet.iter_rows(), 1):
            _write([number, *map(_plain, cells)])
    except calamine.PasswordError:
        _write({"error": "password"})
    except (
        calamine.CalamineError,
        calamine.XmlError,
        calamine.ZipError,
        OSError,
        ValueError,
    ) as error:
        _write({"error": str(error)[:300]})


def _is_table(sheet: calamine.SheetMetadata) -> bool:
    return sheet.typ == calamine.SheetTypeEnum.WorkSheet


def _plain(cell: object) -> object:
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1 << 53:
        return int(cell)
    if isinstance(cell, datetime.date | datetime.time):
        return cell.isoformat()
    if isinstance(cell, datetime.timedelta):
        return str(cell)
    return cell


def _write(value: object) -> None:
    # Not UTF-8 as it stands: a lone surrogate must not end it.
    sys.stdout.write(json.dumps(value) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
