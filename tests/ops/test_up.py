"""`annotune up` as people run it: a real process with everything it starts."""

import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from app.cli import broker
from app.db import session_scope
from app.models import Annotation, Example
from app.settings import Settings
from tests.conftest import PATIENCE, forget_everything, wait_for
from tests.factories import count, make_project, make_token, make_user

ANNOTUNE = [sys.executable, "-P", "-m", "app.cli"]


class Up:
    """A running `annotune up`."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.port = port
        self.output = folder.with_name(f"{folder.name}.out")
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [*ANNOTUNE, "up", "--port", str(port), "--data-dir", str(folder)],
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def said(self) -> str:
        return self.output.read_text()

    def wait_until_ready(self) -> None:
        wait_for(
            lambda: "Annotune is ready" in self.said() or self.process.poll() is not None,
            within=60,
            message="it does not get ready",
        )
        assert self.process.poll() is None, self.said()

    def family(self) -> list[psutil.Process]:
        """Everything it has started, directly or not."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def get(self, path: str) -> str:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"http://127.0.0.1:{self.port}{path}", timeout=60 * PATIENCE) as answer:
            return str(answer.read().decode())


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_running(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    if broker.find_server() is None:
        pytest.skip("no Valkey or Redis server program")
    started = Up(tmp_path / "people's data", free_port())
    yield started
    family = started.family() if started.process.poll() is None else []
    started.process.kill()
    started.process.wait()
    for process in family:
        if is_running(process):
            process.kill()


def test_it_starts_answers_and_ctrl_c_ends_everything(up: Up) -> None:
    up.wait_until_ready()
    assert str(up.folder) in up.said()
    path = up.said().split(f"http://127.0.0.1:{up.port}/setup")[1].splitlines()[0]
    assert "<form" in up.get(f"/setup{path}")
    family = up.family()
    assert len(family) >= 4
    wait_for(lambda: all(is_ready(up, queue) for queue in ("gpu", "cpu")), within=60)
    up.process.send_signal(signal.SIGINT)
    assert up.process.wait(30 * PATIENCE) == 0, up.said()
    assert not [process for process in family if is_running(process)]
    assert "is killed" not in up.said()


def is_ready(up: Up, queue: str) -> bool:
    return "worker_ready" in (up.folder / "logs" / f"worker-{queue}.log").read_text()


def test_a_second_one_on_the_same_folder_refuses(up: Up) -> None:
    up.wait_until_ready()
    second = run_up(up.folder, free_port())
    assert second.returncode == 1
    assert "runs already" in second.stderr
    assert str(up.process.pid) in second.stderr
    assert up.get("/login")


def test_what_dies_is_started_again_and_a_restart_refuses_nobody(
    up: Up, monkeypatch: pytest.MonkeyPatch
) -> None:
    up.wait_until_ready()
    web = next(p for p in up.family() if "web" in p.cmdline())
    monkeypatch.setenv("ANNOTUNE_DATA_DIR", str(up.folder))
    forget_everything()
    ada = make_user("Ada", admin=True)
    project = make_project(ada)
    with session_scope() as session:
        example = Example(project_id=project.id, inputs={"text": "Hm."}, content_hash="0" * 64)
        session.add(example)
    api = httpx.Client(
        base_url=f"http://127.0.0.1:{up.port}/api/v1/projects/{project.id}",
        headers={"Authorization": f"Bearer {make_token(ada)}"},
        timeout=60 * PATIENCE,
        trust_env=False,
    )
    said = {"client_key": "k", "base": 0, "payload": {"labels": ["neutral"]}}
    with api:
        saved = api.post(f"/examples/{example.id}/annotations", json=said)
        web.kill()
        assert saved.status_code == 201, saved.text
    assert "<form" in up.get("/login")  # waits in the socket that the group holds
    assert "web ended (signal SIGKILL)" in up.said()
    assert count(Annotation, Annotation.example_id == example.id) == 1, "a save is lost"


def test_when_it_is_killed_nothing_of_it_stays(up: Up) -> None:
    up.wait_until_ready()
    family = up.family()
    os.kill(up.process.pid, signal.SIGKILL)
    up.process.wait()
    wait_for(
        lambda: not [process for process in family if is_running(process)],
        within=10,
        message="programs live on without the group",
    )


def test_a_second_ctrl_c_ends_all_at_once(up: Up) -> None:
    up.wait_until_ready()
    family = up.family()
    up.process.send_signal(signal.SIGINT)
    wait_for(lambda: "Stopping" in up.said())
    up.process.send_signal(signal.SIGINT)
    up.process.wait(8 * PATIENCE)
    assert not [process for process in family if is_running(process)]


def run_up(folder: Path, port: int, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*ANNOTUNE, "up", "--port", str(port), "--data-dir", str(folder), *words],
        capture_output=True,
        text=True,
        timeout=60 * PATIENCE,
        check=False,
    )


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused = run_up(tmp_path / "data", port)
    assert refused.returncode == 1
    assert f"Port {port}" in refused.stderr
    assert "--port" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_data_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    refused = run_up(tmp_path / "file" / "data", free_port())
    assert refused.returncode == 1
    assert "cannot be written" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_database_that_does_not_answer_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANNOTUNE_DATABASE_URL", f"postgresql://u:secret@127.0.0.1:{free_port()}/x")
    refused = run_up(tmp_path / "data", free_port())
    assert refused.returncode == 1
    assert "ANNOTUNE_DATABASE_URL" in refused.stderr
    assert "secret" not in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_deep_data_folder_has_its_broker_socket_elsewhere(tmp_path: Path) -> None:
    deep = Settings(data_dir=tmp_path / ("deep" * 20) / ("deeper" * 10))
    assert len(os.fsencode(deep.broker_socket)) < 104
    assert deep.broker_socket == Settings(data_dir=deep.data_dir).broker_socket
    assert Settings(data_dir=Path("/srv/a")).broker_socket == Path("/srv/a/broker/valkey.sock")
