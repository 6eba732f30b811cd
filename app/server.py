"""The web server's process: `python -m app.server`, which `annotune web` and `annotune up` run.

The application is imported late in here: what `listening` is for goes before it, and so does the switch of the
garbage collector.
"""

import argparse
import gc
import json
import os
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from app.errors import AnnotuneError, Unavailable
from app.settings import Settings, get_settings


def main(words: list[str]) -> int:
    """Serve until a signal ends it; the exit code."""
    options = argparse.ArgumentParser(prog="python -m app.server")
    options.add_argument(
        "--migrate", action="store_true", help="bring the database up to date first"
    )
    options.add_argument(
        "--fd", type=int, help="an open socket to listen on, in place of the settings'"
    )
    options.add_argument("--tell", type=int, help="where to write one line of JSON when it serves")
    chosen = options.parse_args(words)
    tell = _teller(chosen.tell)
    try:
        serve(get_settings(), descriptor=chosen.fd, migrate=chosen.migrate, tell=tell)
    except AnnotuneError as error:
        tell(None, error.message)
        print(error.message, file=sys.stderr)
        return 1
    return 0


Tell = Callable[[str | None, str | None], None]
"""Takes the path of the page for the first account, or what stands in the way."""


def serve(settings: Settings, *, descriptor: int | None, migrate: bool, tell: Tell) -> None:
    """Serve on this socket, or one of our own. Raises Unavailable."""
    # The thousands of objects of a start live on: looking for garbage among them costs a fifth of it.
    gc.disable()
    import uvicorn

    from app.http.server import configuration, raise_file_limit
    from app.main import create_app

    application = create_app()
    setup_page = prepare_database(settings) if migrate else None
    gc.collect()
    gc.freeze()
    gc.enable()

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            tell(setup_page, None)

    raise_file_limit()
    # What is uploaded waits beside what is stored: the system's own place may be small, or in memory.
    waiting = settings.data_dir / "tmp"
    waiting.mkdir(mode=0o700, exist_ok=True)
    tempfile.tempdir = str(waiting.resolve())
    config = configuration(application)
    if descriptor is not None:
        with socket.socket(fileno=descriptor) as listener:
            Server(config).run(sockets=[listener])
        return
    with listening(settings.host, settings.port) as listener:
        print(f"Listening on {settings.host}:{settings.port}", flush=True)
        Server(config).run(sockets=[listener])


def prepare_database(settings: Settings) -> str | None:
    """Bring the database up to date; the page for the first account, while nobody has one.

    Its whole address if the settings know what people open, else its path. Raises Unavailable.
    """
    from sqlalchemy.exc import SQLAlchemyError

    from app import db
    from app.migrate import about_database, migrate
    from app.services import accounts

    try:
        migrate()
        with db.session_scope() as session:
            token = accounts.setup_token(session)
    except SQLAlchemyError as error:
        raise Unavailable(about_database(settings, error)) from error
    return None if token is None else f"{settings.public_url or ''}/setup?token={token}"


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that people can connect to.

    Raises Unavailable when the port is taken or the address is not ours.
    """
    try:
        family, kind, protocol, _name, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise Unavailable(f"The address {host} is not understood: {error.strerror}.") from error
    with listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
            listener.listen(1024)
        except PermissionError as error:
            raise Unavailable(
                f"This user may not open port {port}: choose one above 1023."
            ) from error
        except OSError as error:
            raise Unavailable(
                f"Port {port} of {host} cannot be had ({error.strerror}). Choose another one: "
                f"annotune up --port {port + 1 if port < 65535 else 8000}"
            ) from error
        yield listener


def _teller(descriptor: int | None) -> Tell:
    def write_line(setup_page: str | None, error: str | None) -> None:
        line = json.dumps({"setup_page": setup_page, "error": error}) + "\n"
        with suppress(BrokenPipeError):  # the group listens to the first start alone
            os.write(descriptor, line.encode())  # type: ignore[arg-type]

    def print_line(setup_page: str | None, _error: str | None) -> None:
        if setup_page is not None:
            where = ", on the address people reach this at" if setup_page.startswith("/") else ""
            print(f"Create the first account{where}:  {setup_page}", flush=True)

    return print_line if descriptor is None else write_line


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
