"""Runs side by side: on the examples both were asked, by their curves, over seeds."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.db import session_scope
from app.models import Project, User
from app.services import jobs, runs
from tests.api.conftest import Site
from tests.api.finished_runs import finished, measure, project_with_version, queued
from tests.api.test_query_counts import statements
from tests.factories import make_user


@pytest.fixture
def project(ada: User) -> Project:
    return project_with_version(ada)


def compared(api: TestClient, project: Project, *ids: str, **wishes: Any) -> dict[str, Any]:
    answer = api.get(f"/projects/{project.id}/compare", params={"run": ids, **wishes})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_runs_are_compared_on_what_both_were_asked(
    site: Site, api: TestClient, project: Project, ada: User, tmp_path: Path
) -> None:
    bad = finished(api, project, tmp_path, "bad", set(range(10)), epochs=1)
    good = finished(api, project, tmp_path, "good", {0, 12}, epochs=9)
    found = compared(api, project, bad, good)
    tested = found["tested"]
    assert tested["examples"] > 12
    assert found["parameters"] == {"epochs": [1, 9]}
    assert found["same"]["seed"] == 42
    against = tested["runs"][1]["against_baseline"]
    assert against["difference"] > 0.3
    assert against["low"] > 0
    assert against["p"] < 0.05
    assert tested["disagreement_count"] == len(tested["disagreements"]) == 10
    page = site.browser(ada).get(f"/projects/{project.id}/compare?run={bad}&run={good}")
    assert page.status_code == 200
    assert "Parameters that differ" in page.text

    other = compared(api, project, bad, good, baseline=good)
    assert [side["name"] for side in other["runs"]] == ["bad", "good"]
    swapped = other["tested"]["runs"]
    assert swapped[1]["against_baseline"] is None
    assert swapped[0]["against_baseline"]["difference"] == pytest.approx(-against["difference"])

    gained = compared(api, project, bad, good, right=good, wrong=bad)["tested"]
    lost = compared(api, project, bad, good, right=bad, wrong=good)["tested"]
    assert (gained["disagreement_count"], lost["disagreement_count"]) == (9, 1)
    assert lost["disagreements"][0]["right"] == [True, False]
    rest = compared(api, project, bad, good, after=8)["tested"]
    assert rest["disagreements"] == tested["disagreements"][8:]
    assert rest["next_after"] is None


def test_runs_without_predictions_are_compared_by_curves_and_parameters(
    site: Site, api: TestClient, project: Project, ada: User, tmp_path: Path
) -> None:
    good = finished(api, project, tmp_path, "good", set())
    waiting = queued(api, project, "waiting", epochs=7)["id"]
    failing = queued(api, project, "failing")
    claim = jobs.claim(failing["job"]["id"], "a worker")
    assert claim
    jobs.fail(claim, "no luck")
    measure(good, 3)
    measure(waiting, 2)
    found = compared(api, project, good, waiting, failing["id"])
    assert found["tested"] is None
    assert "Fewer than two" in found["untested"]
    said = [side["missing"] for side in found["runs"]]
    assert said[0] is None
    assert "not ended" in said[1]
    assert "not succeeded" in said[2]
    ids = [good, waiting, failing["id"]]
    curves = api.get(f"/projects/{project.id}/curves", params={"run": ids}).json()["curves"]
    assert [len(curves[run]) for run in ids] == [3, 2, 0]
    address = f"/projects/{project.id}/compare?" + "&".join(f"run={run}" for run in ids)
    browser = site.browser(ada)
    page = browser.get(address).text
    assert "It has not ended yet." in page
    assert "1 run has not measured it." in page
    changed = browser.get(address, headers={"HX-Request": "true"}).text
    assert "<html" not in changed
    assert "chart-step" in changed
    assert 'name="run" value="' + good in browser.get(f"/projects/{project.id}/compare").text


def test_means_over_seeds(api: TestClient, project: Project, tmp_path: Path) -> None:
    ids = [
        finished(
            api, project, tmp_path, f"{epochs} {seed}", set(range(wrong)), epochs=epochs, seed=seed
        )
        for epochs, seed, wrong in ((1, 1, 4), (1, 2, 6), (9, 1, 0))
    ]
    found = compared(api, project, *ids)
    first, second = found["groups"]
    examples = found["tested"]["examples"]
    assert (first["runs"], first["seeds"]) == (ids[:2], [1, 2])
    spread = first["scores"]["accuracy"]
    assert spread["mean"] == pytest.approx(1 - 5 / examples)
    assert spread["deviation"] == pytest.approx(2**0.5 / examples)
    assert second["scores"]["accuracy"] == {"mean": 1.0, "deviation": 0.0, "count": 1}
    assert compared(api, project, ids[0], ids[2])["groups"] == []


def test_long_curves_are_thinned_and_keep_both_ends(
    api: TestClient, project: Project, ada: User
) -> None:
    long, short, none = (queued(api, project, name)["id"] for name in ("long", "short", "none"))
    measure(long, 777)
    measure(short, 50, stride=500)
    measure(short, 4, kind="evaluation")
    with session_scope(read_only=True) as session:
        found = runs.curves(session, [none, short, long], "step", most=50)
    assert list(found) == [none, short, long]
    assert found[none] == []
    assert [point["loss"] for point in found[short]] == list(range(1, 51))
    steps = [point["step"] for point in found[long]]
    assert (len(steps), steps[0], steps[-1]) == (50, 10, 7770)
    assert steps == sorted(set(steps))
    gaps = {b - a for a, b in pairwise(steps)}
    assert max(gaps) <= min(gaps) + 10
    assert all(point["loss"] * 10 == point["step"] for point in found[long])


def test_many_runs_cost_as_many_statements_as_few(
    site: Site, api: TestClient, project: Project, ada: User
) -> None:
    ids = [queued(api, project, f"run {n}", seed=n)["id"] for n in range(14)]
    for run in ids:
        measure(run, 30)
    browser = site.browser(ada)

    def cost(wanted: list[str]) -> int:
        with statements() as sent:
            page = browser.get(f"/projects/{project.id}/compare", params={"run": wanted})
        assert page.status_code == 200
        assert ("up to 8 runs" in page.text) == (len(wanted) > 8)
        return len(sent)

    assert cost(ids) == cost(ids[:2]) <= 12


def test_what_cannot_be_compared_is_said(site: Site, api: TestClient, project: Project) -> None:
    one, two = (queued(api, project, name)["id"] for name in ("one", "two"))
    path = f"/projects/{project.id}/compare"
    assert api.get(path, params={"run": [one, one]}).status_code == 422
    assert api.get(path, params={"run": [one, "nowhere"]}).status_code == 422
    assert api.get(path, params={"run": [one, two], "baseline": "nowhere"}).status_code == 422
    stranger = site.caller(make_user("Eve"))
    assert stranger.get(path, params={"run": [one, two]}).status_code == 404
    assert stranger.get(f"/projects/{project.id}/curves", params={"run": [one]}).status_code == 404
