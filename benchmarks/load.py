"""Many annotators at once, beside faults: is anything lost, done twice, or refused without a word?

    python benchmarks/load.py [--clients 16 200] [--seconds 20] [--faults all] [--write docs/results.md]

Starts `annotune up` on SQLite, and on PostgreSQL if a server answers at ANNOTUNE_TEST_DATABASE_URL
(127.0.0.1:5432 without it), and lets so many people label without a pause: next, save, next, … Meanwhile a
visitor asks for the log-in page and a static file. Each save that was acknowledged must be in the database
once; no example may be handed to two people. The same is done while the database is locked, the web server
is killed, the worker is stopped, connections are ended, and (as root, on Linux) the disk is full.
"""

import argparse
import asyncio
import contextlib
import json
import os
import platform
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import create_engine, insert, make_url, select, text
from sqlalchemy.exc import SQLAlchemyError

from app import db
from app.models import Annotation, Example, User
from app.security.secrets import hash_secret
from app.settings import get_settings

ROOT = Path(__file__).parents[1]
FAULTS = ("none", "locked", "web killed", "worker stopped", "connections ended", "disk full")
EXAMPLES_PER_SECOND = 600
"""More than any machine here labels, so that the queue never runs dry."""
PATIENCE = 60.0
"""Seconds after which a request has not been answered."""


# -- a small HTTP client: httpx would take more of the processor than the server does ---------------


