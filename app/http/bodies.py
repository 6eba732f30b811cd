"""What a request may bring: how much, how fast, in which form, and from whom. Decided before it is read.

FastAPI reads a body before it runs a dependency, so the question of who sends it is asked here: small bodies are
read from anybody (log-in forms), larger ones and files only from somebody who is known, and files only on routes
that take one.
"""

import inspect
import time
from collections import Counter
from collections.abc import Callable
from functools import cache

from anyio import move_on_after, to_thread
from fastapi import Request, UploadFile
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import AnnotuneError, Forbidden, TimedOut, TooLarge, Unavailable, UnsupportedContent
from app.http.identity import LOCALE_COOKIE, identify_again
from app.http.routing import SAFE_METHODS
from app.i18n import gettext as _
from app.i18n import negotiate, set_locale
from app.settings import get_settings

MAX_ANONYMOUS = 64 << 10
"""Bytes of a body from somebody who is not logged in."""
MAX_BODY = 8 << 20
"""Bytes of any body that is not an upload."""
_BESIDE_THE_FILE = 1 << 20
"""Bytes of an upload's other fields and of its borders."""
_LARGE = 1 << 20
"""Bytes from which a body counts as an upload: so many are in work at once, and no more."""
MAX_UPLOADS = 16
"""In work at once in one process."""
MAX_UPLOADS_EACH = 4
"""Of them, by one person."""
GRACE_SECONDS = 20.0
"""How long a body is waited for, whatever it brings …"""
MIN_RATE = 1024
"""… and from then on for as long as it brings so many bytes a second."""


class Refused(HTTPException):
    """A body that is not read. An HTTPException, since whoever reads bodies lets those through."""

    def __init__(self, error: AnnotuneError) -> None:
        super().__init__(error.status, error.message)
        self.error = error


class Bodies:
    """Bounds the bodies of all requests."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._uploads: Counter[str] = Counter()
        """By whom they are in work."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        body = _Body(scope, receive, self._uploads)

        async def noticing_send(message: Message) -> None:
            body.is_answered = True
            await send(message)

        try:
            await self.app(scope, body.receive, noticing_send)
        finally:
            body.close()


class _Body:
    """The body of one request, on its way in."""

    def __init__(self, scope: Scope, receive: Receive, uploads: Counter[str]) -> None:
        self.is_answered = False
        self._scope = scope
        self._receive = receive
        self._uploads = uploads
        headers = dict(scope["headers"])
        self._media = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        length = headers.get(b"content-length", b"0")
        self._declared = int(length) if length.isdigit() and len(length) < 20 else 1 << 62
        has_body = self._declared > 0 or b"transfer-encoding" in headers
        self._done = not has_body or scope["method"] in SAFE_METHODS
        self._checked = False
        self._seen = 0
        self._waited = 0.0
        self._bound = MAX_BODY
        self._person: str | None = None
        self._only_reads = False
        self._holds_slot = False

    async def receive(self) -> Message:
        """The next piece, if it may come in. Raises Refused."""
        if self._done or self.is_answered:
            return await self._receive()
        try:
            if not self._checked:
                self._checked = True
                await self._check_form()
                await self._check_size(self._declared)
            message = await self._receive_in_time()
            self._seen += len(message.get("body", b""))
            await self._check_size(self._seen)
        except AnnotuneError as error:
            self._done = True
            raise Refused(error) from error
        self._done = message["type"] != "http.request" or not message.get("more_body", False)
        return message

    def close(self) -> None:
        """The request is done with."""
        if self._holds_slot and self._person is not None:
            self._uploads[self._person] -= 1
            if not self._uploads[self._person]:
                del self._uploads[self._person]

    async def _check_form(self) -> None:
        endpoint = self._scope.get("endpoint")
        takes_file = endpoint is not None and _takes_file(endpoint)
        known = (b"application/x-www-form-urlencoded",)
        is_api = self._scope["path"].startswith("/api/")
        if is_api and (self._media == b"application/json" or self._media.endswith(b"+json")):
            return
        if self._media == b"multipart/form-data" and takes_file:
            self._bound = (get_settings().max_upload_mb << 20) + _BESIDE_THE_FILE
            await self._require_person()
            if self._only_reads:
                raise Forbidden(_("This token may only read. Make one with the scope “write”."))
            self._take_slot()
        elif self._media not in known or (is_api and not takes_file):
            self._speak()
            raise UnsupportedContent(
                _("This address takes JSON, with the content type application/json.")
                if is_api and not takes_file
                else _("This address takes a form with a file (multipart/form-data).")
                if takes_file
                else _("This address takes a form without files.")
            )

    async def _check_size(self, size: int) -> None:
        """`size`: what is declared before anything came, then what has come."""
        if size > self._bound:
            self._speak()
            raise TooLarge(
                _(
                    "The request is larger than %(n)s MiB. Split the file, or have the limit raised.",
                    n=self._bound >> 20,
                )
            )
        if size > MAX_ANONYMOUS:
            await self._require_person()
        if size > _LARGE:
            self._take_slot()

    async def _receive_in_time(self) -> Message:
        patience = GRACE_SECONDS + self._seen / MIN_RATE - self._waited
        started = time.monotonic()
        with move_on_after(max(0.0, patience)):
            message = await self._receive()
            self._waited += time.monotonic() - started
            return message
        self._speak()
        raise TimedOut(_("The request comes in too slowly, and is not waited for any longer."))

    async def _require_person(self) -> None:
        """Raises Unauthenticated."""
        if self._person is None:
            self._speak()
            try:
                identity = await to_thread.run_sync(identify_again, Request(self._scope))
            except SQLAlchemyError as error:
                raise Unavailable(_("The database does not answer. Try again soon.")) from error
            self._person = identity.user.id
            self._only_reads = identity.secret is None and not identity.actor.may_write

    def _take_slot(self) -> None:
        if self._holds_slot or self._person is None:
            return
        if self._uploads.total() >= MAX_UPLOADS or self._uploads[self._person] >= MAX_UPLOADS_EACH:
            raise Unavailable(
                _("Too many uploads are in work. Try again in a few seconds."), retry_after=5
            )
        self._uploads[self._person] += 1
        self._holds_slot = True

    def _speak(self) -> None:
        """Refusals come before it is known who asks: the browser says in which language."""
        request = Request(self._scope)
        set_locale(
            request.cookies.get(LOCALE_COOKIE) or negotiate(request.headers.get("accept-language"))
        )


@cache
def _takes_file(endpoint: Callable[..., object]) -> bool:
    """Whether a route's function has a parameter for a file."""
    return any(
        parameter.annotation is UploadFile
        for parameter in inspect.signature(endpoint, eval_str=True).parameters.values()
    )
