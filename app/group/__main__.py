"""`python -m app.group PLAN`: run broker, web server and worker until Ctrl-C or SIGTERM."""

import json
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from types import FrameType

from app.group.plan import Plan
from app.group.programs import Group, Program
from app.processes import wait_until

JOBS_AT_ONCE = 2
"""Of the worker, beside one training."""
_START_SECONDS = 60.0
_FAILED_STARTS = 3
_PYTHON = [sys.executable, "-P", "-m"]


class Stopped(Exception):
    """Somebody pressed Ctrl-C, or the system asks us to end."""


class CannotStart(Exception):
    """Something does not start; the sentence says what, and why."""


def main(plan: Plan) -> int:
    """Run everything; the exit code."""
    signals = Signals()
    group = Group(None if plan.logs is None else Path(plan.logs), os.environ, say)
    try:
        start(plan, group, signals)
        while True:
            signals.check()
            group.look_after()
            time.sleep(0.2)
    except CannotStart as error:
        print(error, file=sys.stderr, flush=True)
        return 1
    except Stopped:
        say(
            "Stopping: a running training writes a checkpoint first. Ctrl-C again ends all at once."
        )
        try:
            for name in ("web", "worker", "broker"):
                group.stop([name])
        except Stopped:
            say("Ended at once; what was running starts again from its last checkpoint.")
        return 0
    finally:
        signals.ignore()
        group.kill()


def start(plan: Plan, group: Group, signals: "Signals") -> None:
    """Start everything, and say where it is once the first page is to be had. Raises CannotStart."""
    broker = None
    if plan.broker is not None:
        broker = Program("broker", plan.broker, stop_seconds=10)
        group.start(broker)
    answer, told = os.pipe()
    web = Program(
        "web",
        [*_PYTHON, "app.server", "--migrate", "--fd", str(plan.listener), "--tell", str(told)],
        stop_seconds=10,
        keep=[plan.listener, told],
    )
    group.start(web)
    setup_page = _first_word_of(web, answer, group, signals)
    if broker is not None:
        _wait(lambda: answers(plan.broker_socket), broker, group, signals)
    # Last: on a small machine it would make the first page wait.
    words = ["worker", "--queues", queues(), "--concurrency", str(JOBS_AT_ONCE)]
    group.start(Program("worker", [*_PYTHON, *words], stop_seconds=40))
    say(f"Annotune is ready:  {plan.address}")
    if setup_page is not None:
        where = plan.address if setup_page.startswith("/") else ""
        say(f"Create the first account here:  {where}{setup_page}")
    say(f"Its data folder is {plan.data_dir}. Ctrl-C stops.")


def _first_word_of(web: Program, answer: int, group: Group, signals: "Signals") -> str | None:
    """Wait until the web server takes requests; the path of the page for the first account, while nobody has one.

    Raises CannotStart, with the server's own sentence if it has one.
    """
    with os.fdopen(answer) as lines:
        _wait(lambda: bool(select.select([lines], [], [], 0)[0]), web, group, signals)
        said = json.loads(lines.readline())
    if said["error"] is not None:
        raise CannotStart(said["error"])
    page: str | None = said["setup_page"]
    return page


def _wait(ready: Callable[[], bool], program: Program, group: Group, signals: "Signals") -> None:
    """Wait for what a program is about to do. Raises CannotStart when it fails, or takes too long."""

    def ready_or_failed() -> bool:
        signals.check()
        group.look_after()
        return program.failures >= _FAILED_STARTS or ready()

    if not wait_until(ready_or_failed, within=_START_SECONDS) or not ready():
        log = group.log_of(program)
        end = "." if log is None else f". The end of its log ({log}):\n{tail(log)}"
        raise CannotStart(f"{program.name} does not start{end}")


def queues() -> str:
    """Whose jobs the worker takes: a machine that was set up to label only cannot train."""
    return "cpu,gpu" if find_spec("torch") else "cpu"


def answers(path: str) -> bool:
    """Whether a broker answers on this socket."""
    with socket.socket(socket.AF_UNIX) as client, suppress(OSError):
        client.settimeout(2)
        client.connect(path)
        client.sendall(b"PING\r\n")
        return client.recv(16).startswith(b"+PONG")
    return False


def tail(path: Path, lines: int = 12) -> str:
    """The end of a log file."""
    return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])


def say(line: str) -> None:
    """One line for the person."""
    print(line, flush=True)


class Signals:
    """Ctrl-C and its relatives, noticed where it suits: `check` raises Stopped once for each."""

    _CAUGHT = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def __init__(self) -> None:
        self._stopping = False
        self._pending = False
        for sign in self._CAUGHT:
            signal.signal(sign, self._note)

    def _note(self, _sign: int, _frame: FrameType | None) -> None:
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


if __name__ == "__main__":
    sys.exit(main(Plan.load(sys.argv[1])))
