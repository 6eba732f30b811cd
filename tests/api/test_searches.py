"""Searches: what they would try, what they start, how they go."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.db import session_scope
from app.models import Job, Project, Run, Search, User
from app.services import jobs
from app.services.versions import SplitPercent
from app.training.search import Range, draws
from tests.api.conftest import Site
from tests.factories import count, fill, freeze, join, labelled_rows, make_project, make_user


@pytest.fixture
def project(ada: User) -> Project:
    made = make_project(ada)
    fill(made, ada, labelled_rows((f"Sentence {n}.", "positive") for n in range(12)))
    freeze(made, ada, split=SplitPercent(train=50, validation=50, test=0))
    return made


def start(api: TestClient, project: Project, space: Any, **more: Any) -> Any:
    wish = {"version": 1, "space": space} | more
    return api.post(f"/projects/{project.id}/searches", json=wish)


def end(run_id: str, *, validation: float, test: float) -> None:
    """End a run as a worker does."""
    with session_scope() as session:
        run = session.get_one(Run, run_id)
        job_id = run.job_id
        run.result = {
            "primary": "macro_f1",
            "seconds": 3,
            "metrics": {
                "validation": {"scores": {"macro_f1": validation}},
                "test": {"scores": {"macro_f1": test}},
            },
        }
    claim = jobs.claim(job_id, "a worker")
    assert claim
    with session_scope() as session:
        jobs.succeed(session, claim)


def test_a_grid_is_every_combination_once_and_yields_to_other_runs(
    api: TestClient, project: Project
) -> None:
    space = {"learning_rate": [1e-4, 0.001, "1e-3"], "epochs": [1, 2]}
    answer = start(api, project, space, params={"seed": 7}, device="cpu")
    assert answer.status_code == 202, answer.text
    search = answer.json()
    assert [run["values"] for run in search["runs"]] == [
        {"learning_rate": rate, "epochs": epochs} for rate in (1e-4, 1e-3) for epochs in (1, 2)
    ]
    assert (search["state"], search["counts"], search["best"]) == ("queued", {"queued": 4}, None)
    run = api.get(f"/runs/{search['runs'][0]['id']}").json()
    assert (run["search_id"], run["params"]["seed"]) == (search["id"], 7)
    assert (run["job"]["priority"], run["job"]["device"]) == (-1, "cpu")
    listed = api.get(f"/projects/{project.id}/searches").json()["items"]
    assert [item["id"] for item in listed] == [search["id"]]


@pytest.mark.parametrize(
    ("space", "more", "where", "words"),
    [
        ({"learning_rate": [1e-4, 5]}, {}, "learning_rate", "5: "),
        ({"epochs": [1, "x"]}, {}, "epochs", "x: "),
        ({"sede": [1]}, {}, "sede", "no parameter"),
        ({"head": ["softmax", "crf"]}, {}, "head", "crf: "),
        ({"epochs": []}, {}, "epochs", "at least one"),
        ({}, {}, "space", "several values"),
        ({"seed": list(range(60))}, {}, "space", "60 combinations"),
        ({"epochs": {"low": 1, "high": 5}}, {}, "epochs", "random"),
        ({"learning_rate": {"low": 0, "high": 1}}, {"strategy": "random"}, "learning_rate", "0: "),
        ({"head": {"low": 0, "high": 1}}, {"strategy": "random"}, "head", "Only a number"),
        (
            {"batch_size": [6, 8]},
            {"params": {"gradient_accumulation": 4, "batch_size": 8}},
            "(all)",
            "batch_size=6",
        ),
    ],
)
def test_nothing_starts_when_one_combination_is_wrong(
    quick_api: TestClient, quick_project: Project, space: Any, more: Any, where: str, words: str
) -> None:
    refused = start(quick_api, quick_project, space, **more)
    assert refused.status_code == 422, refused.text
    told = {problem["where"]: problem["message"] for problem in refused.json()["problems"]}
    assert words in told[where]
    assert (count(Run), count(Search), count(Job, Job.kind == "finetune")) == (0, 0, 0)


@pytest.fixture
def quick_api(quick_site: Site) -> TestClient:
    return quick_site.caller(make_user("Ada", admin=True))


@pytest.fixture
def quick_project(quick_api: TestClient) -> Project:
    with session_scope(read_only=True) as session:
        owner = session.query(User).one()
    made = make_project(owner)
    fill(made, owner, labelled_rows((f"Sentence {n}.", "positive") for n in range(12)))
    freeze(made, owner, split=SplitPercent(train=50, validation=50, test=0))
    return made


def test_a_version_without_validation_is_not_searched_on(
    quick_api: TestClient, quick_project: Project
) -> None:
    with session_scope(read_only=True) as session:
        owner = session.query(User).one()
    freeze(
        quick_project, owner, split=SplitPercent(train=100, validation=0, test=0), keep_splits=False
    )
    refused = start(quick_api, quick_project, {"epochs": [1, 2]}, version=2)
    assert refused.status_code == 422
    assert "validation" in refused.json()["detail"]


def test_a_random_search_is_repeatable_and_stays_in_its_ranges() -> None:
    space = {
        "learning_rate": Range(low=1e-5, high=1e-2),
        "epochs": Range(low=2, high=4),
        "weight_decay": Range(low=0, high=0.5),
        "scratch_hidden": Range(low=32, high=96),
        "tuning": ["full", "lora"],
    }
    found = list(draws(space, runs=10, seed=3))
    assert found == list(draws(space, runs=10, seed=3))
    assert found != list(draws(space, runs=10, seed=4))
    rates = [values["learning_rate"] for values in found]
    assert all(1e-5 <= rate <= 1e-2 for rate in rates)
    below = sum(rate < 1e-3 for rate in rates) / len(rates)
    assert 0.55 < below < 0.78, "two of three decades lie below 0.001"
    assert {values["epochs"] for values in found} == {2, 3, 4}
    assert {values["scratch_hidden"] for values in found} == {32, 64, 96}
    assert {values["tuning"] for values in found} == {"full", "lora"}
    assert all(0 <= values["weight_decay"] <= 0.5 for values in found)


def test_a_random_search_starts_as_many_runs_as_differ(
    quick_api: TestClient, quick_project: Project
) -> None:
    few = start(quick_api, quick_project, {"epochs": [1, 2]}, strategy="random", runs=9)
    assert sorted(run["values"]["epochs"] for run in few.json()["runs"]) == [1, 2]
    space = {"learning_rate": {"low": 1e-5, "high": 1e-2}}
    many = start(quick_api, quick_project, space, strategy="random", runs=9).json()["runs"]
    assert len({run["values"]["learning_rate"] for run in many}) == len(many) == 9


def test_the_best_is_chosen_on_validation_and_its_test_score_alone_is_shown(
    site: Site, api: TestClient, project: Project, ada: User
) -> None:
    search = start(api, project, {"epochs": [1, 2, 3]}).json()
    first, second, third = (run["id"] for run in search["runs"])
    end(first, validation=0.5, test=0.987)
    end(second, validation=0.75, test=0.25)
    shown = api.get(f"/searches/{search['id']}").json()
    assert (shown["best"], shown["best_test"], shown["primary"]) == (second, 0.25, "macro_f1")
    assert (shown["state"], shown["counts"]) == ("running", {"succeeded": 2, "queued": 1})
    browser = site.browser(ada)
    page = browser.get(f"/searches/{search['id']}").text
    assert "25.0" in page
    assert "98.7" not in page, "a test score of another than the best"
    assert "2 of 3 runs have ended" in page
    assert "annotune worker --queues gpu" in page
    assert f"/searches/{search['id']}" in browser.get(f"/projects/{project.id}/runs").text
    assert f"/searches/{search['id']}" in browser.get(f"/runs/{third}").text

    assert api.delete(f"/searches/{search['id']}").status_code == 409
    assert api.post(f"/searches/{search['id']}/cancel").status_code == 204
    assert api.get(f"/searches/{search['id']}").json()["state"] == "succeeded"
    assert api.delete(f"/searches/{search['id']}").status_code == 204
    assert api.get(f"/searches/{search['id']}").status_code == 404
    assert (count(Run), count(Search)) == (0, 0)


def test_the_form_counts_starts_and_says_what_is_wrong(
    site: Site, project: Project, ada: User
) -> None:
    browser = site.browser(ada)
    address = f"/projects/{project.id}/versions/1/search"
    assert address in browser.get(f"/projects/{project.id}/versions/1/train").text
    assert 'name="learning_rate"' in browser.get(address).text
    form = {"base": "scratch", "learning_rate": "1e-4, 1e-3", "epochs": "2", "strategy": "grid"}
    form |= {"tuning": ["full", "head"], "batch_size": ""}
    fragment = browser.post(f"{address}/count", data=form, headers={"HX-Request": "true"})
    assert "This starts 4 runs." in fragment.text
    assert "<form" not in fragment.text
    assert "This starts 4 runs." in browser.post(f"{address}/count", data=form).text
    for words, said in {"1e-4, 7": "7: ", "5..x": "LOW..HIGH"}.items():
        refused = browser.post(address, data=form | {"learning_rate": words})
        assert refused.status_code == 422
        assert said in refused.text
    assert count(Run) == 0
    started = browser.post(address, data=form)
    assert started.status_code == 303
    assert browser.get(started.headers["location"]).status_code == 200
    assert count(Run) == 4


def test_annotators_look_at_searches_and_start_none(
    site: Site, api: TestClient, project: Project, ada: User
) -> None:
    search = start(api, project, {"epochs": [1, 2]}).json()
    bo = make_user("Bo")
    join(project, ada, annotator=bo)
    caller = site.caller(bo)
    assert caller.get(f"/searches/{search['id']}").status_code == 200
    assert start(caller, project, {"epochs": [1, 2]}).status_code == 403
    assert caller.post(f"/searches/{search['id']}/cancel").status_code == 403
    assert caller.delete(f"/searches/{search['id']}").status_code == 403
    assert site.caller(make_user("Eve")).get(f"/searches/{search['id']}").status_code == 404