class Client:
    """One kept-open connection to the server."""

    def __init__(self, port: int, token: str = "") -> None:
        self._port = port
        self._authorization = f"Authorization: Bearer {token}\r\n" if token else ""
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def call(
        self, method: str, path: str, body: Any = None
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of the answer. Raises OSError or EOFError when the connection breaks."""
        content = b"" if body is None else json.dumps(body).encode()
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\n{self._authorization}"
            f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        )
        try:
            async with asyncio.timeout(PATIENCE):
                if self._streams is None:
                    self._streams = await asyncio.open_connection("127.0.0.1", self._port)
                reader, writer = self._streams
                writer.write(head.encode() + content)
                status_line, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                headers = {
                    name.lower(): value.strip()
                    for name, _colon, value in (line.partition(":") for line in lines if line)
                }
                length = int(headers.get("content-length", 0))
                answer = await reader.readexactly(length)
                if headers.get("connection") == "close":
                    self.close()
                return int(status_line.split()[1]), headers, answer
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the connection; the next call opens another."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


# -- what the clients see --------------------------------------------------------------------------


@dataclass
class Seen:
    """All answers of one scenario."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: {"next": [], "save": []})
    pages: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    broken: int = 0
    """Requests whose connection broke; they were sent again."""
    hung: int = 0
    acknowledged: dict[str, int] = field(default_factory=dict)
    """client_key → annotation, for each save that was answered."""
    handed: dict[int, set[int]] = field(default_factory=dict)
    """example → the clients who got it."""


async def annotate(client: Client, number: int, project: str, until: float, seen: Seen) -> None:
    """Label one example after the other until the time is over."""
    base = f"/api/v1/projects/{project}"
    last: int | None = None
    while time.monotonic() < until:
        item = await insist(client, "next", f"{base}/queue/next", {"after": last}, seen, until)
        if item is None:
            return
        last = item["id"]
        seen.handed.setdefault(item["id"], set()).add(number)
        key = uuid.uuid4().hex
        words = {"payload": {"labels": ["positive"]}, "client_key": key, "base": item["base"]}
        address = f"{base}/examples/{item['id']}/annotations"
        saved = await insist(client, "save", address, words, seen, until)
        if saved is not None:
            seen.acknowledged[key] = saved["id"]


async def insist(
    client: Client, what: str, path: str, body: Any, seen: Seen, until: float
) -> dict[str, Any] | None:
    """Ask until there is an answer, as the labelling page does. None if there was none in time."""
    while True:
        started = time.monotonic()
        try:
            status, headers, answer = await client.call("POST", path, body)
        except TimeoutError:
            seen.hung += 1
            return None
        except (OSError, EOFError, asyncio.IncompleteReadError):
            seen.broken += 1
            if time.monotonic() > until + PATIENCE:
                return None
            await asyncio.sleep(0.2)
            continue
        seen.statuses[status] += 1
        if status in (200, 201):
            seen.seconds[what].append(time.monotonic() - started)
            item: dict[str, Any] = json.loads(answer)
            return item
        if status == 503 and time.monotonic() < until + PATIENCE:
            await asyncio.sleep(float(headers["retry-after"]))
            continue
        if status >= 400:
            print(f"    {what}: {status} {answer[:300].decode(errors='replace')}")
        return None


async def visit(port: int, until: float, seen: Seen) -> None:
    """Ask for the log-in page and what it needs, as somebody who just comes."""
    visitor = Client(port)
    paths = ["/login"]
    with contextlib.suppress(OSError, EOFError, TimeoutError):
        page = (await visitor.call("GET", "/login"))[2].decode()
        paths += re.findall(r'href="(/static/[^"]+\.css[^"]*)"', page)[:1]
    while time.monotonic() < until:
        for path in paths:
            started = time.monotonic()
            try:
                status, _headers, _body = await visitor.call("GET", path)
            except (OSError, EOFError, TimeoutError):
                await asyncio.sleep(0.2)
                continue
            seen.statuses[status] += 1
            seen.pages.append(time.monotonic() - started)
        await asyncio.sleep(0.05)
    visitor.close()


# -- the server and its faults ---------------------------------------------------------------------


class Site:
    """A running `annotune up` with a project, and people who label in it."""

    def __init__(self, folder: Path, database: str | None, clients: int, examples: int) -> None:
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.environment = {
            k: v for k, v in os.environ.items() if not k.startswith("ANNOTUNE_")
        } | {
            "ANNOTUNE_DATA_DIR": str(folder),
            "ANNOTUNE_PORT": str(self.port),
            "ANNOTUNE_METRICS_TOKEN": "bench",
            "HF_HUB_OFFLINE": "1",
        }
        if database is not None:
            self.environment["ANNOTUNE_DATABASE_URL"] = database
        for name, value in self.environment.items():
            if name.startswith("ANNOTUNE_"):
                os.environ[name] = value
        os.environ.pop("ANNOTUNE_DATABASE_URL", None) if database is None else None
        get_settings.cache_clear()
        db.dispose()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "app.cli", "up"],
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._wait_until_ready()
        self.project, self.tokens = fill(clients, examples)

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError, EOFError, TimeoutError):
                if asyncio.run(Client(self.port).call("GET", "/setup"))[0] == 200:
                    return
            time.sleep(0.1)
        raise RuntimeError("the server does not start")

    def child(self, word: str) -> psutil.Process:
        """The process of the group whose command says this word."""
        for process in psutil.Process(self.process.pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if word in process.cmdline():
                    return process
        raise LookupError(word)

    def memory(self) -> float:
        """MiB that the web server holds."""
        return float(self.child("app.server").memory_info().rss) / 2**20

    async def longest_write(self) -> str:
        """The bucket of the longest write transaction that the web server's metrics tell of."""
        client = Client(self.port, "bench")
        with contextlib.suppress(OSError, EOFError, TimeoutError):
            body = (await client.call("GET", "/metrics"))[2].decode()
            buckets = re.findall(
                r'annotune_database_transaction_seconds_bucket\{[^}]*le="([^"]+)"[^}]*mode="writing"[^}]*\} ([\d.e+]+)',
                body,
            )
            total = max((float(count) for _bound, count in buckets), default=0.0)
            for bound, count in buckets:
                if total and float(count) >= total:
                    return "over" if bound == "+Inf" else f"≤ {float(bound) * 1000:g}"
        return "?"

    def stop(self) -> None:
        """Stop all of it."""
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
        db.dispose()


def fill(clients: int, examples: int) -> tuple[str, list[str]]:
    """A project with open examples, and people with tokens."""
    sys.path.insert(0, str(ROOT))
    from tests.factories import join, make_project, make_token, make_user

    owner = make_user("Owner", admin=True)
    project = make_project(owner)
    people: list[User] = [make_user(f"Person{n}") for n in range(clients)]
    for person in people:
        join(project, owner, annotator=person)
    tokens = [make_token(person) for person in people]
    with db.session_scope() as session:
        for start in range(0, examples, 5000):
            session.execute(
                insert(Example),
                [
                    {
                        "project_id": project.id,
                        "inputs": {"text": f"Sentence number {n} of them all."},
                        "content_hash": hash_secret(str(n)),
                        "status": "open",
                    }
                    for n in range(start, min(examples, start + 5000))
                ],
            )
        session.execute(
            text("UPDATE projects SET example_count = :n WHERE id = :id"),
            {"n": examples, "id": project.id},
        )
    return project.id, tokens


async def hurt(site: Site, fault: str, seconds: float) -> None:
    """Do it, twice, and let it be well again."""
    for _time in range(2):
        await asyncio.sleep(seconds / 5)
        async with FAULT[fault](site):
            await asyncio.sleep(min(3.0, seconds / 6))


@contextlib.asynccontextmanager
async def nothing(_site: Site) -> AsyncIterator[None]:
    yield


@contextlib.asynccontextmanager
async def locked(site: Site) -> AsyncIterator[None]:
    engine = create_engine(get_settings().database, connect_args=_patient())
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            await asyncio.to_thread(connection.exec_driver_sql, "BEGIN IMMEDIATE")
        else:
            await asyncio.to_thread(
                connection.execute, text("LOCK TABLE examples IN EXCLUSIVE MODE")
            )
        yield
        connection.rollback()
    engine.dispose()


@contextlib.asynccontextmanager
async def web_killed(site: Site) -> AsyncIterator[None]:
    site.child("app.server").kill()
    yield


@contextlib.asynccontextmanager
async def worker_stopped(site: Site) -> AsyncIterator[None]:
    worker = site.child("worker")
    worker.suspend()
    yield
    worker.resume()


@contextlib.asynccontextmanager
async def connections_ended(_site: Site) -> AsyncIterator[None]:
    engine = create_engine(get_settings().database, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
    engine.dispose()
    yield


@contextlib.asynccontextmanager
async def disk_full(site: Site) -> AsyncIterator[None]:
    filler = site.folder / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(b"\0" * (1 << 16))
    yield
    filler.unlink()


FAULT: dict[str, Callable[[Site], contextlib.AbstractAsyncContextManager[None]]] = {
    "none": nothing,
    "locked": locked,
    "web killed": web_killed,
    "worker stopped": worker_stopped,
    "connections ended": connections_ended,
    "disk full": disk_full,
}


def _patient() -> dict[str, Any]:
    return {"timeout": 30} if get_settings().database.startswith("sqlite") else {}


# -- one scenario ----------------------------------------------------------------------------------


async def run(site: Site, fault: str, seconds: float) -> dict[str, Any]:
    """Let everybody label for so long while it hurts; what came of it."""
    seen, until = Seen(), time.monotonic() + seconds
    people = [Client(site.port, token) for token in site.tokens]
    before = site.memory()
    await asyncio.gather(
        *(annotate(c, n, site.project, until, seen) for n, c in enumerate(people)),
        visit(site.port, until, seen),
        hurt(site, fault, seconds),
    )
    for client in people:
        client.close()
    longest = await site.longest_write()
    with db.session_scope(read_only=True) as session:
        stored = {
            key: (id_, example)
            for key, id_, example in session.execute(
                select(Annotation.client_key, Annotation.id, Annotation.example_id)
            )
        }
    lost = sum(stored.get(key, (None,))[0] != id_ for key, id_ in seen.acknowledged.items())
    twice = Counter(example for _id, example in stored.values())
    return {
        "saves a second": round(len(seen.acknowledged) / seconds, 1),
        **{
            f"{what} {name}": value
            for what in ("next", "save")
            for name, value in _spread(seen.seconds[what]).items()
        },
        "pages p95": _milliseconds(seen.pages, 0.95),
        "pages worst": _milliseconds(seen.pages, 1.0),
        "503": seen.statuses[503],
        "500": sum(n for status, n in seen.statuses.items() if status >= 500 and status != 503),
        "other": sum(n for status, n in seen.statuses.items() if 300 <= status < 500),
        "broken": seen.broken,
        "hung": seen.hung,
        "lost": lost,
        "handed twice": sum(len(people) > 1 for people in seen.handed.values()),
        "saved twice": sum(n > 1 for n in twice.values()),
        "longest write": longest,
        "memory": f"{before:.0f} → {site.memory():.0f}",
    }


def _spread(seconds: list[float]) -> dict[str, str]:
    return {
        "p50": _milliseconds(seconds, 0.5),
        "p95": _milliseconds(seconds, 0.95),
        "p99": _milliseconds(seconds, 0.99),
    }


def _milliseconds(seconds: list[float], share: float) -> str:
    if not seconds:
        return "–"
    if share == 1.0:
        return f"{max(seconds) * 1000:.0f}"
    if len(seconds) < 2:
        return f"{seconds[0] * 1000:.0f}"
    return f"{statistics.quantiles(seconds, n=100)[round(share * 100) - 1] * 1000:.0f}"


@contextlib.contextmanager
def databases(wanted: str) -> Iterator[str | None]:
    """None for SQLite; for PostgreSQL the URL of a database that lives as long as this."""
    if wanted == "SQLite":
        yield None
        return
    default = "postgresql+psycopg://postgres@127.0.0.1:5432/postgres"
    url = make_url(os.environ.get("ANNOTUNE_TEST_DATABASE_URL", default))
    server = create_engine(url, isolation_level="AUTOCOMMIT")
    name = f"annotune_load_{os.getpid()}"
    with server.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    try:
        yield url.set(database=name).render_as_string(hide_password=False)
    finally:
        with server.connect() as connection:
            connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
        server.dispose()


@contextlib.contextmanager
def folders(fault: str) -> Iterator[Path]:
    """A data folder; on a small disk of its own if that is to be filled. Raises PermissionError without root."""
    with tempfile.TemporaryDirectory(prefix="annotune-load-") as name:
        if fault != "disk full":
            yield Path(name)
            return
        mount = ["mount", "-t", "tmpfs", "-o", "size=96m", "tmpfs", name]
        if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
            raise PermissionError("no disk can be mounted here")
        try:
            yield Path(name)
        finally:
            subprocess.run(["umount", "-l", name], check=False)


def scenario(database: str, clients: int, fault: str, seconds: float) -> dict[str, Any] | str:
    """One row of the table, or why there is none."""
    if fault == "connections ended" and database == "SQLite":
        return "SQLite has no connections to end"
    if fault == "disk full" and database != "SQLite":
        return "PostgreSQL's disk is not ours to fill"
    try:
        with databases(database) as url, folders(fault) as folder:
            site = Site(folder, url, clients, round(seconds * EXAMPLES_PER_SECOND))
            try:
                return asyncio.run(run(site, fault, seconds))
            finally:
                site.stop()
    except (SQLAlchemyError, PermissionError) as error:
        return f"not measured: {error}"


def main() -> None:
    """Measure, print, and exit with 1 if anything was lost, doubled, hung or answered with a 500."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--clients", type=int, nargs="+", default=[16, 200])
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--databases", nargs="+", default=["SQLite", "PostgreSQL"])
    parser.add_argument("--faults", nargs="+", default=["all"], choices=["all", *FAULTS])
    parser.add_argument(
        "--write", type=Path, help="replace the table between the marks in this file"
    )
    wishes = parser.parse_args()
    faults = FAULTS if wishes.faults == ["all"] else wishes.faults
    rows: list[str] = []
    good = True
    for database in wishes.databases:
        for fault in faults:
            for clients in wishes.clients:
                print(f"{database}, {clients} clients, {fault} …", flush=True)
                found = scenario(database, clients, fault, wishes.seconds)
                print("    ", found, flush=True)
                if isinstance(found, str):
                    continue
                if not rows:
                    rows += [
                        "| database | clients | fault | " + " | ".join(found) + " |",
                        "|---" * (3 + len(found)) + "|",
                    ]
                rows.append(
                    f"| {database} | {clients} | {fault} | "
                    + " | ".join(map(str, found.values()))
                    + " |"
                )
                good &= not any(
                    found[name] for name in ("500", "hung", "lost", "handed twice", "saved twice")
                )
    table = "\n".join(rows)
    about = (
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} processors, Python "
        f"{platform.python_version()}; times in ms, memory of the web process in MiB; each scenario "
        f"{wishes.seconds:g} s, clients without a pause, on the same processors as the server."
    )
    print(f"\n{table}\n\n{about}")
    if wishes.write is not None:
        page = wishes.write.read_text()
        head, mark, rest = page.partition("<!-- load -->\n")
        _old, end, tail = rest.partition("<!-- end of load -->")
        wishes.write.write_text(f"{head}{mark}{table}\n\n{about}\n{end}{tail}")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
