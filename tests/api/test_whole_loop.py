"""Over the API with real workers, for entities and for roles: a file comes in, a trained model answers."""

import io
import json
import zipfile
from itertools import product
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.conftest import Services, wait_for

pytestmark = [
    pytest.mark.training,
    pytest.mark.parametrize("database", ["sqlite"], indirect=True),
]
TINY = {
    "base": "scratch",
    "scratch_layers": 1,
    "scratch_hidden": 64,
    "scratch_vocab": 300,
    "epochs": 12,
    "batch_size": 8,
    "learning_rate": 3e-3,
    "max_length": 32,
    "precision": "fp32",
}
PEOPLE = ("Ada", "Bo", "Cleo", "Dora")
PLACES = ("Rome", "Oslo", "Paris", "Lima")


def entities() -> bytes:
    """Sentences in CoNLL columns with IOB2 tags."""
    sentences = [
        f"{who} B-PER\nlives O\nin O\n{where} B-LOC\n{end} O\n"
        for who, where, end in product(PEOPLE, PLACES, (".", "!"))
    ]
    return "\n".join(sentences).encode()


def roles() -> bytes:
    """Sentences in CoNLL-2005 columns: who gives whom what."""
    sentences = [
        f"{who} - - (A0*)\ngave 01 give (V*)\n{whom} - - (A2*)\na - - (A1*\n{what} - - *)\n"
        for who, whom, what in product(PEOPLE, PEOPLE, ("map", "book"))
        if who != whom
    ]
    return "\n".join(sentences).encode()


class Loop:
    """One project's way through Annotune, by REST alone."""

    def __init__(self, api: TestClient, task: str) -> None:
        self.api = api
        made = api.post("/projects", json={"name": "Loop", "task": task})
        assert made.status_code == 201, made.text
        self.path = f"/projects/{made.json()['id']}"

    def wait(self, path: str, within: float = 90) -> dict[str, Any]:
        """What stands at a path once its job has ended."""
        found: dict[str, Any] = {}

        def ended() -> bool:
            found.update(self.api.get(path).json())
            return found["job"]["state"] in ("succeeded", "failed", "cancelled")

        wait_for(ended, within=within, message=f"{path} does not end")
        assert found["job"]["state"] == "succeeded", found["job"]["error"]
        return found

    def bring_in(self, name: str, data: bytes) -> dict[str, Any]:
        sent = self.api.post(f"{self.path}/imports", files={"file": (name, data)})
        assert sent.status_code == 202, sent.text
        return self.wait(f"{self.path}/imports/{sent.json()['id']}")

    def freeze(self) -> dict[str, Any]:
        split = {"train": 70, "validation": 15, "test": 15}
        number = self.api.post(f"{self.path}/versions", json={"split": split}).json()["number"]
        return self.wait(f"{self.path}/versions/{number}")

    def train(self, **params: Any) -> dict[str, Any]:
        started = self.api.post(f"{self.path}/runs", json={"version": 1, "params": TINY | params})
        assert started.status_code == 202, started.text
        return self.wait(f"/runs/{started.json()['id']}", within=150)

    def predict(self, run: dict[str, Any], text: str) -> dict[str, Any]:
        answer = self.api.post(f"/runs/{run['id']}/predict", json={"texts": [text]})
        assert answer.status_code == 200, answer.text
        annotation: dict[str, Any] = answer.json()["items"][0]["annotation"]
        return annotation

    def model_files(self, run: dict[str, Any]) -> set[str]:
        bundle = self.api.get(f"/runs/{run['id']}/model.zip").content
        return set(zipfile.ZipFile(io.BytesIO(bundle)).namelist())


def test_two_projects_from_a_file_to_a_model_with_the_same_workers(
    api: TestClient, real_worker: Services
) -> None:
    entities_from_columns_to_a_model_with_a_crf(api)
    roles_from_brackets_to_a_model(api)


def entities_from_columns_to_a_model_with_a_crf(api: TestClient) -> None:
    loop = Loop(api, "ner")
    assert loop.bring_in("people.conll", entities())["report"]["labelled"] == 32
    version = loop.freeze()
    assert version["counts"]["labels"] == {"LOC": 32, "PER": 32}
    run = loop.train(head="crf")
    for split in ("validation", "test"):
        assert run["result"]["metrics"][split]["scores"]["f1"] > 0.8
    text = "Dora lives in Lima ."
    said = {(text[s["start"] : s["end"]], s["label"]) for s in loop.predict(run, text)["spans"]}
    assert {("Dora", "PER"), ("Lima", "LOC")} <= said
    assert {"config.json", "model.safetensors", "crf.safetensors"} <= loop.model_files(run)


def roles_from_brackets_to_a_model(api: TestClient) -> None:
    loop = Loop(api, "srl")
    assert loop.bring_in("giving.conll05", roles())["report"]["labelled"] == 24
    loop.freeze()
    exported = api.get(f"{loop.path}/versions/1/export", params={"format": "jsonl"}).content
    first = json.loads(exported.splitlines()[0])
    assert first["annotation"]["predicates"][0]["sense"] == "give.01"
    run = loop.train(epochs=30)
    scores = run["result"]["metrics"]["test"]["scores"]
    assert scores["argument_f1"] > 0.8
    assert scores["predicate_f1"] > 0.8
    text = "Cleo gave Ada a map"
    (predicate,) = loop.predict(run, text)["predicates"]
    said = {(a["role"], text[a["start"] : a["end"]]) for a in predicate["arguments"]}
    assert predicate["sense"] == "give.01"
    assert {("ARG0", "Cleo"), ("ARG2", "Ada"), ("ARG1", "a map")} <= said
