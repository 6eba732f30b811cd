"""CSV for people who open it in a spreadsheet: no cell is run as a formula."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence

_RUN = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""How a cell begins that a spreadsheet would compute (or, some, that hides such a beginning)."""


def plain_cell(value: object) -> object:
    """The value as a cell that shows as text; numbers stay numbers. An apostrophe says so to a spreadsheet."""
    if isinstance(value, str) and value.lstrip(" ").startswith(_RUN):
        return f"'{value}"
    return value


def lines(header: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[bytes]:
    """A CSV file, line by line (RFC 4180, UTF-8)."""
    text = io.StringIO()
    sheet = csv.writer(text)
    sheet.writerow(header)
    for row in rows:
        sheet.writerow([plain_cell(value) for value in row])
        if text.tell() > 1 << 16:
            yield text.getvalue().encode()
            text.seek(0)
            text.truncate()
    yield text.getvalue().encode()
