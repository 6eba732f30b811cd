"""From bytes to text: compression, encoding, and what to say of bytes that do not decode."""

import codecs
import io
import re
from typing import IO, cast

from app.errors import InvalidInput
from app.formats import magic
from app.formats.bounds import Gunzipped
from app.i18n import gettext as _

SAMPLE = 1 << 18
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_NO_FILES = frozenset(
    {"idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined", "mbcs", "oem"}
)
"""Encodings of Python's that no file is in, and that make halves of surrogate pairs, or raise what others do not."""
_TEXT_BYTES = bytes({7, 8, 9, 10, 11, 12, 13, 26, 27} | set(range(32, 256)))
_UNDECODED = re.compile("[\udc80-\udcff]")


def uncompressed(stream: IO[bytes]) -> IO[bytes]:
    """The stream itself, or what is in it if it is gzip. Reading that raises InvalidInput."""
    head = stream.read(2)
    stream.seek(0)
    return cast("IO[bytes]", Gunzipped(stream)) if head == b"\x1f\x8b" else stream


def detect(sample: bytes) -> str:
    """The most likely encoding of a text that begins like this."""
    for bom, name in _BOMS:
        if sample.startswith(bom):
            return name
    if _is_utf8(sample):
        return "utf-8"
    if sample[1:64:2].count(0) > sample[0:64:2].count(0) + 8:
        return "utf-16-le"
    if sample[0:64:2].count(0) > sample[1:64:2].count(0) + 8:
        return "utf-16-be"
    chinese = {name: _common_han(sample, name) for name in ("gb18030", "big5hkscs")}
    best = max(chinese, key=lambda name: chinese[name])
    if chinese[best] > 0.7:
        return best
    from charset_normalizer import from_bytes

    guess = from_bytes(sample[: 1 << 15]).best()
    return guess.encoding if guess is not None else "cp1252"


def open_text(
    stream: IO[bytes], encoding: str | None, *, newline: str | None = None
) -> tuple[io.TextIOWrapper, str]:
    """The stream as text, with the encoding that was chosen or detected.

    Bytes that do not decode come through as lone surrogates, so that the reader can name their row
    (`unreadable`). Raises InvalidInput for an unknown encoding, a broken gzip file or a file of another kind.
    """
    try:
        raw = uncompressed(stream)
        sample = raw.read(magic.SIZE if encoding else SAMPLE)
        raw.seek(0)
        if kind := magic.kind_of(sample):
            raise InvalidInput.at(
                "file",
                _(
                    "This is not text: the file is %(kind)s. Unpack it, or save it as CSV, JSON Lines or Parquet.",
                    kind=kind,
                ),
            )
        is_chosen = encoding is not None
        encoding = encoding or detect(sample)
        codec = codecs.lookup(encoding).name
        if not codecs.lookup(encoding)._is_text_encoding or codec in _NO_FILES:
            raise LookupError(encoding)
    except (LookupError, ValueError):  # ValueError: its name holds a NUL
        raise InvalidInput.at(
            "encoding", _("There is no encoding “%(name)s”.", name=encoding)
        ) from None
    if not is_chosen and not codec.startswith(("utf-16", "utf-32")) and _is_binary(sample):
        raise InvalidInput.at(
            "file", _("This does not look like text: the file is of another kind.")
        )
    if codec == "utf-8":
        encoding = "utf-8-sig"  # the same, and a byte order mark is no part of the text
    # utf-16 and utf-32 cannot carry surrogates through; a replacement character is as good a sign.
    errors = "replace" if codec.startswith(("utf-16", "utf-32")) else "surrogateescape"
    return io.TextIOWrapper(raw, encoding=encoding, errors=errors, newline=newline), codec


def unreadable(text: str, encoding: str, *, before: int = 0) -> str | None:
    """A sentence about bytes of this text that did not decode, or that no text has; None if there are none.
    `before` characters came before it."""
    if (nul := text.find("\x00")) >= 0:
        return _("Character %(place)s is a NUL, which no text has.", place=before + nul + 1)
    bad = None if text.isascii() else _UNDECODED.search(text)
    if bad is None:
        return None
    return _(
        "Byte %(byte)s at character %(place)s is not %(encoding)s. Choose another encoding.",
        byte=f"0x{ord(bad[0]) - 0xDC00:02X}",
        place=before + bad.start() + 1,
        encoding=encoding,
    )


def _is_binary(sample: bytes) -> bool:
    """Whether more than one byte in a hundred is a control character that no text has."""
    return len(sample.translate(None, _TEXT_BYTES)) > max(4, len(sample) // 100)


def _is_utf8(sample: bytes) -> bool:
    """Valid UTF-8, or so nearly that the few wrong bytes are damage and not another encoding."""
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    text = decoder.decode(sample, final=len(sample) < SAMPLE)
    wrong = len(_UNDECODED.findall(text))
    whole = sum(character > "\x7f" for character in text) - wrong
    return wrong == 0 or whole > 10 * wrong


def _common_han(sample: bytes, encoding: str) -> float:
    """The share of non-ASCII characters that are the encoding's everyday Han characters and punctuation."""
    text = sample.decode(encoding, errors="replace")
    common = others = 0
    narrow, first, last = (
        ("gb2312", b"\xb0\xa1", b"\xd7\xf9")
        if encoding == "gb18030"
        else ("big5", b"\xa4\x40", b"\xc6\x7e")
    )
    for character in text:
        if character < "\x80":
            continue
        try:
            code = character.encode(narrow)
        except UnicodeEncodeError:
            others += 1
            continue
        if first <= code <= last or character in "，。、；：？！“”‘’（）《》—…":
            common += 1
        else:
            others += 1
    return common / (common + others) if common else 0.0
