"""What people say of runs, lists of many, the leaderboard, all figures, resuming."""

import csv
import io
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import insert

from app.db import session_scope
from app.models import Project, Run, RunPoint, User
from app.services import jobs, runs
from app.training import FineTuneParams
from tests.api.conftest import Site
from tests.factories import actor, fill, freeze, join, labelled_rows, make_project, make_user


@pytest.fixture
def project(ada: User) -> Project:
    made = make_project(ada)
    fill(made, ada, labelled_rows())
    freeze(made, ada)
    return made


def start(project: Project, ada: User, name: str, *, version: int = 1) -> Run:
    with session_scope() as session:
        return runs.create(
            session,
            actor(ada),
            project.id,
            version_number=version,
            params=FineTuneParams(),
            name=name,
        )


def succeed(run: Run, test: float | None, validation: float) -> None:
    claim = jobs.claim(run.job_id, "a worker")
    assert claim
    reports: dict[str, Any] = {"validation": {"scores": {"macro_f1": validation}}}
    if test is not None:
        reports["test"] = {
            "scores": {"macro_f1": test},
            "intervals": {"macro_f1": [test - 0.1, test + 0.1]},
        }
    with session_scope() as session:
        jobs.succeed(session, claim)
        session.get_one(Run, run.id).result = {
            "primary": "macro_f1",
            "metrics": reports,
            "seconds": 9.5,
        }


def names(answer: Any) -> list[str]:
    return [item["name"] for item in answer.json()["items"]]


def test_a_run_gets_tags_a_note_and_another_name(
    api: TestClient, site: Site, project: Project, ada: User
) -> None:
    run = start(project, ada, "First")
    change = {"name": " Best ", "tags": ["try", "Try", " long "], "note": "**Good** <b>x</b>"}
    shown = api.patch(f"/runs/{run.id}", json=change).json()
    assert (shown["name"], sorted(shown["tags"])) == ("Best", ["Try", "long"])
    page = site.browser(ada).get(f"/runs/{run.id}").text
    assert "<strong>Good</strong> &lt;b&gt;" in page
    assert names(api.get(f"/projects/{project.id}/runs?tag=long")) == ["Best"]
    assert names(api.get(f"/projects/{project.id}/runs?tag=other")) == []
    for field, bad in (
        ("name", " "),
        ("tags", ["a,b"]),
        ("tags", ["x" * 51]),
        ("note", "x" * 20_001),
    ):
        refused = api.patch(f"/runs/{run.id}", json={field: bad})
        assert refused.status_code == 422
        assert refused.json()["problems"][0]["where"] == field
    assert api.get(f"/runs/{run.id}").json()["note"] == "**Good** <b>x</b>", "nothing is half-saved"


def test_archived_runs_show_when_they_are_asked_for(
    api: TestClient, project: Project, ada: User
) -> None:
    start(project, ada, "Kept")
    away = start(project, ada, "Away")
    api.patch(f"/runs/{away.id}", json={"archived": True})
    path = f"/projects/{project.id}/runs"
    assert names(api.get(path)) == names(api.get("/runs")) == ["Kept"]
    assert names(api.get(f"{path}?archived=true")) == ["Away", "Kept"]
    api.patch(f"/runs/{away.id}", json={"archived": False})
    assert names(api.get(path)) == ["Away", "Kept"]


def test_a_long_list_is_walked_to_its_end(api: TestClient, project: Project, ada: User) -> None:
    made = [start(project, ada, f"Run {n}").name for n in range(5)]
    seen, after = [], ""
    while after is not None:
        answer = api.get(f"/runs?limit=2{'&after=' + after if after else ''}")
        seen += names(answer)
        after = answer.json()["next_after"]
    assert seen == made[::-1]


