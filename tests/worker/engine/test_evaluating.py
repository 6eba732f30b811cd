"""A trained model is evaluated on other data, and pushed to a stand-in of a hub."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from app.training import EvaluateParams, PushParams
from tests.worker.engine.conftest import write_job
from worker.engine.errors import DataError, HubError
from worker.engine.evaluate import evaluate
from worker.engine.finetune import fine_tune
from worker.engine.job import Folder
from worker.engine.push import push

SCHEMA = {"mode": "single", "labels": [{"name": "0"}, {"name": "1"}]}
ROWS = [(f"{'good' if n % 2 else 'bad'} film {n}", {"labels": [str(n % 2)]}) for n in range(24)]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    folder = write_job(
        tmp_path_factory.mktemp("run"), "sentiment", SCHEMA, {"train": ROWS, "test": ROWS[:8]}
    )
    fine_tune(folder)
    return folder


def job(trained: Folder, root: Path, kind: str, params: Any, rows: list[Any]) -> Folder:
    folder = write_job(root, "sentiment", SCHEMA, {})
    (root / "version.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    given = json.loads(folder.job.read_text()) | {
        "kind": kind,
        "params": params.model_dump(mode="json"),
        "base_model": str(trained.model),
    }
    folder.job.write_text(json.dumps(given))
    return folder


def row(number: int, text: str, label: str, split: str = "test") -> dict[str, Any]:
    return {
        "id": number,
        "split": split,
        "inputs": {"text": text},
        "annotation": {"labels": [label]},
    }


def test_an_evaluation_reports_as_the_training_does(trained: Folder, tmp_path: Path) -> None:
    before = json.loads(trained.result.read_text())
    assert set(before["speed"]["ms_per_text"]) == {"1", "32"}
    assert min(before["speed"]["ms_per_text"].values()) > 0
    rows = [row(-5 - n, text, said["labels"][0]) for n, (text, said) in enumerate(ROWS[:8])]
    params = EvaluateParams(base_ref="a-run", glue="cola", filename="dev.tsv", precision="fp32")
    folder = job(trained, tmp_path, "evaluate", params, rows)
    result = evaluate(folder)
    assert result["metrics"]["test"] == before["metrics"]["test"], "the same examples and model"
    assert result["glue"]["matthews"] == pytest.approx(result["metrics"]["test"]["scores"]["mcc"])
    lines = [json.loads(line) for line in folder.predictions.read_text().splitlines()]
    assert [(line["id"], line["text"]) for line in lines] == [
        (each["id"], each["inputs"]["text"]) for each in rows
    ]


def test_all_splits_are_scored_together_and_kept_apart(trained: Folder, tmp_path: Path) -> None:
    rows = [row(1, "good film", "1", "train"), row(2, "bad film", "0", "validation")]
    params = EvaluateParams(base_ref="a-run", split="all")
    folder = job(trained, tmp_path, "evaluate", params, rows)
    assert evaluate(folder)["metrics"]["all"]["examples"] == 2
    lines = [json.loads(line) for line in folder.predictions.read_text().splitlines()]
    assert [(line["id"], line["split"]) for line in lines] == [(1, "train"), (2, "validation")]


def test_labels_that_the_model_does_not_know_are_named(trained: Folder, tmp_path: Path) -> None:
    params = EvaluateParams(base_ref="a-run")
    folder = job(trained, tmp_path, "evaluate", params, [row(1, "so so", "neutral")])
    with pytest.raises(DataError, match="neutral"):
        evaluate(folder)


class Hub(BaseHTTPRequestHandler):
    """The endpoints of the hub that a push calls, with one good token."""

    taken: dict[str, Any]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        host = f"http://{self.headers['Host']}"
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if token != "hf_good":
            self._answer(401 if token == "hf_wrong" else 403, {"error": "no"})
        elif self.path == "/api/repos/create":
            self.taken["repo"] = json.loads(body)
            self._answer(200, {"url": f"{host}/ada/films", "id": "ada/films", "name": "ada/films"})
        elif "/preupload/" in self.path:
            files = [
                {
                    "path": file["path"],
                    "uploadMode": "lfs" if file["path"].endswith(".safetensors") else "regular",
                    "shouldIgnore": False,
                }
                for file in json.loads(body)["files"]
            ]
            self._answer(200, {"files": files})
        elif self.path.endswith("/info/lfs/objects/batch"):
            objects = [
                each | {"actions": {"upload": {"href": f"{host}/store/{each['oid']}"}}}
                for each in json.loads(body)["objects"]
            ]
            self._answer(200, {"transfer": "basic", "objects": objects})
        elif "/commit/" in self.path:
            self.taken["commit"] = [json.loads(line) for line in body.splitlines()]
            commit = {"commitUrl": f"{host}/ada/films/commit/abc", "commitOid": "abc"}
            self._answer(200, commit | {"success": True})
        else:
            self._answer(200, {})

    def do_PUT(self) -> None:
        self.taken[self.path] = self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(200, {})

    def do_GET(self) -> None:
        self._answer(404, {"error": "not found"})

    do_HEAD = do_GET

    def _answer(self, status: int, content: Any) -> None:
        data = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, *_words: Any) -> None:
        pass


@pytest.fixture
def hub() -> Iterator[tuple[str, dict[str, Any]]]:
    taken: dict[str, Any] = {}
    handler = type("Here", (Hub,), {"taken": taken})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", taken
    server.shutdown()
    thread.join()
    server.server_close()


def pushing(
    trained: Folder, root: Path, monkeypatch: pytest.MonkeyPatch, url: str, token: str | None
) -> Folder:
    from huggingface_hub import constants

    # A trainer's process has these in its environment before the library is loaded.
    monkeypatch.setattr(constants, "ENDPOINT", url)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    if token is None:
        monkeypatch.delenv("HF_TOKEN", raising=False)
    else:
        monkeypatch.setenv("HF_TOKEN", token)
    folder = job(trained, root, "push", PushParams(base_ref="a-run", repo_id="ada/films"), [])
    (root / "README.md").write_text("# A card")
    return folder


def test_a_push_sends_weights_and_card_to_a_private_repository(
    trained: Folder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    hub: tuple[str, dict[str, Any]],
    capfd: pytest.CaptureFixture[str],
) -> None:
    url, taken = hub
    (trained.model / "pytorch_model.bin").write_bytes(b"a pickle")
    folder = pushing(trained, tmp_path, monkeypatch, url, "hf_good")
    result = push(folder)
    assert (result["url"], result["commit"]) == (f"{url}/ada/films", "abc")
    assert taken["repo"]["visibility"] == "private"
    files = {line["value"]["path"] for line in taken["commit"] if line["key"] != "header"}
    assert {"README.md", "config.json", "annotune.json", "model.safetensors"} <= files
    assert "pytorch_model.bin" not in files
    weights = [data for path, data in taken.items() if path.startswith("/store/")]
    assert weights == [(trained.model / "model.safetensors").read_bytes()]
    everything = (
        folder.progress.read_text() + folder.result.read_text() + "".join(capfd.readouterr())
    )
    assert "hf_good" not in everything


@pytest.mark.parametrize(
    ("token", "hint"),
    [("hf_wrong", "does not accept the token"), ("hf_reader", "may not write"), (None, "no token")],
)
def test_what_the_hub_says_no_to_is_explained(
    trained: Folder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    hub: tuple[str, dict[str, Any]],
    token: str | None,
    hint: str,
) -> None:
    folder = pushing(trained, tmp_path, monkeypatch, hub[0], token)
    with pytest.raises(HubError, match=hint):
        push(folder)


def test_a_hub_that_is_away_is_explained(
    trained: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda _seconds: None)
    folder = pushing(trained, tmp_path, monkeypatch, "http://127.0.0.1:9", "hf_good")
    with pytest.raises(HubError, match="cannot be reached"):
        push(folder)
