"""How much does `annotune up` take before anybody works with it? Memory, processes, seconds to the first page.

    python benchmarks/footprint.py [--idle 20] [--write docs/operating.md]

Starts it twice on a fresh data folder and reads from /proc what each process holds (Linux only). Beside it, in the
same run, the least that one could expect: a bare Python, and FastAPI on uvicorn with a single empty page.

Memory is told twice: resident, which counts what processes share once for each of them, and proportional (PSS),
which shares it out, so that the sum is what the machine would get back.
"""

import argparse
import http.client
import os
import platform
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from app.processes import start, wait_until

PATIENCE = 180.0
BARE_PYTHON = [sys.executable, "-c", "import time; time.sleep(600)"]
BARE_FASTAPI = """
import socket, sys, fastapi, uvicorn
app = fastapi.FastAPI()
@app.get("/login")
def login() -> str:
    return "hello"
uvicorn.run(app, port=int(sys.argv[1]), log_level="error")
"""


@dataclass(frozen=True, slots=True)
class Footprint:
    """What one process holds and does."""

    name: str
    resident: float
    proportional: float
    """MiB."""
    processor: float
    """Share of one core while idle."""


@dataclass(frozen=True, slots=True)
class Start:
    """One start, until the first page and until every worker takes jobs."""

    first_page: float
    processor: float
    """Seconds of processor until the first page: what a machine with nothing else to do needs at least."""
    workers: float
    processes: list[Footprint]


