"""Cross-validation over the API, and the list of likely label errors that it leaves."""

import json
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.models import LabelIssue, Project, Run, User
from app.services import jobs, runs
from app.services.versions import SplitPercent
from tests.api import people
from tests.api.conftest import Site
from tests.api.people import look
from tests.factories import count, fill, freeze, join, make_project, make_user

LABELS = ("positive", "negative")


@pytest.fixture
def project(ada: User) -> Project:
    made = make_project(ada)
    rows = [
        {"text": f"Text number {n}.", "annotation": {"labels": [LABELS[n % 2]]}} for n in range(20)
    ]
    fill(made, ada, rows)
    freeze(made, ada, split=SplitPercent(train=100, validation=0, test=0))
    return made


def start(api: TestClient, project: Project, **params: Any) -> Any:
    wish = {"version": 1, "params": {"folds": 4} | params}
    return api.post(f"/projects/{project.id}/crossvalidations", json=wish)


def finished(api: TestClient, project: Project, folder: Path, wrong: tuple[int, ...]) -> str:
    """A cross-validation that a worker has done, sure that the examples at these places are wrong."""
    run = start(api, project).json()
    claim = jobs.claim(run["job"]["id"], "a worker")
    assert claim
    export = api.get(f"/projects/{project.id}/versions/1/export?format=jsonl").text
    rows = [json.loads(line) for line in export.splitlines()]
    folder.mkdir()
    said, issues = [], []
    for place, row in enumerate(rows):
        gold = row["annotation"]
        other = {"labels": [LABELS[1 - LABELS.index(gold["labels"][0])]]}
        predicted = other if place in wrong else gold
        said.append(
            {
                "id": row["id"],
                "split": "out_of_fold",
                "gold": gold,
                "predicted": predicted,
                "confidence": 0.9,
            }
        )
    for rank, place in enumerate(wrong):
        issues.append(
            {
                "id": rows[place]["id"],
                "score": 0.01 * (rank + 1),
                "given": said[place]["gold"],
                "suggested": said[place]["predicted"],
            }
        )
    for name, lines in (("predictions", said), ("label_issues", issues)):
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (folder / f"{name}.jsonl").write_text(text)
    report = {"examples": 20, "scores": {"macro_f1": 0.8}, "per_label": [], "confusion": None}
    fold = {"examples": 5, "train": 15, "scores": {"macro_f1": 0.8}, "steps": 9, "seconds": 1.0}
    result = {
        "primary": "macro_f1",
        "metrics": {"out_of_fold": report},
        "folds": [fold] * 4,
        "mean": {"macro_f1": 0.8},
        "deviation": {"macro_f1": 0.05},
        "label_issues": {"found": len(wrong), "listed": len(wrong)},
        "seconds": 4.0,
    }
    runs.complete(claim, result, folder)
    return str(run["id"])


def open_ids(api: TestClient, project: Project, **query: Any) -> list[int]:
    answer = api.get(f"/projects/{project.id}/label-issues", params=query)
    assert answer.status_code == 200, answer.text
    return [row["example_id"] for row in answer.json()["items"]]


def say(caller: TestClient, project: Project, example: int, label: str) -> int:
    base = look(caller, project, example)["base"]
    answer = people.say(caller, project, example, label, base=base, effect="replace")
    return int(answer.status_code)


def test_a_cross_validation_is_queued_with_its_folds(api: TestClient, project: Project) -> None:
    run = start(api, project, epochs=2).json()
    assert (run["kind"], run["params"]["folds"], run["params"]["epochs"]) == ("crossvalidate", 4, 2)
    assert run["job"]["state"] == "queued"
    assert api.post(f"/jobs/{run['job']['id']}/cancel").status_code == 202
    assert api.get(f"/runs/{run['id']}").json()["job"]["state"] == "cancelled"


@pytest.mark.parametrize("folds", [1, 21, "many"])
def test_folds_are_checked_before_anything_starts(
    api: TestClient, project: Project, folds: Any
) -> None:
    refused = start(api, project, folds=folds)
    assert refused.status_code == 422
    assert [problem["where"] for problem in refused.json()["problems"]] == ["folds"]
    assert count(Run) == 0


def test_more_folds_than_examples_are_refused(api: TestClient, project: Project, ada: User) -> None:
    small = make_project(ada, name="Small")
    fill(small, ada, [{"text": f"T{n}", "annotation": {"labels": ["neutral"]}} for n in range(3)])
    freeze(small, ada, split=SplitPercent(train=100, validation=0, test=0))
    refused = start(api, small)
    assert refused.status_code == 422
    assert "4 folds need at least as many" in refused.json()["problems"][0]["message"]


