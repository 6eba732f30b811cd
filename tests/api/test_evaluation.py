"""Looking into errors and comparing runs: over predictions that runs have kept."""

import json
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.errors import NotFound
from app.models import Project, User
from app.services import jobs, runs
from app.services.versions import SplitPercent
from app.storage import get_storage
from tests.api.conftest import Site
from tests.factories import fill, freeze, make_project, make_user

LABELS = ("positive", "negative")


@pytest.fixture
def project(ada: User) -> Project:
    made = make_project(ada)
    rows = [
        {"text": f"Text number {n}.", "annotation": {"labels": [LABELS[n % 2]]}} for n in range(40)
    ]
    fill(made, ada, rows)
    freeze(made, ada, split=SplitPercent(train=50, validation=0, test=50))
    return made


def finished(
    api: TestClient, project: Project, tmp_path: Path, name: str, wrong: set[int], **params: Any
) -> str:
    """A run that a worker has done, wrong at these places of its test split."""
    run = api.post(
        f"/projects/{project.id}/runs", json={"version": 1, "name": name, "params": params}
    ).json()
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
    result = {
        "primary": "macro_f1",
        "metrics": {"test": {"examples": len(tested), "scores": {"macro_f1": 0.9}}},
        "seconds": 1.0,
    }
    runs.complete(claim, result, folder)
    return str(run["id"])


def test_wrong_predictions_come_surest_first_and_by_their_confusion(
    site: Site, api: TestClient, project: Project, ada: User, tmp_path: Path
) -> None:
    run = finished(api, project, tmp_path, "one", {1, 2, 6})
    everything = api.get(f"/runs/{run}/errors").json()
    counts = api.get(f"/projects/{project.id}/versions/1").json()["counts"]
    assert (everything["wrong"], everything["examples"]) == (3, counts["splits"]["test"])
    sure = [row["confidence"] for row in everything["items"]]
    assert sure == sorted(sure, reverse=True)
    first = everything["items"][0]["differences"][0]
    chosen = api.get(
        f"/runs/{run}/errors", params={"gold": first["gold"], "predicted": first["predicted"]}
    ).json()
    assert 0 < chosen["wrong"] <= 3
    assert all(row["differences"] == [first] for row in chosen["items"])
    page = site.browser(ada).get(f"/runs/{run}/errors").text
    assert everything["items"][0]["text"] in page
    assert f"/projects/{project.id}/label?example={everything['items'][0]['id']}" in page


def test_runs_are_compared_on_what_both_were_asked(
    site: Site, api: TestClient, project: Project, ada: User, tmp_path: Path
) -> None:
    bad = finished(api, project, tmp_path, "bad", set(range(10)), epochs=1)
    good = finished(api, project, tmp_path, "good", {0}, epochs=9)
    found = api.get(f"/projects/{project.id}/compare", params={"run": [bad, good]}).json()
    assert found["examples"] > 10
    assert found["parameters"] == {"epochs": [1, 9]}
    against = found["runs"][1]["against_first"]
    assert against["difference"] > 0.3
    assert against["low"] > 0
    assert against["p"] < 0.01
    assert found["disagreement_count"] == len(found["disagreements"]) == 9
    page = site.browser(ada).get(f"/projects/{project.id}/compare?run={bad}&run={good}")
    assert page.status_code == 200
    assert "Parameters that differ" in page.text


def test_what_cannot_be_compared_is_said(
    site: Site, api: TestClient, project: Project, ada: User, tmp_path: Path
) -> None:
    one = finished(api, project, tmp_path, "one", set())
    path = f"/projects/{project.id}/compare"
    assert api.get(path, params={"run": [one, one]}).status_code == 422
    stranger = site.caller(make_user("Eve"))
    assert stranger.get(path, params={"run": [one, one]}).status_code == 404
    assert stranger.get(f"/runs/{one}/errors").status_code == 404
    queued = api.post(f"/projects/{project.id}/runs", json={"version": 1}).json()["id"]
    assert api.get(path, params={"run": [one, queued]}).status_code == 409
    assert api.get(f"/runs/{queued}/errors").status_code == 409


def test_predictions_go_with_their_run(
    api: TestClient, project: Project, ada: User, tmp_path: Path
) -> None:
    run = finished(api, project, tmp_path, "one", {1})
    lines = api.get(f"/runs/{run}/predictions.jsonl").text.splitlines()
    assert json.loads(lines[0]).keys() >= {"id", "gold", "predicted", "confidence"}
    assert api.delete(f"/runs/{run}").status_code == 204
    with pytest.raises(NotFound), get_storage().reading(runs.predictions_key(run)):
        pass