def test_the_leaderboard_sorts_by_score_and_marks_the_best(
    api: TestClient, site: Site, project: Project, ada: User
) -> None:
    freeze(project, ada)
    for name, test, validation, version in (
        ("Middle", 0.7, 0.9, 1),
        ("Best", 0.8, 0.6, 1),
        ("Untested", None, 0.95, 2),
    ):
        succeed(start(project, ada, name, version=version), test, validation)
    start(project, ada, "Queued")
    path = f"/projects/{project.id}/leaderboard"
    board = api.get(path).json()
    assert [row["name"] for row in board["items"]] == ["Best", "Middle", "Untested"]
    assert [row["place"] for row in board["items"]] == [1, 2, 3]
    assert (board["best_test"], board["best_validation"], board["total"]) == (0.8, 0.95, 3)
    assert board["items"][0]["test_low"] == pytest.approx(0.7)
    assert names(api.get(f"{path}?sort=test&order=asc")) == ["Middle", "Best", "Untested"]
    assert names(api.get(f"{path}?sort=validation")) == ["Untested", "Middle", "Best"]
    assert names(api.get(f"{path}?version=2")) == ["Untested"]
    page = site.browser(ada).get(path).text
    assert page.count('<strong class="best">') == 2
    table = list(csv.DictReader(io.StringIO(api.get(f"{path}.csv").text)))
    assert [(row["name"], row["test"]) for row in table][::2] == [("Best", "0.8"), ("Untested", "")]
    assert site.browser(ada).get(f"{path}.json").json()["items"] == board["items"]


def test_all_figures_come_unthinned(
    api: TestClient, site: Site, project: Project, ada: User
) -> None:
    run = start(project, ada, "Long")
    rows = [
        {"run_id": run.id, "kind": "step", "step": n, "values": {"loss": n / 2, "epoch": 0.5}}
        for n in range(5_000)
    ]
    metrics = {"split": "test", "epoch": 1.0, "metrics": {"macro_f1": 0.5}}
    rows.append({"run_id": run.id, "kind": "evaluation", "step": 4_999, "values": metrics})
    with session_scope() as session:
        session.execute(insert(RunPoint), rows)
    items = api.get(f"/runs/{run.id}/figures.json").json()["items"]
    assert [item["step"] for item in items] == [*range(5_000), 4_999]
    lines = list(csv.reader(io.StringIO(site.browser(ada).get(f"/runs/{run.id}/figures.csv").text)))
    assert lines[0] == ["kind", "step", "epoch", "split", "figure", "value"]
    assert lines[3] == ["step", "2", "0.5", "", "loss", "1.0"]
    assert lines[-1] == ["evaluation", "4999", "1.0", "test", "macro_f1", "0.5"]
    assert len(lines) == 5_002


def test_what_failed_or_was_cancelled_is_queued_again_with_all_its_attempts(
    api: TestClient, project: Project, ada: User
) -> None:
    run = start(project, ada, "Again")
    assert api.post(f"/runs/{run.id}/resume").status_code == 409, "it is queued"
    claim = jobs.claim(run.job_id, "a worker")
    assert claim
    jobs.fail(claim, "it broke")
    job = api.post(f"/runs/{run.id}/resume").json()["job"]
    assert (job["state"], job["attempt"], job["error"], job["finished_at"]) == (
        "queued",
        0,
        None,
        None,
    )
    with pytest.raises(jobs.LostLease):
        jobs.renew(claim)
    assert api.post(f"/runs/{run.id}/cancel").status_code == 204
    assert api.post(f"/runs/{run.id}/resume").status_code == 202
    again = jobs.claim(run.job_id, "another")
    assert again
    with session_scope() as session:
        jobs.succeed(session, again)
    assert api.post(f"/runs/{run.id}/resume").status_code == 409


def test_only_managers_change_runs(site: Site, project: Project, ada: User) -> None:
    run, bo, eve = start(project, ada, "Mine"), make_user("Bo"), make_user("Eve")
    join(project, ada, reviewer=bo)
    for person, reads, changes in ((bo, 200, 403), (eve, 404, 404)):
        caller = site.caller(person)
        assert caller.get(f"/runs/{run.id}/figures.csv").status_code == reads
        assert caller.get(f"/projects/{project.id}/leaderboard").status_code == reads
        assert caller.get(f"/projects/{project.id}/leaderboard.csv").status_code == reads
        assert caller.patch(f"/runs/{run.id}", json={"name": "Yours"}).status_code == changes
        assert caller.post(f"/runs/{run.id}/resume").status_code == changes
