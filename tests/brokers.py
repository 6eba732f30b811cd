"""Brokers that are of no use."""

import socket
from typing import Self


class SilentBroker:
    """Accepts connections and never answers, as one whose machine hangs."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=100)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._socket.close()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self._socket.getsockname()[1]}/0"


def url_of_nobody() -> str:
    """Of an address on which nobody listens."""
    with SilentBroker() as broker:
        return broker.url