def main() -> None:
    """Measure, print, and write the table where it is wished."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    options.add_argument(
        "--idle", type=float, default=20, help="seconds over which idling is measured"
    )
    options.add_argument(
        "--write", type=Path, help="a page with <!-- footprint --> marks to put the table into"
    )
    chosen = options.parse_args()

    python, page = bare_python(), bare_page()
    with tempfile.TemporaryDirectory(prefix="annotune-footprint-") as folder:
        data = Path(folder) / "data"
        first = up(data, idle=0)
        second = up(data, idle=chosen.idle)
    text = report(first, second, python, page)
    print(text)
    if chosen.write:
        write(chosen.write, text)


def up(data: Path, *, idle: float) -> Start:
    """Start `annotune up` on a data folder, let it idle, and stop it."""
    port = free_port()
    # Without a terminal's Ctrl-C in between: the group is ended below.
    words = [
        sys.executable,
        "-P",
        "-m",
        "app.cli",
        "up",
        "--port",
        str(port),
        "--data-dir",
        str(data),
    ]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("ANNOTUNE_")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # as people start it
    log_sizes = {path: path.stat().st_size for path in (data / "logs").glob("worker*.log")}
    with running(words, environment) as (process, started):
        first_page = seconds_to_page(port, process, started)
        used = cpu_seconds_of_all(process)

        def workers_ready() -> bool:
            logs = list((data / "logs").glob("worker*.log"))
            return bool(logs) and all(
                b"worker_ready" in path.read_bytes()[log_sizes.get(path, 0) :] for path in logs
            )

        if not wait_until(workers_ready, within=PATIENCE):
            raise SystemExit("The workers do not get ready.")
        workers = time.monotonic() - started
        family = [process, *process.children(recursive=True)]
        before = {member.pid: cpu_seconds(member) for member in family}
        time.sleep(idle)
        processes = [
            Footprint(
                name(member, process),
                *memory(member.pid),
                (cpu_seconds(member) - before[member.pid]) / idle if idle else 0.0,
            )
            for member in family
        ]
    return Start(first_page, used, workers, processes)


def bare_python() -> float:
    """MiB, proportional, of a Python that does nothing."""
    with running(BARE_PYTHON, os.environ) as (process, _started):
        time.sleep(1)
        return memory(process.pid)[1]


def bare_page() -> tuple[float, float, float]:
    """Seconds to the first page of an empty FastAPI application, those of the processor, and its MiB, proportional."""
    port = free_port()
    command = [sys.executable, "-c", BARE_FASTAPI, str(port)]
    with running(command, os.environ) as (process, started):
        seconds = seconds_to_page(port, process, started)
        return seconds, cpu_seconds_of_all(process), memory(process.pid)[1]


@contextmanager
def running(
    command: Sequence[str], environment: "os._Environ[str] | dict[str, str]"
) -> Iterator[tuple[psutil.Process, float]]:
    """A program, and when it was started; it is stopped at the end."""
    started = time.monotonic()
    child = start(command, output=subprocess.DEVNULL, env=environment)
    try:
        yield psutil.Process(child.pid), started
    finally:
        child.send_signal(signal.SIGINT)
        try:
            child.wait(60)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def seconds_to_page(port: int, process: psutil.Process, started: float) -> float:
    """From the start to the last byte of the log-in page."""

    def answers() -> bool:
        if process.status() == psutil.STATUS_ZOMBIE:
            raise SystemExit("It has ended instead of answering.")
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        try:
            connection.request("GET", "/login")
            return bool(connection.getresponse().read())
        except OSError:
            return False
        finally:
            connection.close()

    if not wait_until(answers, within=PATIENCE, every=0.01):
        raise SystemExit("The first page does not come.")
    return time.monotonic() - started


def memory(pid: int) -> tuple[float, float]:
    """MiB, resident and proportional."""
    found = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        key, value = line.split(":")
        found[key] = int(value.split()[0]) / 1024
    return found["Rss"], found["Pss"]


def cpu_seconds_of_all(process: psutil.Process) -> float:
    """What a process and those that it has started have used of the processor."""
    return sum(map(cpu_seconds, [process, *process.children(recursive=True)]))


def cpu_seconds(process: psutil.Process) -> float:
    """What it has used of the processor so far."""
    times = process.cpu_times()
    return float(times.user + times.system)


def name(process: psutil.Process, supervisor: psutil.Process) -> str:
    """Which part it is."""
    if process == supervisor:
        return "supervisor"
    words = process.cmdline()
    if "valkey" in words[0] or "redis" in words[0]:
        return "broker"
    if "app.server" in words:
        return "web"
    return "worker" if process.parent() == supervisor else "worker's child"


def free_port() -> int:
    """One that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def report(first: Start, second: Start, python: float, page: tuple[float, float, float]) -> str:
    """All of it as a table in Markdown."""
    found = second.processes
    total = Footprint(
        f"{len(found)} processes",
        sum(one.resident for one in found),
        sum(one.proportional for one in found),
        sum(one.processor for one in found),
    )
    lines = [
        "| | resident | proportional | × bare Python | processor, idle |",
        "|---|---|---|---|---|",
        *(
            f"| {one.name} | {one.resident:.0f} MiB | {one.proportional:.0f} MiB "
            f"| {one.proportional / python:.1f} | {one.processor:.2%} |"
            for one in (*found, total)
        ),
        "",
        "| | first page | of the processor | workers take jobs |",
        "|---|---|---|---|",
        *(
            f"| {what} | {one.first_page:.1f} s ({one.first_page / page[0]:.1f} × an empty FastAPI) "
            f"| {one.processor:.1f} s ({one.processor / page[1]:.1f} ×) | {one.workers:.1f} s |"
            for what, one in (("first start", first), ("second start", second))
        ),
        "",
        f"A bare Python takes {python:.0f} MiB, an empty FastAPI on uvicorn {page[2]:.0f} MiB, "
        f"{page[0]:.1f} s, {page[1]:.1f} s of the processor. Python {platform.python_version()}, "
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}.",
    ]
    return "\n".join(lines)


def write(page: Path, text: str) -> None:
    """Put the tables between the page's marks."""
    before, begin, rest = page.read_text().partition("<!-- footprint -->\n")
    _old, end, after = rest.partition("<!-- end of footprint -->")
    if not begin or not end:
        raise SystemExit(f"{page} has no <!-- footprint --> … <!-- end of footprint -->.")
    page.write_text(f"{before}{begin}\n{text}\n\n{end}{after}")


if __name__ == "__main__":
    main()
