"""`annotune up`: broker, web server and workers in one supervised group, on one data folder."""

import fcntl
import os
import signal
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from app import data_folder, db
from app.cli import broker
from app.cli.group import Group, Program
from app.errors import Unavailable
from app.migrate import migrate
from app.processes import wait_until
from app.services import accounts
from app.settings import Settings

WORKERS = {"gpu": 1, "cpu": 2}
"""Queues, and how many jobs of each run at once."""
_START_SECONDS = 60.0
_FAILED_STARTS = 3
Say = Callable[[str], None]


class Stopped(Exception):
    """Somebody pressed Ctrl-C, or the system asks us to end."""


def run(settings: Settings, *, verbose: bool, say: Say) -> None:
    """Run everything until Ctrl-C or SIGTERM. Raises Unavailable with a sentence when it cannot start."""
    check_data_folder(settings)
    data_folder.keep_private(settings)
    with _only_one(settings), listening(settings.host, settings.port) as listener:
        signals = _Signals()
        group = Group(
            None if verbose else (settings.data_dir / "logs").resolve(), _environment(settings), say
        )
        try:
            _start(settings, group, listener, signals, say)
            while True:
                signals.check()
                group.look_after()
                time.sleep(0.2)
        except Stopped:
            say(
                "Stopping: a running training writes a checkpoint first. Ctrl-C again ends all at once."
            )
            try:
                for names in (["web"], [f"worker-{queue}" for queue in WORKERS], ["broker"]):
                    group.stop(names)
            except Stopped:
                say("Ended at once; what was running starts again from its last checkpoint.")
        finally:
            signals.ignore()
            group.kill()


def _start(
    settings: Settings, group: Group, listener: socket.socket, signals: "_Signals", say: Say
) -> None:
    setup_link = prepare_database(settings)
    if settings.redis_url is None:
        _start_broker(settings, group, signals)
    web = Program(
        "web",
        lambda: [*_annotune("web"), "--fd", str(listener.fileno())],
        stop_seconds=10,
        keep=[listener.fileno()],
    )
    group.start(web)
    for queue, concurrency in WORKERS.items():
        group.start(
            Program(
                f"worker-{queue}",
                lambda queue=queue, concurrency=concurrency: [  # type: ignore[misc]
                    *_annotune("worker"),
                    *("--queues", queue, "--concurrency", str(concurrency)),
                ],
                stop_seconds=40,
            )
        )
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    address = f"http://{host}:{listener.getsockname()[1]}"
    _wait_for(web, group, address, signals)
    say(f"Annotune is ready:  {address}")
    if setup_link is not None:
        say(f"Create the first account here:  {address}{setup_link}")
    say(f"Everything is kept in {settings.data_dir.resolve()}. Ctrl-C stops.")


def prepare_database(settings: Settings) -> str | None:
    """Bring the database up to date; the path of the one-time set-up page while nobody has an account.

    Raises Unavailable.
    """
    try:
        migrate()
        with db.session_scope() as session:
            token = accounts.setup_token(session)
    except SQLAlchemyError as error:
        raise Unavailable(about_database(settings, error)) from error
    finally:
        db.dispose()
    return None if token is None else f"/setup?token={token}"


def _start_broker(settings: Settings, group: Group, signals: "_Signals") -> None:
    server = broker.find_server()
    if server is None:
        raise Unavailable(broker.HOW_TO_GET_ONE)
    program = Program("broker", lambda: broker.command(server, settings), stop_seconds=10)
    group.start(program)

    def up_or_over() -> bool:
        signals.check()
        return broker.answers(settings.broker) or not program.running

    if not wait_until(up_or_over, within=20) or not program.running:
        raise Unavailable(_did_not_start(program, group))


def _wait_for(web: Program, group: Group, address: str, signals: "_Signals") -> None:
    # 0.0.0.0 and :: mean every address; ask on our own.
    url = address.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:") + "/login"

    def up_or_over() -> bool:
        signals.check()
        group.look_after()
        return web.failures >= _FAILED_STARTS or (web.running and _answers(url))

    if not wait_until(up_or_over, within=_START_SECONDS) or web.failures >= _FAILED_STARTS:
        raise Unavailable(_did_not_start(web, group))


def _answers(url: str) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        opener.open(url, timeout=2).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def _did_not_start(program: Program, group: Group) -> str:
    log = group.log_of(program)
    if log is None:
        return f"{program.name} does not start."
    return f"{program.name} does not start. The end of its log ({log}):\n{broker.log_tail(log)}"


def about_database(settings: Settings, error: SQLAlchemyError) -> str:
    """Which database it is, and what is wrong with it."""
    cause = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
    where = (
        "ANNOTUNE_DATABASE_URL" if settings.database_url else "The SQLite file in the data folder"
    )
    return f"The database does not work ({where}): {cause}"


def _annotune(*words: str) -> list[str]:
    return [sys.executable, "-P", "-m", "app.cli", *words]


def _environment(settings: Settings) -> dict[str, str]:
    # Children must see the options of this command line, and the same folder wherever they run.
    chosen = {
        "ANNOTUNE_DATA_DIR": str(settings.data_dir.resolve()),
        "ANNOTUNE_HOST": settings.host,
        "ANNOTUNE_PORT": str(settings.port),
        "PYTHONUNBUFFERED": "1",
    }
    return dict(os.environ) | chosen


def check_data_folder(settings: Settings) -> None:
    """Raises Unavailable when the data folder cannot be written."""
    folder = settings.data_dir.resolve()
    try:
        data_folder.make(settings)
        probe = folder / f".writable-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise Unavailable(
            f"The data folder {folder} cannot be written ({error.strerror}). Name another one in "
            "ANNOTUNE_DATA_DIR, or give this user the right to write there."
        ) from error


@contextmanager
def _only_one(settings: Settings) -> Iterator[None]:
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
        yield


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """The socket people connect to, held here so that a restart of the web server refuses nobody.

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


class _Signals:
    """Ctrl-C and its relatives, noticed where it suits: `check` raises Stopped once for each."""

    _CAUGHT = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def __init__(self) -> None:
        self._stopping = False
        for sign in self._CAUGHT:
            signal.signal(sign, self._note)
        self._pending = False

    def _note(self, _sign: int, _frame: FrameType | Any) -> None:
        if self._stopping:
            raise Stopped  # the second one interrupts the orderly stop itself
        self._pending = True

    def check(self) -> None:
        if self._pending:
            self._pending, self._stopping = False, True
            raise Stopped

    def ignore(self) -> None:
        for sign in self._CAUGHT:
            signal.signal(sign, signal.SIG_IGN)