def test_the_list_is_worked_off_by_correcting_and_by_dismissing(
    site: Site, api: TestClient, project: Project, ada: User, tmp_path: Path
) -> None:
    run = finished(api, project, tmp_path / "run", (7, 3, 11))
    path = f"/projects/{project.id}/label-issues"
    listed = api.get(path).json()
    assert (listed["run"], listed["counts"]) == (run, {"open": 3, "fixed": 0, "dismissed": 0})
    assert [row["score"] for row in listed["items"]] == [0.01, 0.02, 0.03], "worst first"
    first, second, third = listed["items"]
    assert first["differences"] == [{"words": "", "gold": "negative", "predicted": "positive"}]

    assert api.post(f"{path}/{second['id']}/dismiss").status_code == 204
    assert api.post(f"{path}/{second['id']}/dismiss").status_code == 204, "again changes nothing"
    assert say(api, project, first["example_id"], "positive") == 201
    assert open_ids(api, project) == [third["example_id"]]
    assert open_ids(api, project, state="fixed") == [first["example_id"]]
    (dismissed,) = api.get(path, params={"state": "dismissed"}).json()["items"]
    assert (dismissed["example_id"], dismissed["dismissed_by"]) == (second["example_id"], "Ada")
    assert dismissed["dismissed_at"]
    assert api.get(path).json()["counts"] == {"open": 1, "fixed": 1, "dismissed": 1}

    # A later run over the same version finds the same: what was decided stays decided.
    again = finished(api, project, tmp_path / "again", (7, 3, 11))
    later = api.get(path).json()
    assert later["run"] == again
    assert later["counts"] == {"open": 1, "fixed": 1, "dismissed": 1}
    assert open_ids(api, project, run=run) == [third["example_id"]]

    issue = api.get(path, params={"state": "dismissed"}).json()["items"][0]["id"]
    assert api.post(f"{path}/{issue}/reopen").status_code == 204
    assert second["example_id"] in open_ids(api, project)
    assert api.post(f"{path}/999999/dismiss").status_code == 404
    assert api.delete(f"/runs/{again}").status_code == 204
    assert count(LabelIssue) == 3


def test_the_pages_show_folds_errors_and_the_list(
    site: Site, api: TestClient, project: Project, ada: User, tmp_path: Path
) -> None:
    browser, path = site.browser(ada), f"/projects/{project.id}/label-issues"
    assert browser.get(path).status_code == 404
    run = finished(api, project, tmp_path / "run", (7, 3))
    page = " ".join(browser.get(f"/runs/{run}").text.split())
    assert "80.0</strong> ± 5.0" in page
    assert f'href="{path}?run={run}"' in page
    assert "2 left" in page
    assert "2 left" in browser.get(f"/projects/{project.id}").text
    wrong = browser.get(f"/runs/{run}/errors").text
    assert "2 of 20 examples" in wrong
    assert '<option value="out_of_fold" selected>' in wrong
    assert api.get(f"/runs/{run}/errors").json()["wrong"] == 2
    assert len(api.get(f"/runs/{run}/predictions.jsonl").text.splitlines()) == 20

    issue, other = _items(api, project)
    listed = browser.get(path).text
    assert f"/projects/{project.id}/label?example={issue['example_id']}" in listed
    answer = browser.post(
        f"{path}/{issue['id']}/dismiss", data={"run": run}, headers={"HX-Request": "true"}
    )
    assert answer.status_code == 200
    assert f'id="issue-{issue["id"]}"' not in answer.text
    assert f'id="issue-{other["id"]}"' in answer.text
    plain = browser.post(f"{path}/{issue['id']}/reopen", data={"run": run})
    assert plain.status_code == 303
    assert f'id="issue-{issue["id"]}"' in browser.get(path).text


def _items(api: TestClient, project: Project) -> Any:
    return api.get(f"/projects/{project.id}/label-issues").json()["items"]


def test_runs_over_the_same_folds_are_compared(
    api: TestClient, project: Project, tmp_path: Path
) -> None:
    two = [finished(api, project, tmp_path / name, (7, 3)[:n]) for n, name in ((1, "a"), (2, "b"))]
    found = api.get(f"/projects/{project.id}/compare", params={"run": two}).json()
    assert (found["split"], found["tested"]["examples"]) == ("out_of_fold", 20)
    assert found["tested"]["disagreement_count"] == 1


def test_the_train_page_starts_it(site: Site, api: TestClient, project: Project, ada: User) -> None:
    browser, path = site.browser(ada), f"/projects/{project.id}/versions/1/train"
    refused = browser.post(path, data={"kind": "crossvalidate", "folds": "99", "base": "packaged"})
    assert refused.status_code == 422
    assert 'value="crossvalidate" checked' in refused.text
    assert 'name="folds" min="2" max="20" value="99"' in refused.text
    started = browser.post(path, data={"kind": "crossvalidate", "folds": "3", "base": "scratch"})
    assert started.status_code == 303
    run = api.get(started.headers["location"]).json()
    assert (run["kind"], run["params"]["folds"]) == ("crossvalidate", 3)
    assert browser.get(f"{path}?clone={run['id']}").text.count('value="crossvalidate" checked') == 1


def test_reviewers_work_the_list_off_and_managers_start_runs(
    site: Site, api: TestClient, project: Project, ada: User, tmp_path: Path
) -> None:
    finished(api, project, tmp_path / "run", (7,))
    (issue,) = _items(api, project)
    path = f"/projects/{project.id}/label-issues"
    for name, role, may_start, may_review in (
        ("Bo", "annotator", 403, 403),
        ("Cy", "reviewer", 403, 200),
        ("Di", "manager", 202, 200),
    ):
        person = make_user(name)
        join(project, ada, **{role: person})
        caller, browser = site.caller(person), site.browser(person)
        assert start(caller, project).status_code == may_start, role
        assert caller.get(path).status_code == may_review, role
        assert browser.get(path).status_code == may_review, role
        overview = browser.get(f"/projects/{project.id}").text
        assert ("label-issues" in overview) == (role != "annotator")
        reading = site.caller(person, "read")
        assert reading.post(f"{path}/{issue['id']}/dismiss").status_code == 403
        for change in ("dismiss", "reopen"):
            answer = caller.post(f"{path}/{issue['id']}/{change}")
            assert answer.status_code == (204 if may_review == 200 else 403), role
    eve = make_user("Eve")
    stranger, own = site.caller(eve), make_project(eve, name="Own")
    elsewhere = f"/projects/{own.id}/label-issues/{issue['id']}/dismiss"
    assert stranger.post(elsewhere).status_code == 404
    assert stranger.get(path).status_code == 404
    assert stranger.post(f"{path}/{issue['id']}/dismiss").status_code == 404
