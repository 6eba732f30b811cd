"""Looking into errors: over predictions that runs have kept."""

import json
import re
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from app.db import session_scope
from app.errors import NotFound
from app.models import Project, Run, User
from app.services import runs
from app.storage import get_storage
from tests.api.conftest import Site
from tests.api.finished_runs import finished, project_with_version, queued
from tests.factories import make_user


@pytest.fixture
def project(ada: User) -> Project:
    return project_with_version(ada)


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


def test_the_page_of_a_run_says_scores_in_their_units_and_the_labels_that_occur(
    site: Site, api: TestClient, project: Project, ada: User, tmp_path: Path
) -> None:
    run = finished(api, project, tmp_path, "one", {1})
    names = ["LOC", "PER", "ORG", "missed", "spurious"]
    counts = [[3, 0, 0, 1, 0], [0, 0, 0, 0, 0], [0, 0, 2, 0, 0], [0] * 5, [0, 0, 1, 0, 0]]
    with session_scope() as session:
        row = session.get_one(Run, run)
        report = {
            "examples": 8,
            "scores": {"accuracy": 0.625, "mean_absolute_error": 0.375, "mcc": -0.125},
            "per_label": [],
            "confusion": {"labels": names, "counts": counts},
            "scheme": "Every example once, by the model that had not seen it; all folds counted together.",
        }
        row.result = row.result | {"metrics": {"test": report}}
    page = site.browser(ada).get(f"/runs/{run}").text
    assert [score in page for score in (">62.5<", ">0.375<", ">−12.5<")] == [True] * 3
    table = page.partition('<table class="confusion">')[2].partition("</table>")[0]
    assert re.findall(r'<th scope="col">(\w+)', table) == ["missed", "LOC", "ORG"]
    assert re.findall(r'<th scope="row">(\w+)', table) == ["LOC", "ORG", "spurious"]
    chinese = site.browser(ada).get(f"/runs/{run}", headers={"Accept-Language": "zh-CN"}).text
    assert "由未见过它的模型预测" in chinese


def test_errors_that_cannot_be_looked_into_are_said(
    site: Site, api: TestClient, project: Project, tmp_path: Path
) -> None:
    one = finished(api, project, tmp_path, "one", set())
    assert site.caller(make_user("Eve")).get(f"/runs/{one}/errors").status_code == 404
    waiting = queued(api, project, "two")["id"]
    assert api.get(f"/runs/{waiting}/errors").status_code == 409


def test_predictions_go_with_their_run(
    api: TestClient, project: Project, ada: User, tmp_path: Path
) -> None:
    run = finished(api, project, tmp_path, "one", {1})
    lines = api.get(f"/runs/{run}/predictions.jsonl").text.splitlines()
    assert json.loads(lines[0]).keys() >= {"id", "gold", "predicted", "confidence"}
    assert api.delete(f"/runs/{run}").status_code == 204
    with pytest.raises(NotFound), get_storage().reading(runs.predictions_key(run)):
        pass
