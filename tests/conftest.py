"""What the whole suite shares: databases of both kinds, settings of its own, a broker, real workers."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import uvicorn
from argon2 import PasswordHasher
from fastapi import FastAPI
from sqlalchemy import Engine, create_engine, make_url, text
from sqlalchemy.exc import SQLAlchemyError

from app import db
from app.cli import broker as embedded
from app.group.programs import Group, Program
from app.http.server import configuration
from app.migrate import migrate
from app.models import Base
from app.processes import wait_until
from app.security import passwords
from app.services import dispatch
from app.settings import Settings, get_settings
from app.storage import get_storage

ROOT = Path(__file__).parent.parent
POSTGRESQL = "postgresql+psycopg://postgres@127.0.0.1:5432/postgres"


PATIENCE = 4
"""How many times longer than a quiet machine a loaded one may take. It costs time only where a test fails."""


def wait_for(
    condition: Callable[[], object], *, within: float = 20.0, message: str = "it did not happen"
) -> None:
    """Wait until something is so, which takes up to so many seconds on a quiet machine, or fail."""
    if not wait_until(lambda: bool(condition()), within=within * PATIENCE):
        pytest.fail(f"after {within * PATIENCE:g} s: {message}")


@contextmanager
def serving(application: FastAPI) -> Iterator[str]:
    """The address of the application behind a real server, in this process."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(configuration(application))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        wait_for(lambda: server.started, message="the server does not start")
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join(10)


def forget_everything() -> None:
    """Make the process read its settings anew, and open its database, storage and broker anew."""
    db.dispose()
    get_settings.cache_clear()
    get_storage.cache_clear()
    dispatch.forget()


