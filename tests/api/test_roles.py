"""Who may do what in a project, over the API."""

from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient

from app.models import Project, User
from tests.api import people
from tests.api.conftest import Site
from tests.factories import fill, freeze, join, labelled_rows, make_project, make_user, open_rows

Call = Callable[[TestClient, str], int]

READS = (
    "",
    "/schema",
    "/members",
    "/examples",
    "/mine",
    "/imports",
    "/versions",
    "/versions/1",
    "/versions/1/manifest",
    "/versions/1/export?format=csv",
    "/runs",
    "/rolesets?lemma=give",
)
CHANGES: dict[str, Call] = {
    "rename": lambda c, p: c.patch(p, json={"name": "New"}).status_code,
    "schema": lambda c, p: c.put(f"{p}/schema", json={"labels": []}).status_code,
    "member": lambda c, p: (
        c.put(f"{p}/members", json={"email": "ada@example.org", "role": "manager"}).status_code
    ),
    "freeze": lambda c, p: c.post(f"{p}/versions").status_code,
    "import": lambda c, p: c.post(f"{p}/imports", files={"file": ("a.txt", b"Hi")}).status_code,
    "add": lambda c, p: c.post(f"{p}/examples", json={"items": [{"text": "Hi"}]}).status_code,
    "train": lambda c, p: c.post(f"{p}/runs", json={"version": 1}).status_code,
    "frames": lambda c, p: c.delete(f"{p}/rolesets").status_code,
    "delete": lambda c, p: c.delete(p).status_code,
}


@pytest.fixture
def project(ada: User) -> Project:
    made = make_project(ada)
    fill(made, ada, [*labelled_rows(), *open_rows(5)])
    freeze(made, ada)
    return made


def test_strangers_learn_nothing_of_a_project(site: Site, project: Project) -> None:
    stranger = site.caller(make_user("Eve"))
    there, nowhere = f"/projects/{project.id}", "/projects/222222222222"
    for path in READS:
        for base in (there, nowhere):
            assert stranger.get(base + path).status_code == 404, base + path
    for name, change in CHANGES.items():
        assert change(stranger, there) == 404, name
    assert stranger.get(there).json() == stranger.get(nowhere).json()
    assert stranger.get("/projects").json()["items"] == []
    assert stranger.get("/runs").json()["items"] == []


@pytest.mark.parametrize("role", ["annotator", "reviewer"])
def test_annotators_and_reviewers_read_and_label_and_manage_nothing(
    site: Site, project: Project, ada: User, role: str
) -> None:
    bo = make_user("Bo")
    join(project, ada, **{role: bo})
    caller, path = site.caller(bo), f"/projects/{project.id}"
    for read in READS:
        assert caller.get(path + read).status_code == 200, read
    for name, change in CHANGES.items():
        assert change(caller, path) == 403, name
    assert caller.get(path).json()["role"] == role
    assert caller.post(f"{path}/queue/next").status_code == 200


def test_managers_do_all_of_it(site: Site, project: Project, ada: User) -> None:
    cy = make_user("Cy")
    join(project, ada, manager=cy)
    caller, path = site.caller(cy), f"/projects/{project.id}"
    wished = {name: change(caller, path) for name, change in CHANGES.items() if name != "schema"}
    assert wished == {
        "rename": 200,
        "member": 204,
        "freeze": 202,
        "import": 202,
        "add": 202,
        "train": 202,
        "frames": 204,
        "delete": 204,
    }


def test_only_reviewers_change_what_others_said(site: Site, project: Project, ada: User) -> None:
    bo, cy, di = (make_user(name) for name in ("Bo", "Cy", "Di"))
    join(project, ada, annotator=bo)
    join(project, ada, annotator=cy, reviewer=di)
    path = f"/projects/{project.id}"
    example = site.caller(bo).post(f"{path}/queue/next").json()["id"]

    def replace(person: User, label: str) -> int:
        caller = site.caller(person)
        base = people.look(caller, project, example)["base"]
        answer = people.say(caller, project, example, label, base=base, effect="replace")
        return int(answer.status_code)

    assert replace(cy, "neutral") == 409, "Bo has it open"
    assert replace(bo, "positive") == 201
    assert replace(cy, "neutral") == 409, "Bo has labelled it"
    assert replace(di, "negative") == 201
    rows = site.caller(ada).get(f"{path}/examples", params={"after": example - 1}).json()["items"]
    assert (rows[0]["author"], rows[0]["summary"]) == ("Di", "negative")


def test_accounts_are_the_administrators(site: Site, project: Project, ada: User) -> None:
    bo = make_user("Bo")
    join(project, ada, manager=bo)
    caller = site.caller(bo)
    assert caller.get("/users").status_code == 403
    new = {"email": "x@example.org", "name": "X", "password": "long enough one"}
    assert caller.post("/users", json=new).status_code == 403
    assert caller.patch(f"/users/{ada.id}", json={"is_active": False}).status_code == 403


def test_a_project_keeps_a_manager(site: Site, api: TestClient, ada: User) -> None:
    project, bo = make_project(ada), make_user("Bo")
    path = f"/projects/{project.id}/members"
    assert api.put(path, json={"email": ada.email, "role": "annotator"}).status_code == 422
    assert api.delete(f"{path}/{ada.id}").status_code == 422
    join(project, ada, manager=bo)
    assert api.delete(f"{path}/{ada.id}").status_code == 204
    assert [m["name"] for m in api.get(path).json()["items"]] == ["Bo"]


@pytest.mark.parametrize("kind", ["runs", "jobs", "imports"])
def test_ids_of_other_projects_tell_nothing(
    site: Site, project: Project, ada: User, api: TestClient, kind: str
) -> None:
    path = f"/projects/{project.id}"
    if kind == "runs":
        address = f"/runs/{api.post(f'{path}/runs', json={'version': 1}).json()['id']}"
    elif kind == "jobs":
        address = f"/jobs/{api.get(f'{path}/versions/1').json()['job']['id']}"
    else:
        found = api.get(f"{path}/imports").json()["items"][0]["id"]
        other = make_project(ada, name="Other")
        assert api.get(f"/projects/{other.id}/imports/{found}").status_code == 404
        address = f"{path}/imports/{found}"
    assert api.get(address).status_code == 200
    stranger = site.caller(make_user("Eve"))
    nowhere = address.rpartition("/")[0] + "/222222222222"
    assert stranger.get(address).status_code == 404
    if kind != "imports":
        assert stranger.get(address).json() == stranger.get(nowhere).json()
        assert stranger.post(f"{address}/cancel").status_code == 404
