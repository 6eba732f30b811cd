"""Scripts, styles and pictures: each release under an address of its own, kept by browsers for good.

The address of a file holds a digest of the whole folder, `/static/<release>/js/app.js`. Modules that import each
other by relative paths so stay within one release, whatever a browser has kept of an earlier one.
"""

import gzip
import hashlib
import mimetypes
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Self

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.i18n import gettext as _

PREFIX = "/static/"
_FOLDER = Path(__file__).parents[2] / "static"
_YEAR = 365 * 24 * 3600


@dataclass(slots=True)
class _File:
    content: bytes
    media_type: str
    etag: str
    _gzipped: bytes | None = field(default=None, repr=False)

    def gzipped(self) -> bytes:
        """The content compressed, once; itself where that makes it no smaller."""
        if self._gzipped is None:
            packed = gzip.compress(self.content, compresslevel=9, mtime=0)
            self._gzipped = min(packed, self.content, key=len)
        return self._gzipped


class Statics:
    """The files of one release, read when the process starts: what is installed later cannot mix with them."""

    def __init__(self, files: dict[str, bytes]) -> None:
        digest = hashlib.sha256()
        self._files: dict[str, _File] = {}
        for path, content in sorted(files.items()):
            own = hashlib.sha256(content).hexdigest()
            digest.update(f"{path}\0{own}\n".encode())
            self._files[path] = _File(content, _media_type(path), f'"{own[:20]}"')
        self.release = digest.hexdigest()[:16]

    @classmethod
    def read(cls, folder: Path) -> Self:
        """All files below a folder."""
        return cls(
            {
                path.relative_to(folder).as_posix(): path.read_bytes()
                for path in folder.rglob("*")
                if path.is_file() and not path.name.startswith(".")
            }
        )

    def url(self, path: str) -> str:
        """The address of a file. Raises KeyError for one that does not exist."""
        self._files[path]
        return f"{PREFIX}{self.release}/{path}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as an ASGI application that is mounted at PREFIX."""
        if scope["type"] == "http":
            await self._answer(scope)(scope, receive, send)

    def _answer(self, scope: Scope) -> Response:
        if scope["method"] not in ("GET", "HEAD"):
            return _words(405, _("Static files can only be read."), Allow="GET, HEAD")
        release, _slash, path = scope["path"].partition(PREFIX)[2].partition("/")
        if release != self.release:
            return _words(
                404, _("This file belongs to another release of Annotune. Reload the page.")
            )
        file = self._files.get(path)
        if file is None:
            return _words(404, _("There is nothing at this address."))
        asked = Headers(scope=scope)
        headers = {
            "Cache-Control": f"public, max-age={_YEAR}, immutable",
            "ETag": file.etag,
            "Vary": "Accept-Encoding",
        }
        if file.etag in asked.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        content = file.content
        if _takes_gzip(asked.get("accept-encoding", "")):
            content = file.gzipped()
            if content is not file.content:
                headers["Content-Encoding"] = "gzip"
        return Response(content, headers=headers, media_type=file.media_type)


@cache
def statics() -> Statics:
    """The files that came with this release."""
    return Statics.read(_FOLDER)


def _takes_gzip(accept_encoding: str) -> bool:
    """Whether a client takes gzip: named, and not with a weight of nought (RFC 9110, 12.5.3)."""
    for part in accept_encoding.lower().split(","):
        coding, _semicolon, weight = part.replace(" ", "").partition(";q=")
        if coding in ("gzip", "*"):
            return weight.strip("0.") != "" or not weight
    return False


def _media_type(path: str) -> str:
    if path.endswith(".js"):
        return "text/javascript"  # what a machine's own table says differs
    return mimetypes.guess_type(path)[0] or "application/octet-stream"


def _words(status: int, words: str, **headers: str) -> Response:
    return Response(
        words,
        status,
        headers={"Cache-Control": "no-store", **headers},
        media_type="text/plain",
    )
