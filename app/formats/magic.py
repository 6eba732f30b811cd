"""Kinds of files that hold no rows, by the bytes that each begins with, however short the file is."""

from app.errors import InvalidInput
from app.i18n import gettext as _
from app.i18n import mark

SIZE = 512
"""Bytes from the beginning of a file that it takes."""
_ARCHIVE = mark("a packed archive")
_PICTURE = mark("a picture")
_KINDS = (
    (b"PK\x03\x04", mark("a ZIP archive, or an Office file such as .xlsx and .docx")),
    (b"PK\x05\x06", _ARCHIVE),
    (b"PK\x07\x08", _ARCHIVE),
    (b"\x1f\x8b", _ARCHIVE),  # in what was a gzip file already
    (b"7z\xbc\xaf\x27\x1c", _ARCHIVE),
    (b"\xfd7zXZ\x00", _ARCHIVE),
    (b"\x28\xb5\x2f\xfd", _ARCHIVE),  # Zstandard
    (b"Rar!\x1a\x07", _ARCHIVE),
    (b"%PDF-", mark("a PDF")),
    (b"{\\rtf", mark("a document of a word processor")),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", mark("an Office file of the old kind (.xls, .doc)")),
    (b"\x89PNG\r\n\x1a\n", _PICTURE),
    (b"\xff\xd8\xff", _PICTURE),
    (b"GIF87a", _PICTURE),
    (b"GIF89a", _PICTURE),
    (b"\x7fELF", mark("a program")),
    (b"MZ\x90\x00", mark("a program")),
    (b"SQLite format 3\x00", mark("a database")),
    (b"PAR1", mark("a Parquet file")),
    (b"ARROW1\x00\x00", mark("an Arrow file")),
)  # fmt: skip


def kind_of(head: bytes) -> str | None:
    """What a file that begins like this is, in words; None if it may be text."""
    for magic, kind in _KINDS:
        if head.startswith(magic):
            return _(kind)
    # "BZh" alone could be a word.
    if head.startswith(b"BZh") and head[4:10] in (b"1AY&SY", b"\x17rE8P\x90"):
        return _(_ARCHIVE)
    return _(_ARCHIVE) if head[257:262] == b"ustar" else None


def not_text(kind: str) -> InvalidInput:
    """What to raise for a file of such a kind."""
    return InvalidInput.at(
        "file",
        _(
            "This is not text: the file is %(kind)s. Unpack it, or save it as CSV, JSON Lines or Parquet.",
            kind=kind,
        ),
    )
