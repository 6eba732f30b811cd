"""Files packed with gzip, bzip2 or xz, unpacked on the way within the bounds of `bounds.check_unpacked`."""

import bz2
import io
import lzma
from collections.abc import Callable
from typing import IO, Any, cast

from app.errors import InvalidInput
from app.formats import magic
from app.formats.bounds import Gunzipped, check_unpacked
from app.i18n import gettext as _

_PIECE = 1 << 16
_MAX_DICTIONARY = 256 << 20
"""Bytes that an xz file may ask for; `xz -9` needs 65 MiB."""


class _Unpacked(io.RawIOBase):
    """What is in a file of one or more streams packed one after the other. Reading raises InvalidInput."""

    def __init__(self, stream: IO[bytes], decompressor: Callable[[], Any]) -> None:
        super().__init__()
        self._packed, self._new = stream, decompressor
        self._rewind()

    def _rewind(self) -> None:
        self._packed.seek(0)
        self._decompressor = self._new()
        self._size = self._packed_size = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._size

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Forward by reading, back from the beginning."""
        if whence == io.SEEK_CUR:
            offset += self._size
        elif whence != io.SEEK_SET:
            raise io.UnsupportedOperation("seek from the end")
        if offset < self._size:
            self._rewind()
        while self._size < offset and self.read(min(_PIECE, offset - self._size)):
            pass
        return self._size

    def readinto(self, buffer: Any) -> int:
        try:
            data = self._next(len(buffer))
        except (OSError, EOFError, lzma.LZMAError, MemoryError) as error:
            raise InvalidInput.at(
                "file", _("The compressed file is damaged: %(error)s", error=error)
            ) from error
        buffer[: len(data)] = data
        self._size += len(data)
        check_unpacked(self._size, self._packed_size)
        return len(data)

    def _next(self, size: int) -> bytes:
        while size:
            if self._decompressor.eof:
                rest = self._decompressor.unused_data or self._take()
                if not rest.strip(b"\0"):  # xz may be followed by zeros
                    return b""
                self._decompressor = self._new()
                data = self._decompressor.decompress(rest, size)
            elif self._decompressor.needs_input:
                piece = self._take()
                if not piece:
                    raise EOFError(_("it ends too early"))
                data = self._decompressor.decompress(piece, size)
            else:
                data = self._decompressor.decompress(b"", size)
            if data:
                return bytes(data)
        return b""

    def _take(self) -> bytes:
        piece = self._packed.read(_PIECE)
        self._packed_size += len(piece)
        return piece


def _xz() -> lzma.LZMADecompressor:
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MAX_DICTIONARY)


_BZIP2 = (b"1AY&SY", b"\x17rE8P\x90")
"""How the first block begins after “BZh9”, which alone could be a word."""


def uncompressed(stream: IO[bytes]) -> IO[bytes]:
    """The stream itself, or what is in it if it is packed. Reading that raises InvalidInput."""
    head = stream.read(10)
    stream.seek(0)
    if head.startswith(b"\x1f\x8b"):
        return cast("IO[bytes]", Gunzipped(stream))
    if head.startswith(b"BZh") and head[4:] in _BZIP2:
        return io.BufferedReader(_Unpacked(stream, bz2.BZ2Decompressor), 1 << 17)
    if head.startswith(b"\xfd7zXZ\x00"):
        return io.BufferedReader(_Unpacked(stream, _xz), 1 << 17)
    return stream


def is_packed(stream: IO[bytes]) -> bool:
    """Whether a file may hold more than its size says: it is packed, or is of a kind that packs what is in it. Leaves
    the stream at its beginning."""
    head = stream.read(magic.SIZE)
    stream.seek(0)
    return magic.kind_of(head) is not None


def beginning(stream: IO[bytes], size: int) -> bytes:
    """The first bytes of what is in a file, as far as they come: the file may itself be only a beginning."""
    raw, found = uncompressed(stream), b""
    try:
        while len(found) < size and (
            piece := raw.read1(size - len(found)) if hasattr(raw, "read1") else raw.read(size)
        ):
            found += piece
    except InvalidInput:
        pass
    return found
