"""`annotune up`: what has to be found out before everything can run; then this process becomes the supervisor."""

import fcntl
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from app import data_folder
from app.cli import broker
from app.errors import Unavailable
from app.group.plan import Plan
from app.server import listening
from app.settings import Settings


def run(settings: Settings, *, verbose: bool) -> NoReturn:
    """Run everything until Ctrl-C or SIGTERM. Raises Unavailable with a sentence when it cannot start."""
    check_data_folder(settings)
    data_folder.keep_private(settings)
    with _only_one(settings) as lock, listening(settings.host, settings.port) as listener:
        plan = _plan(settings, listener, verbose=verbose)
        os.environ.update(_environment(settings))
        # Both go on with the new program, and so does the process id: Ctrl-C reaches it as it reached us. It has
        # none of our imports, and that is what it is for.
        for kept in (lock, listener.fileno()):
            os.set_inheritable(kept, True)
        os.execv(sys.executable, [sys.executable, "-P", "-m", "app.group", plan.dump()])  # noqa: S606


def _plan(settings: Settings, listener: socket.socket, *, verbose: bool) -> Plan:
    embedded = settings.redis_url is None
    server = broker.find_server() if embedded else None
    if embedded and server is None:
        raise Unavailable(broker.HOW_TO_GET_ONE)
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    data = settings.data_dir.resolve()
    return Plan(
        data_dir=str(data),
        address=f"http://{host}:{listener.getsockname()[1]}",
        listener=listener.fileno(),
        logs=None if verbose else str(data / "logs"),
        broker=broker.command(server, settings) if server is not None else None,
        broker_socket=str(settings.broker_socket),
    )


def _environment(settings: Settings) -> dict[str, str]:
    # The programs must see the options of this command line, and the same folder wherever they run.
    return {
        "ANNOTUNE_DATA_DIR": str(settings.data_dir.resolve()),
        "ANNOTUNE_HOST": settings.host,
        "ANNOTUNE_PORT": str(settings.port),
        "PYTHONUNBUFFERED": "1",
    }


def check_data_folder(settings: Settings) -> None:
    """Make the data folder if it is not there. Raises Unavailable if it cannot be written, or holds half a database."""
    if part := data_folder.broken_restore(settings):
        raise Unavailable(
            f"A restore was broken off, so there is no database yet. Run “annotune restore DIR --replace” again; or "
            f"remove {part}, to begin with an empty one."
        )
    with writable_data_folder(settings):
        data_folder.make(settings)
        data_folder.probe(settings)


@contextmanager
def writable_data_folder(settings: Settings) -> Iterator[None]:
    """Raises Unavailable where the system refuses something in the data folder."""
    try:
        yield
    except OSError as error:
        folder = settings.data_dir.resolve()
        raise Unavailable(
            f"The data folder {folder} cannot be written ({error.strerror}). Name another one in "
            "ANNOTUNE_DATA_DIR, or give this user the right to write there."
        ) from error


@contextmanager
def _only_one(settings: Settings) -> Iterator[int]:
    """Hold the data folder for this process; the system lets go of it whatever happens to us."""
    with (settings.data_dir / "annotune.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise Unavailable(
                f"Annotune runs already on the data folder {settings.data_dir.resolve()} (process "
                f"{lock.read().strip() or '?'}). Stop that one, or name another folder in ANNOTUNE_DATA_DIR."
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield lock.fileno()
