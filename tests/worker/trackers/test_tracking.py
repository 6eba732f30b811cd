"""Runs told to trackers: a stand-in for MLflow's server, and event files read back."""

import json
import struct
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from tensorboardX.proto.event_pb2 import Event

from app.db import session_scope
from app.models import Run, RunTracking, now
from app.services import jobs, runs, tracking
from tests.worker.jobs.conftest import TINY, Workshop
from tests.worker.jobs.conftest import workshop as workshop
from worker.trackers import send_next
from worker.trackers.mlflow import MLflow
from worker.trackers.tensorboard import TensorBoard

on_sqlite = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


class Server:
    """Understands what is asked of MLflow, and keeps it."""

    def __init__(self) -> None:
        self.runs: dict[str, dict[str, Any]] = {}
        self.experiments: list[str] = []
        self.away = False
        self.authorization: set[str | None] = set()

    def answer(self, path: str, said: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if self.away:
            return 503, {}
        match path:
            case "experiments/create" if said["name"] in self.experiments:
                return 400, {"error_code": "RESOURCE_ALREADY_EXISTS"}
            case "experiments/create":
                self.experiments.append(said["name"])
                return 200, {"experiment_id": "7"}
            case "experiments/search":
                assert said["filter"] == f"name = '{self.experiments[0]}'"
                return 200, {"experiments": [{"experiment_id": "7"}]}
            case "runs/search":
                wanted = said["filter"].split("'")[1]
                same = [
                    key for key, run in self.runs.items() if run["tags"]["annotune.run"] == wanted
                ]
                return 200, {"runs": [{"info": {"run_id": key}} for key in same]}
            case "runs/create":
                key = f"m{len(self.runs)}"
                tags = {tag["key"]: tag["value"] for tag in said["tags"]}
                self.runs[key] = {
                    "name": said["run_name"],
                    "tags": tags,
                    "metrics": [],
                    "params": {},
                }
                return 200, {"run": {"info": {"run_id": key}}}
        run = self.runs[said["run_id"]]
        match path:
            case "runs/log-batch":
                run["metrics"] += [
                    (m["key"], m["step"], m["value"]) for m in said.get("metrics", [])
                ]
                run["params"] |= {p["key"]: p["value"] for p in said.get("params", [])}
            case "runs/set-tag":
                run["tags"][said["key"]] = said["value"]
            case "runs/update":
                run["status"] = said["status"]
            case _:
                return 404, {}
        return 200, {}


@pytest.fixture
def mlflow() -> Iterator[tuple[Server, str]]:
    """A server, and its address."""
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            state.authorization.add(self.headers["Authorization"])
            said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            path = self.path.removeprefix("/api/2.0/mlflow/")
            code, content = state.answer(path, said)
            self.send_response(code)
            self.end_headers()
            self.wfile.write(json.dumps(content).encode())

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield state, f"http://me:word@127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def step(number: int, loss: float = 0.5) -> dict[str, Any]:
    return {"type": "step", "step": number, "loss": loss, "total_steps": 9}


def evaluation(number: int, split: str) -> dict[str, Any]:
    return {"type": "evaluation", "step": number, "split": split, "metrics": {"accuracy": 0.5}}


def started(workshop: Workshop, *trackers: str) -> tuple[Run, jobs.Claim]:
    """A run that a worker has taken."""
    run = workshop.train(TINY)
    claim = jobs.claim(run.job_id, "a worker")
    assert claim
    tracking.follow(claim, run.id, trackers)
    return run, claim


def send_all(chosen: dict[str, Any], owner: str = "one") -> None:
    """Send until nothing is left, as if the pauses between were over."""
    for _ in range(10):
        with session_scope() as session:
            session.execute(update(RunTracking).values(due_at=now() - timedelta(seconds=1)))
        if not send_next(owner, chosen):
            return


def end(claim: jobs.Claim, folder: Path) -> None:
    (folder / "model").mkdir(parents=True)
    (folder / "model" / "config.json").write_text("{}")
    runs.complete(claim, {"metrics": {"test": {"scores": {"accuracy": 0.75}}}}, folder)


def events(folder: Path) -> list[Event]:
    """What event files hold: length, its checksum, content, its checksum, again and again."""
    found = []
    for path in sorted(folder.iterdir()):
        data, at = path.read_bytes(), 0
        while at < len(data):
            (size,) = struct.unpack_from("<Q", data, at)
            found.append(Event.FromString(data[at + 12 : at + 12 + size]))
            at += 16 + size
    return found


def test_mlflow_is_told_everything_once_even_if_it_was_away_and_the_run_began_anew(
    workshop: Workshop, mlflow: tuple[Server, str], tmp_path: Path
) -> None:
    server, url = mlflow
    chosen = {"mlflow": MLflow(url, "s3://bucket/files")}
    run, claim = started(workshop, "mlflow")
    runs.record(claim, points=[step(1), step(2), evaluation(2, "validation")])
    server.away = True
    assert send_next("one", chosen)
    assert not send_next("one", chosen), "it is not due again at once"
    assert not server.runs
    server.away = False
    send_all(chosen)

    # The next attempt writes its points anew, and goes on; another worker has taken over the sending.
    tracking.follow(claim, run.id, ["mlflow"])
    again = [
        step(1),
        step(2),
        evaluation(2, "validation"),
        evaluation(2, "test"),
        step(3, float("inf")),
    ]
    runs.record(claim, points=again, resumed_at=-1)
    with session_scope() as session:
        session.execute(update(RunTracking).values(owned_until=now() - timedelta(seconds=1)))
    end(claim, tmp_path / "done")
    send_all({"mlflow": MLflow(url, "s3://bucket/files")}, owner="two")

    [told] = server.runs.values()
    assert told["name"] == run.name
    assert told["params"]["seed"] == "42"
    assert told["status"] == "FINISHED"
    assert told["tags"]["annotune.model"] == f"s3://bucket/files/models/{run.id}"
    assert told["metrics"] == [
        ("train/loss", 1, 0.5),
        ("train/loss", 2, 0.5),
        ("validation/accuracy", 2, 0.5),
        ("test/accuracy", 2, 0.5),
        ("final/test/accuracy", 3, 0.75),
    ]
    assert server.authorization == {"Basic bWU6d29yZA=="}


@on_sqlite
def test_a_project_has_one_experiment_and_how_a_run_ends_is_told(
    workshop: Workshop, mlflow: tuple[Server, str]
) -> None:
    server, url = mlflow
    chosen = {"mlflow": MLflow(url, "files")}
    endings: list[Callable[[jobs.Claim], None]] = [lambda c: jobs.fail(c, "no"), jobs.cancelled]
    for ending in endings:
        _run, claim = started(workshop, "mlflow")
        ending(claim)
    send_all(chosen)
    assert len(server.experiments) == 1
    assert [run["status"] for run in server.runs.values()] == ["FAILED", "KILLED"]


@on_sqlite
def test_event_files_hold_parameters_curves_and_final_scores(
    workshop: Workshop, tmp_path: Path
) -> None:
    board = tmp_path / "board"
    run, claim = started(workshop, "tensorboard")
    runs.record(claim, points=[step(1), evaluation(2, "validation"), step(2, 0.25)])
    send_all({"tensorboard": TensorBoard(board)})
    runs.record(claim, points=[step(3, 0.125)])
    end(claim, tmp_path / "done")
    send_all({"tensorboard": TensorBoard(board)})
    found = [(e.step, value) for e in events(board / run.id) for value in e.summary.value]
    scalars = [(s, v.tag, v.simple_value) for s, v in found if not v.HasField("tensor")]
    assert sorted(scalars) == [
        (1, "train/loss", 0.5),
        (2, "train/loss", 0.25),
        (2, "validation/accuracy", 0.5),
        (3, "final/test/accuracy", 0.75),
        (3, "train/loss", 0.125),
    ]
    texts = {
        v.tag.partition("/")[0]: v.tensor.string_val[0].decode()
        for _s, v in found
        if v.HasField("tensor")
    }
    assert '"seed": 42' in texts["parameters"]
    assert run.id in texts["outcome"]


@on_sqlite
def test_a_folder_that_cannot_be_written_harms_nothing(workshop: Workshop, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    run, claim = started(workshop, "tensorboard")
    runs.record(claim, points=[step(1)])
    assert send_next("one", {"tensorboard": TensorBoard(tmp_path / "file")})
    with session_scope(read_only=True) as session:
        row = session.get_one(RunTracking, (run.id, "tensorboard"))
        assert (row.failures, row.done, row.sent) == (1, False, {})
        assert row.due_at > now()
