"""Sending exports and models: streamed, citable by their digest, resumable where the bytes lie on disk."""

from collections.abc import Callable, Iterator
from urllib.parse import quote

from fastapi import Request
from starlette.responses import FileResponse, Response, StreamingResponse

from app.services.exporting import Export


def send_export(request: Request, export: Export, *, on_send: Callable[[], object]) -> Response:
    """An export as an answer: 304 for who has it already, Range for the canonical file.

    `on_send` is called before anything of it is sent.
    """
    headers = {
        "ETag": f'"{export.etag}"',
        "Cache-Control": "private, no-cache",
        "Content-Disposition": disposition(export.filename),
    }
    if export.sha256:
        headers["X-Content-SHA256"] = export.sha256
    if f'"{export.etag}"' in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    on_send()
    if export.path is not None:
        return FileResponse(export.path, media_type=export.media_type, headers=headers)
    return StreamingResponse(export.chunks(), media_type=export.media_type, headers=headers)


def send_stream(chunks: Iterator[bytes], *, filename: str, media_type: str) -> Response:
    """Bytes as they are made, as a download."""
    return StreamingResponse(
        chunks, media_type=media_type, headers={"Content-Disposition": disposition(filename)}
    )


def disposition(filename: str) -> str:
    """Content-Disposition for any file name (RFC 6266)."""
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "._- ") else "_" for c in filename)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename)}"
