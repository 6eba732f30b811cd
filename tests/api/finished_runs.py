"""Runs that a worker has done, or not, for the tests of what is made of their results."""

import json
from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient
from sqlalchemy import insert

from app.db import session_scope
from app.models import Project, RunPoint, User
from app.services import jobs, runs
from app.services.versions import SplitPercent
from tests.factories import fill, freeze, make_project

LABELS = ("positive", "negative")


def project_with_version(ada: User) -> Project:
    """Forty labelled texts, and a version of them whose test split is large."""
    made = make_project(ada)
    rows = [
        {"text": f"Text number {n}.", "annotation": {"labels": [LABELS[n % 2]]}} for n in range(40)
    ]
    fill(made, ada, rows)
    freeze(made, ada, split=SplitPercent(train=50, validation=0, test=50))
    return made


def queued(api: TestClient, project: Project, name: str, **params: Any) -> dict[str, Any]:
    """A run that waits."""
    body = {"version": 1, "name": name, "params": params}
    made: dict[str, Any] = api.post(f"/projects/{project.id}/runs", json=body).json()
    return made


def finished(
    api: TestClient, project: Project, tmp_path: Path, name: str, wrong: set[int], **params: Any
) -> str:
    """A run that a worker has done, wrong at these places of its test split."""
    run = queued(api, project, name, **params)
    claim = jobs.claim(run["job"]["id"], "a worker")
    assert claim
    export = api.get(f"/projects/{project.id}/versions/1/export?format=jsonl").text
    tested = [row for row in map(json.loads, export.splitlines()) if row["split"] == "test"]
    folder = tmp_path / name
    (folder / "model").mkdir(parents=True)
    (folder / "model" / "config.json").write_text("{}")
    with (folder / "predictions.jsonl").open("w") as sink:
        for number, row in enumerate(tested):
            gold = row["annotation"]["labels"][0]
            said = LABELS[1 - LABELS.index(gold)] if number in wrong else gold
            line = {
                "id": row["id"],
                "split": "test",
                "gold": row["annotation"],
                "predicted": {"labels": [said]},
                "confidence": 0.5 + number / 100,
            }
            sink.write(json.dumps(line) + "\n")
    share = 1 - len(wrong) / len(tested)
    scores = {"accuracy": share, "macro_f1": share}
    report = {"examples": len(tested), "scores": scores, "per_label": [], "confusion": None}
    result = {"primary": "macro_f1", "metrics": {"test": report}, "seconds": 1.0}
    runs.complete(claim, result, folder)
    return str(run["id"])


def measure(run_id: str, count: int, *, kind: str = "step", stride: int = 10) -> None:
    """A curve of so many points, whose loss is the number of the point."""
    with session_scope() as session:
        rows = [
            {"run_id": run_id, "kind": kind, "step": n * stride, "values": {"loss": n}}
            for n in range(1, count + 1)
        ]
        session.execute(insert(RunPoint), rows)
