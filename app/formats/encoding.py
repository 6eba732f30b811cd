"""From bytes to text: compression, encoding, and what to say of bytes that do not decode."""

import codecs
import io
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import IO

from app.errors import InvalidInput
from app.formats import magic
from app.formats.charsets import most_likely
from app.formats.packed import beginning, uncompressed
from app.i18n import gettext as _
from app.storable import has_surrogate

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
_UNDECODED = re.compile("[\udc00-\udcff]")
_WIDE_ERRORS = "annotune.keep"
_HEAD = 1 << 16
"""Bytes: a sample of fewer is a whole file."""
_CONTROLS = 0.1
_WIDE = ("utf-16-le", "utf-16-be")
_ESCAPES = (
    (b"\x1b$B", "iso2022_jp_ext"),
    (b"\x1b$@", "iso2022_jp_ext"),
    (b"\x1b$)C", "iso2022_kr"),
)
_CODING = re.compile(rb"[ \t\f]*(?:#|;|%|//|--).*?coding[:=][ \t]*([-\w.]+)")


@dataclass(frozen=True, slots=True)
class Guess:
    """An encoding, and whether anything else would have been worse by far: if not, a person should be asked."""

    encoding: str
    is_certain: bool = True


@lru_cache(maxsize=4)  # a preview opens the same file several times
def detect(sample: bytes, language: str | None = None) -> Guess:
    """The most likely encoding of a text that begins like this: as it declares, else by what it would say.

    `language` is the one that the texts are probably in: short ones can be right in two encodings.
    """
    for bom, name in _BOMS:
        if sample.startswith(bom):
            return Guess(name)
    is_cut = len(sample) >= _HEAD
    if len(sample.translate(None, _TEXT_BYTES)) > _CONTROLS * len(sample):
        # No text of single bytes: half of UTF-16's bytes are control characters, save for Chinese.
        wide = most_likely(sample, language, is_cut=is_cut, encodings=_WIDE)
        if wide is not None and wide.is_language:
            return Guess(wide.encoding, wide.is_certain)
    if (declared := _declared(sample)) is not None:
        return Guess(declared)
    if (escaped := _escaped(sample)) is not None:
        return Guess(escaped)
    if _is_utf8(sample):
        return Guess("utf-8")
    reading = most_likely(sample, language, is_cut=is_cut)
    if reading is not None and reading.is_language:
        return Guess(reading.encoding, reading.is_certain)
    from charset_normalizer import from_bytes

    other = from_bytes(sample[: 1 << 15]).best()
    if other is not None:
        return Guess(other.encoding, is_certain=False)
    return Guess(reading.encoding if reading is not None else "cp1252", is_certain=False)


def detect_in(stream: IO[bytes], language: str | None = None) -> Guess:
    """The most likely encoding of a file, which may be packed. Leaves the stream at its beginning."""
    guess = detect(beginning(stream, SAMPLE), language)
    stream.seek(0)
    return guess


def open_text(
    stream: IO[bytes],
    encoding: str | None,
    *,
    newline: str | None = None,
    language: str | None = None,
) -> tuple[io.TextIOWrapper, str]:
    """The stream as text, with the encoding that was chosen or detected.

    Bytes that do not decode come through as lone surrogates, so that the reader can name their row
    (`unreadable`). Raises InvalidInput for an unknown encoding, a broken packed file or a file of another kind.
    """
    if encoding is not None and not is_readable(encoding):
        raise InvalidInput.at(
            "encoding", _("There is no encoding “%(name)s”.", name=encoding[:100])
        )
    raw = uncompressed(stream)
    sample = raw.read(magic.SIZE if encoding else SAMPLE)
    raw.seek(0)
    if kind := magic.kind_of(sample):
        raise magic.not_text(kind)
    codec = codecs.lookup(encoding or detect(sample, language).encoding).name
    is_wide = codec.startswith(("utf-16", "utf-32"))
    if encoding is None and not is_wide and _is_binary(sample):
        raise InvalidInput.at(
            "file", _("This does not look like text: the file is of another kind.")
        )
    # The same as UTF-8, and a byte order mark is no part of the text.
    name = "utf-8-sig" if codec == "utf-8" else codec
    errors = _WIDE_ERRORS if is_wide else "surrogateescape"
    return io.TextIOWrapper(raw, encoding=name, errors=errors, newline=newline), codec


def _keep_undecoded(error: UnicodeError) -> tuple[str, int]:
    """As `surrogateescape`, which UTF-16 and UTF-32 have not."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return chr(0xDC00 + error.object[error.start]), error.end


codecs.register_error(_WIDE_ERRORS, _keep_undecoded)


def unreadable(text: str, encoding: str, *, before: int = 0) -> str | None:
    """A sentence about bytes of this text that did not decode, or that no text has; None if there are none.
    `before` characters came before it."""
    if (nul := text.find("\x00")) >= 0:
        return _("Character %(place)s is a NUL, which no text has.", place=before + nul + 1)
    bad = _UNDECODED.search(text) if has_surrogate(text) else None
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
    if sample.isascii():
        return True
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    text = decoder.decode(sample, final=len(sample) < _HEAD)
    wrong = len(_UNDECODED.findall(text))
    whole = len(text) - len(text.encode("ascii", "ignore")) - wrong
    return wrong == 0 or whole > 10 * wrong


def _declared(sample: bytes) -> str | None:
    """The encoding that a comment in the first two lines names, as editors write it: `# -*- coding: cp1251 -*-`."""
    for line in sample.split(b"\n", 2)[:2]:
        if (match := _CODING.match(line)) is None:
            continue
        name = match[1].decode("ascii")
        try:
            if is_readable(name):
                decoder = codecs.getincrementaldecoder(name)()
                decoder.decode(sample, final=len(sample) < _HEAD)
                return name
        except ValueError:  # it is not in that encoding after all
            continue
    return None


def _escaped(sample: bytes) -> str | None:
    """The encoding of seven bits that the sample changes into by an escape sequence (RFC 1468, RFC 1557)."""
    if not sample.isascii():
        return None
    for escape, name in _ESCAPES:
        if escape not in sample:
            continue
        try:
            codecs.getincrementaldecoder(name)().decode(sample, final=len(sample) < _HEAD)
        except ValueError:
            continue
        return name
    return None


def is_readable(encoding: str) -> bool:
    """Whether there is such an encoding, and files are in it."""
    try:
        codec = codecs.lookup(encoding)
    except (LookupError, ValueError):  # ValueError: its name holds a NUL
        return False
    return codec._is_text_encoding and codec.name not in _NO_FILES
