"""Runs over the API: started, listed, cancelled. What workers make of them is tested in tests/worker."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.models import Project, Run, User
from app.services import jobs, runs
from app.services.versions import SplitPercent
from tests.api.conftest import Site
from tests.factories import count, fill, freeze, labelled_rows, make_project


@pytest.fixture
def project(ada: User) -> Project:
    made = make_project(ada)
    fill(made, ada, labelled_rows())
    freeze(made, ada, split=SplitPercent(train=100, validation=0, test=0))
    return made


def start(api: TestClient, project: Project, **params: Any) -> Any:
    return api.post(f"/projects/{project.id}/runs", json={"version": 1, "params": params})


def test_a_run_starts_from_suggestions_and_keeps_what_was_wished(
    api: TestClient, project: Project
) -> None:
    answer = start(api, project, epochs=7, seed=3)
    assert answer.status_code == 202
    run = answer.json()
    assert (run["params"]["epochs"], run["params"]["seed"]) == (7, 3)
    assert run["params"]["batch_size"] < 32, "fitted to a small version"
    assert (run["job"]["state"], run["result"], run["model_size"]) == ("queued", None, None)
    assert api.get(f"/runs/{run['id']}").json() == run
    assert [r["id"] for r in api.get("/runs").json()["items"]] == [run["id"]]
    assert [r["id"] for r in api.get(f"/projects/{project.id}/runs").json()["items"]] == [run["id"]]


@pytest.mark.parametrize(
    ("params", "where"),
    [
        ({"epochs": 0}, "epochs"),
        ({"epochs": "many"}, "epochs"),
        ({"learning_rate": 0}, "learning_rate"),
        ({"learning_rate": 1e9}, "learning_rate"),
        ({"batch_size": 6, "gradient_accumulation": 4}, "(all)"),
        ({"head": "oracle"}, "head"),
        ({"head": "crf"}, "head"),
        ({"base": "cloud"}, "base"),
        ({"base": ["scratch"]}, "base"),
        ({"base": "folder", "base_ref": "../../etc"}, "base_ref"),
        ({"base": "hub", "base_ref": "../../etc"}, "base_ref"),
        ({"base": "run", "base_ref": "222222222222"}, "base_ref"),
        ({"base": "hub"}, "(all)"),
        ({"sede": 1}, "sede"),
    ],
)
def test_parameters_are_checked_before_anything_starts(
    api: TestClient, project: Project, params: dict[str, Any], where: str
) -> None:
    refused = start(api, project, **params)
    assert refused.status_code == 422, refused.text
    assert where in [problem["where"] for problem in refused.json()["problems"]]
    assert count(Run) == 0


def test_a_version_without_training_examples_trains_nothing(
    api: TestClient, project: Project, ada: User
) -> None:
    freeze(project, ada, split=SplitPercent(train=0, validation=50, test=50), keep_splits=False)
    refused = api.post(f"/projects/{project.id}/runs", json={"version": 2})
    assert refused.status_code == 422
    assert "training examples" in refused.json()["detail"]
    assert api.post(f"/projects/{project.id}/runs", json={"version": 9}).status_code == 404


def test_a_queued_run_is_cancelled_at_once_and_can_be_deleted(
    api: TestClient, project: Project
) -> None:
    run = start(api, project).json()["id"]
    assert api.delete(f"/runs/{run}").status_code == 409
    assert api.post(f"/runs/{run}/cancel").status_code == 204
    shown = api.get(f"/runs/{run}").json()
    assert shown["job"]["state"] == "cancelled"
    assert shown["job"]["finished_at"] is not None
    assert api.post(f"/runs/{run}/cancel").status_code == 204, "a second wish changes nothing"
    assert api.delete(f"/runs/{run}").status_code == 204
    assert api.get(f"/runs/{run}").status_code == 404


def test_the_page_of_a_running_run_says_how_far_it_is(
    site: Site, api: TestClient, project: Project, ada: User
) -> None:
    run = start(api, project, epochs=4).json()
    claim = jobs.claim(run["job"]["id"], "a worker")
    assert claim
    assert "Starting" in site.browser(ada).get(f"/runs/{run['id']}").text
    step = {"step": 30, "epoch": 1.5, "loss": 0.25, "examples_per_second": 12.0}
    news = {"phase": "training", "done": 30, "total": 80, "epoch": 1.5, "eta_seconds": 61.0}
    runs.record(claim, points=[{"type": "step", **step}], progress=news)
    page = " ".join(site.browser(ada).get(f"/runs/{run['id']}").text.split())
    assert '<progress value="30" max="80"' in page
    for words in ("Epoch 2 of 4", "step 30 of 80", "1 min 1 s left", "12 examples a second"):
        assert words in page
    assert "loss 0.2500" in page


def test_a_run_without_a_model_gives_none(api: TestClient, project: Project) -> None:
    run = start(api, project).json()["id"]
    assert api.get(f"/runs/{run}/model.zip").status_code == 409
    assert api.post(f"/runs/{run}/predict", json={"texts": ["Hi"]}).status_code == 409
    assert api.post(f"/runs/{run}/predict", json={"texts": []}).status_code == 422
    assert api.get(f"/runs/{run}/points?kind=step").json() == {"items": []}
    assert api.get(f"/runs/{run}/log").text == ""
