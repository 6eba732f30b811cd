"""Projects and their labels."""

import pytest
from fastapi.testclient import TestClient

from app.db import session_scope
from app.errors import NotFound
from app.models import Annotation, DatasetVersion, Example, Import, Job, Project, User
from app.services.version_files import data_key
from app.storage import get_storage
from tests.api.conftest import Site
from tests.factories import count, fill, freeze, join, labelled_rows, make_project, make_user
from worker import jobs as worker_jobs


@pytest.mark.parametrize("task", ["sentiment", "ner", "srl"])
def test_a_new_project_starts_from_its_tasks_defaults(api: TestClient, task: str) -> None:
    made = api.post("/projects", json={"task": task, "name": "News", "language": "zh"})
    assert made.status_code == 201
    project = made.json()
    assert project["role"] == "manager"
    assert project["label_schema"] == api.get(f"/projects/{project['id']}/schema").json()
    assert (project["example_count"], project["labelled_count"]) == (0, 0)
    assert api.get("/projects").json()["items"][0]["id"] == project["id"]


@pytest.mark.parametrize(
    ("wish", "where"),
    [
        ({"task": "ner", "name": ""}, "name"),
        ({"task": "ner", "name": "x" * 201}, "name"),
        ({"task": "ner", "name": "x", "language": "not a language"}, "language"),
        ({"task": "ner", "name": "x", "colour": "red"}, "body.colour"),
        ({"task": "ner"}, "body.name"),
        ({"task": "ner", "name": "x", "label_schema": {"labels": [{"name": ""}]}}, "labels.0.name"),
    ],
)
def test_what_is_wrong_with_a_project_is_said_where(
    api: TestClient, wish: dict[str, object], where: str
) -> None:
    answer = api.post("/projects", json=wish)
    assert answer.status_code == 422
    assert where in [problem["where"] for problem in answer.json()["problems"]]
    assert api.get("/projects").json()["items"] == []


def test_there_is_no_project_of_an_unknown_task(api: TestClient) -> None:
    assert api.post("/projects", json={"task": "poetry", "name": "x"}).status_code in (404, 422)


def test_what_is_left_out_of_a_change_stays(api: TestClient, ada: User) -> None:
    project = make_project(ada, description="Of hotels", guidelines="# Read twice")
    changed = api.patch(f"/projects/{project.id}", json={"name": "Hotels"}).json()
    assert changed["name"] == "Hotels"
    assert changed["description"] == "Of hotels"
    assert changed["guidelines"] == "# Read twice"


def test_labels_in_use_cannot_be_taken_away_and_others_can(api: TestClient, ada: User) -> None:
    project = make_project(ada)
    fill(project, ada, labelled_rows([("Good.", "positive")]))
    path = f"/projects/{project.id}/schema"
    refused = api.put(path, json={"labels": [{"name": "negative"}]})
    assert refused.status_code == 422
    assert "positive" in refused.json()["detail"]
    kept = api.put(path, json={"labels": [{"name": "positive"}, {"name": "mixed"}]})
    assert [label["name"] for label in kept.json()["labels"]] == ["positive", "mixed"]


def test_two_labels_need_two_names_and_two_keys(api: TestClient, ada: User) -> None:
    path = f"/projects/{make_project(ada).id}/schema"
    for twin in ({"name": "a"}, {"name": "b", "hotkey": "1"}):
        labels = [{"name": "a", "hotkey": "1"}, twin]
        assert api.put(path, json={"labels": labels}).status_code == 422


def test_a_deleted_project_is_gone_with_everything_in_it(api: TestClient, ada: User) -> None:
    project = make_project(ada)
    fill(project, ada, labelled_rows())
    assert api.delete(f"/projects/{project.id}").status_code == 204
    assert api.get(f"/projects/{project.id}").status_code == 404
    assert api.get("/projects").json()["items"] == []


def test_a_deleted_project_is_gone_for_everybody_at_once_and_its_rows_soon(
    site: Site, api: TestClient, ada: User
) -> None:
    project, other = make_project(ada), make_project(ada, name="Other")
    bo = make_user("Bo")
    join(project, ada, annotator=bo)
    fill(project, ada, labelled_rows())
    fill(other, ada, labelled_rows())
    version = freeze(project, ada)
    queued = api.post(f"/projects/{project.id}/versions").json()["job"]["id"]
    run = api.post(f"/projects/{project.id}/runs", json={"version": 1}).json()["id"]
    assert api.delete(f"/projects/{project.id}").status_code == 204
    for caller in (api, site.caller(bo)):
        for path in (
            f"/projects/{project.id}",
            f"/projects/{project.id}/examples",
            f"/projects/{project.id}/versions/1",
            f"/runs/{run}",
            f"/jobs/{queued}",
        ):
            assert caller.get(path).status_code == 404, path
    assert [row["id"] for row in api.get("/projects").json()["items"]] == [other.id]
    assert api.get("/runs").json()["items"] == []
    assert api.delete(f"/projects/{project.id}").status_code == 404
    assert f"/projects/{project.id}" not in site.browser(ada).get("/").text
    with session_scope(read_only=True) as session:
        jobs = {job.kind: job for job in session.query(Job).filter_by(project_id=project.id)}
    assert jobs["finetune"].state == "cancelled"
    worker_jobs.run(jobs["delete"].id)
    for table in (Example, Annotation, DatasetVersion, Import, Job):
        assert count(table, table.project_id == project.id) == 0, table
        assert count(table, table.project_id == other.id) > 0 or table is DatasetVersion, table
    assert count(Project) == 1
    with pytest.raises(NotFound), get_storage().reading(data_key(version.id)):
        pass