@pytest.fixture(autouse=True)
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """Settings that know nothing of this machine: a data folder of the test's own and the defaults."""
    for name in os.environ:
        if name.startswith("ANNOTUNE_") and not name.startswith("ANNOTUNE_TEST_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("ANNOTUNE_DATA_DIR", str(tmp_path / "data"))
    # The folder where the tests were started may have an .env file.
    monkeypatch.setitem(Settings.model_config, "env_file", None)
    forget_everything()
    yield get_settings()
    forget_everything()


@pytest.fixture(scope="session", autouse=True)
def quick_hashes() -> None:
    """Passwords are hashed with as little work as can be: slowness is the point of the real parameters."""
    passwords._hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    passwords._DUMMY = passwords._hasher.hash("nobody has this password")


# -- databases -----------------------------------------------------------------------------------


def _server() -> Engine | None:
    """The PostgreSQL server for tests, if there is one."""
    url = make_url(os.environ.get("ANNOTUNE_TEST_DATABASE_URL", POSTGRESQL))
    engine = create_engine(url, isolation_level="AUTOCOMMIT", connect_args={"connect_timeout": 2})
    try:
        engine.connect().close()
    except SQLAlchemyError:
        return None
    return engine


@pytest.fixture(scope="session")
def postgresql(worker_id: str) -> Iterator[str | None]:
    """The URL of a database of this test process's own, with our tables; None without a server."""
    server = _server()
    if server is None:
        yield None
        return
    name = f"annotune_test_{worker_id}_{os.getpid()}"
    with server.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    url = server.url.set(database=name).render_as_string(hide_password=False)
    try:
        yield url
    finally:
        with server.connect() as connection:
            connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
        server.dispose()


@pytest.fixture(scope="session")
def _empty_sqlite(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A migrated SQLite file, made once and copied for each test."""
    return {}


@pytest.fixture
def sqlite(settings: Settings, _empty_sqlite: dict[str, bytes]) -> str:
    """For tests that need only one kind: the URL of a fresh SQLite file with our tables, which the settings name."""
    path = settings.data_dir / "annotune.sqlite3"
    path.parent.mkdir(parents=True, exist_ok=True)
    if not _empty_sqlite:
        migrate()
        db.dispose()  # the last connection moves everything into the one file
        _empty_sqlite["bytes"] = path.read_bytes()
    path.write_bytes(_empty_sqlite["bytes"])
    return settings.database


@pytest.fixture
def empty_postgresql(
    postgresql: str | None, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> str:
    """The URL of a PostgreSQL database with our tables, all empty, which the settings name."""
    if postgresql is None:
        pytest.skip("no PostgreSQL at 127.0.0.1:5432 nor in ANNOTUNE_TEST_DATABASE_URL")
    monkeypatch.setenv("ANNOTUNE_DATABASE_URL", postgresql)
    forget_everything()
    if migrate():
        return postgresql
    names = ", ".join(f'"{table.name}"' for table in Base.metadata.sorted_tables)
    with db.get_engine().begin() as connection:
        connection.execute(text(f"TRUNCATE {names} RESTART IDENTITY CASCADE"))
    return postgresql


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> str:
    """A fresh database with our tables, which the settings name: every test runs on both kinds."""
    name = "sqlite" if request.param == "sqlite" else "empty_postgresql"
    return str(request.getfixturevalue(name))


# -- broker and workers --------------------------------------------------------------------------


def with_long_leases(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests that count attempts: a loaded machine must not make a lease run out that is well held."""
    monkeypatch.setenv("ANNOTUNE_JOB_LEASE_SECONDS", "60")
    get_settings.cache_clear()


class Services:
    """Real programs beside the test: the embedded broker, and workers with the test's settings."""

    def __init__(self, settings: Settings) -> None:
        # The environment is read at each start, so that it holds what the test has set by then.
        self.group = Group(settings.data_dir / "logs", os.environ, print)
        self.settings = settings

    def start_broker(self) -> Program:
        """Start the broker and wait for it."""
        server = embedded.find_server()
        if server is None:
            pytest.skip("no Valkey or Redis server program")
        program = Program("broker", embedded.command(server, self.settings), stop_seconds=5)
        self.group.start(program)
        wait_for(lambda: embedded.answers(self.settings.broker), message="the broker is silent")
        return program

    def start_worker(self, queue: str, *, concurrency: int = 1, name: str | None = None) -> Program:
        """Start a worker and wait until it takes jobs."""
        name = name or f"worker-{queue}"
        words = ["--queues", queue, "--concurrency", str(concurrency), "--name", name]
        command = [sys.executable, "-P", "-m", "app.cli", "worker", *words]
        program = Program(name, command, stop_seconds=40)
        self.group.start(program)
        wait_for(
            lambda: "worker_ready" in self.log(program) or not program.running,
            within=60,
            message=f"{name} is not ready",
        )
        assert program.running, self.log(program)
        return program

    def log(self, program: Program) -> str:
        """What a program has written so far."""
        path = self.group.log_of(program)
        return path.read_text(errors="replace") if path and path.exists() else ""

    def close(self) -> None:
        self.group.kill()


@pytest.fixture
def services(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    """Programs to start by hand, with short times; whatever still runs is killed at the end."""
    for name, value in {
        "JOB_LEASE_SECONDS": "3",
        "JOB_REPUBLISH_SECONDS": "2",
        "RECONCILE_SECONDS": "0.3",
    }.items():
        monkeypatch.setenv(f"ANNOTUNE_{name}", value)
    get_settings.cache_clear()
    running = Services(get_settings())
    yield running
    running.close()


@pytest.fixture
def broker(services: Services) -> str:
    """The URL of a running embedded broker, which the settings name."""
    services.start_broker()
    return services.settings.broker


@pytest.fixture
def real_worker(database: str, broker: str, services: Services) -> Services:
    """Real Celery workers for both queues on the test's database."""
    services.start_worker("cpu")
    services.start_worker("gpu")
    return services


# -- data ----------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """Real annotated data; tests that need it skip where there is none."""
    folder = Path(os.environ.get("ANNOTUNE_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("no real data: name its folder in ANNOTUNE_TEST_DATA")
    return folder


@pytest.fixture(scope="session")
def chromium() -> str:
    """A Chromium for browser tests: the system's, or playwright's own."""
    done = subprocess.run(
        [str(ROOT / "scripts" / "find-chromium")], capture_output=True, text=True, check=False
    )
    with suppress(IndexError):
        return done.stdout.split()[-1]
    pytest.skip("no Chromium: install one, or run “playwright install chromium”")
