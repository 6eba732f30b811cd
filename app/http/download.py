"""Sending exports and models: streamed, citable by their digest, resumable where the bytes lie on disk."""

from collections.abc import Callable, Iterator
from urllib.parse import quote

import orjson
from fastapi import Request
from sqlalchemy.orm import Session
from starlette.datastructures import MutableHeaders
from starlette.responses import FileResponse, Response, StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from app.http.errors import problem
from app.i18n import gettext as _
from app.services import annotation_export
from app.services.access import Actor
from app.services.exporting import Export


def send_export(request: Request, export: Export, *, on_send: Callable[[], object]) -> Response:
    """An export as an answer: 304 for who has it already, and Range where the file lies on this machine.

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
        return _File(export.path, media_type=export.media_type, headers=headers)
    if export.size is not None:
        headers["Content-Length"] = str(export.size)
    return StreamingResponse(export.chunks(), media_type=export.media_type, headers=headers)


def send_annotations(
    session: Session,
    actor: Actor,
    project_id: str,
    *,
    number: int | None = None,
    annotator: str | None = None,
) -> Response:
    """Everybody's annotations as a download, which is written down."""
    found = annotation_export.open_annotations(
        session, actor, project_id, number=number, annotator=annotator
    )
    annotation_export.note_download(actor, project_id, number)
    return send_stream(
        found.chunks(), filename=found.filename, media_type=annotation_export.MEDIA_TYPE
    )


class _File(FileResponse):
    """A file that says no to a Range in the form of all errors."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refused = False

        async def send_as_problem(message: Message) -> None:
            nonlocal refused
            if message["type"] == "http.response.start" and message["status"] in (400, 416):
                refused = True
                text = _("The file has no such part as Range asks for.")
                body = orjson.dumps(problem(message["status"], text))
                headers = MutableHeaders(scope=message)
                headers["Content-Type"] = "application/problem+json"
                headers["Content-Length"] = str(len(body))
                await send(message)
                await send({"type": "http.response.body", "body": body})
            elif not refused:
                await send(message)

        await super().__call__(scope, receive, send_as_problem)


def send_stream(chunks: Iterator[bytes], *, filename: str, media_type: str) -> Response:
    """Bytes as they are made, as a download."""
    return StreamingResponse(
        chunks, media_type=media_type, headers={"Content-Disposition": disposition(filename)}
    )


def disposition(filename: str) -> str:
    """Content-Disposition for any file name (RFC 6266)."""
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "._- ") else "_" for c in filename)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename)}"
