"""Whether it lives and whether it is ready, as machines ask."""

import asyncio
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio.to_thread
import httpx
import pytest
import redis
from fastapi.testclient import TestClient
from sqlalchemy import make_url

from app.main import create_app
from app.services import health, workers
from app.settings import get_settings
from tests.api.test_workers import FACTS
from tests.conftest import Services, forget_everything, serving


@pytest.fixture
def anybody() -> TestClient:
    """Somebody whom nobody knows, before a server that has just started."""
    return TestClient(create_app())


def states(answer: httpx.Response) -> dict[str, bool]:
    return {name: check["ok"] for name, check in answer.json()["checks"].items()}


def announce(*queues: str) -> None:
    for queue in queues:
        workers.announce(f"{queue}@box", **FACTS | {"queues": [queue]})


def test_all_is_well(database: str, broker: str, anybody: TestClient) -> None:
    announce("cpu", "gpu")
    answer = anybody.get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["status"] == "ready"
    assert states(answer) == dict.fromkeys(
        ("database", "storage", "disk", "broker", "workers"), True
    )
    assert all(0 <= check["ms"] < 2000 for check in answer.json()["checks"].values())
    assert answer.headers["cache-control"] == "no-store"
    assert anybody.get("/healthz").json() == {"status": "alive"}


def test_jobs_that_must_wait_are_no_reason_to_turn_people_away(
    database: str, anybody: TestClient
) -> None:
    announce("cpu")
    answer = anybody.get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["status"] == "degraded"
    assert states(answer) == {
        "database": True,
        "storage": True,
        "disk": True,
        "broker": False,
        "workers": False,
    }


def test_a_disk_that_is_nearly_full_degrades(
    sqlite: str, monkeypatch: pytest.MonkeyPatch, anybody: TestClient
) -> None:
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage._replace(free=1 << 20))
    answer = anybody.get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    assert not states(answer)["disk"]


def test_a_broker_without_memory_takes_no_messages(broker: str, anybody: TestClient) -> None:
    server = redis.Redis.from_url(broker.replace("redis+socket", "unix"))
    before = server.config_get("maxmemory")["maxmemory"]
    server.config_set("maxmemory", 1)
    try:
        answer = anybody.get("/readyz")
    finally:
        server.config_set("maxmemory", before)
    assert not states(answer)["broker"]


def test_a_missing_database_file_is_not_made(sqlite: str, anybody: TestClient) -> None:
    path = Path(str(make_url(sqlite).database))
    forget_everything()
    path.unlink()
    assert anybody.get("/readyz").status_code == 503
    assert not path.exists()
    assert anybody.get("/healthz").status_code == 200


def test_a_storage_that_cannot_be_written(
    sqlite: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, anybody: TestClient
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("ANNOTUNE_STORAGE_URL", str(tmp_path / "file" / "store"))
    forget_everything()
    answer = anybody.get("/readyz")
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert not states(answer)["storage"]


@pytest.fixture
def silent_server() -> Iterator[int]:
    """A port that takes connections and never says anything."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        yield listener.getsockname()[1]


def test_a_server_that_hangs_costs_two_seconds_and_says_nothing_of_itself(
    monkeypatch: pytest.MonkeyPatch, silent_server: int
) -> None:
    url = f"postgresql://ada:hidden@127.0.0.1:{silent_server}/x"
    monkeypatch.setenv("ANNOTUNE_DATABASE_URL", url)
    monkeypatch.setenv("ANNOTUNE_REDIS_URL", f"redis://:hidden@127.0.0.1:{silent_server}/0")
    forget_everything()
    with serving(create_app()) as address, httpx.Client(base_url=address) as client:
        started = time.monotonic()
        answer = client.get("/readyz")
        assert time.monotonic() - started < health.SECONDS + 1.5
        assert answer.status_code == 503
        assert answer.json()["status"] == "unavailable"
        assert not states(answer)["database"]
        assert not states(answer)["broker"]
        assert not any(word in answer.text for word in ("hidden", "127.0.0.1", "ada"))
        before = threading.active_count()
        for _ in range(3):
            time.sleep(1.1)
            client.get("/readyz")
            assert client.get("/healthz").elapsed.total_seconds() < 1
        assert threading.active_count() <= before + 4, "checks that hang must not heap up"


def test_they_answer_when_no_thread_is_free(sqlite: str) -> None:
    application, free = create_app(), threading.Event()

    @application.get("/slow")
    def slow() -> None:
        free.wait(30)

    with serving(application) as address:

        async def ask() -> dict[str, Any]:
            async with httpx.AsyncClient(base_url=address, timeout=60) as client:
                waiting = [asyncio.create_task(client.get("/slow")) for _ in range(60)]
                await asyncio.sleep(1)
                times = {}
                for path in ("/healthz", "/readyz"):
                    started = time.monotonic()
                    times[path] = (await client.get(path)).status_code, time.monotonic() - started
                free.set()
                await asyncio.gather(*waiting)
                return times

        for path, (status, seconds) in anyio.run(ask).items():
            assert status == 200, path
            assert seconds < health.SECONDS + 1, path


def test_the_answer_is_kept_for_a_second(
    sqlite: str, monkeypatch: pytest.MonkeyPatch, anybody: TestClient
) -> None:
    asked = []
    check = next(c for c in anybody.app.state.readiness.checks if c.name == "database")  # type: ignore[attr-defined]
    monkeypatch.setattr(check, "call", lambda: asked.append(1))
    for _ in range(20):
        anybody.get("/readyz")
    assert 1 <= len(asked) <= 3
    assert get_settings().storage


def test_a_broker_that_comes_back_is_seen(
    sqlite: str, services: Services, anybody: TestClient
) -> None:
    assert not states(anybody.get("/readyz"))["broker"]
    services.start_broker()
    time.sleep(1.1)
    assert states(anybody.get("/readyz"))["broker"]
