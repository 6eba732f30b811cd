"""HEAD wherever there is GET (RFC 9110): the same answer without its body."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class HeadAsGet:
    """Answers HEAD as GET is answered, and leaves the body out. What streams is ended after its headers."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD" or _is_static(scope):
            await self.app(scope, receive, send)
            return
        started = False

        async def receive_until_started() -> Message:
            # A stream would go on for whoever reads no further: tell it that its reader has left.
            return {"type": "http.disconnect"} if started else await receive()

        async def send_headers(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                await send(message)
                await send({"type": "http.response.body", "body": b""})

        await self.app({**scope, "method": "GET"}, receive_until_started, send_headers)


def _is_static(scope: Scope) -> bool:
    return str(scope["path"]).startswith("/static/")  # it knows HEAD itself
