"""The audit log: everything that matters is in it, administrators find it, and a spreadsheet runs none of it."""

import csv
import io
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import event, select, update

from app.db import get_engine, session_scope
from app.formats.spreadsheet import plain_cell
from app.models import AuditEntry, Project, Run, User, now
from app.services import audit
from app.services.audit import ACTIONS
from app.services.versions import SplitPercent
from tests.api.conftest import Site
from tests.api.finished_runs import finished, project_with_version
from tests.factories import PASSWORD, actor, fill, freeze, labelled_rows, make_project, make_user

ROOT = Path(__file__).parents[2]


@pytest.fixture
def project(ada: User) -> Project:
    made = make_project(ada)
    fill(made, ada, labelled_rows())
    freeze(made, ada, split=SplitPercent(train=60, validation=20, test=20))
    return made


def entries(api: TestClient, **wanted: Any) -> list[dict[str, Any]]:
    answer = api.get("/audit", params=wanted)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


def newest(api: TestClient) -> dict[str, Any]:
    return entries(api, limit=1)[0]


def test_an_entry_says_who_where_from_what_and_of_which_project(
    api: TestClient, ada: User, project: Project
) -> None:
    api.patch(f"/projects/{project.id}", json={"name": "Renamed"})
    entry = newest(api)
    assert entry["person"] == {"id": ada.id, "email": ada.email, "name": "Ada"}
    assert entry["address"] == "testclient"
    assert (entry["project_id"], entry["project"]) == (project.id, "Renamed")
    assert (entry["action"], entry["subject"]) == ("project.update", "Renamed")
    assert entry["details"] == {"fields": ["name"]}


def test_the_page_says_details_in_words(
    site: Site, api: TestClient, ada: User, project: Project
) -> None:
    api.patch(f"/projects/{project.id}", json={"name": "Renamed", "guidelines": "Be kind."})
    api.put(
        f"/projects/{project.id}/members",
        json={"email": make_user("Bo").email, "role": "annotator"},
    )
    api.post(
        "/users", json={"email": "cy@example.org", "name": "Cy", "password": "long enough one"}
    )
    page = site.browser(ada).get("/admin/audit").text
    assert "guidelines, name" in page
    assert "now: Annotator" in page
    for programmers in ("is_admin", "fields:", "role:", "None"):
        assert programmers not in page, programmers


def test_accounts_passwords_and_tokens(site: Site, api: TestClient, ada: User) -> None:
    new = {"email": "bo@example.org", "name": "Bo", "password": "long enough one", "is_admin": True}
    bo = api.post("/users", json=new).json()
    assert (newest(api)["action"], newest(api)["details"]) == ("user.create", {"is_admin": True})
    api.patch(f"/users/{bo['id']}", json={"is_active": False})
    assert (newest(api)["subject"], newest(api)["details"]) == (new["email"], {})
    browser = site.browser(ada)
    browser.post(
        "/account/password", data={"current": PASSWORD, "password": "another horse battery"}
    )
    assert newest(api)["action"] == "user.password"
    assert "horse" not in api.get("/audit").text


def test_members_and_their_roles_before_and_after(
    site: Site, api: TestClient, project: Project
) -> None:
    bo = make_user("Bo")
    path = f"/projects/{project.id}/members"
    for role in ("annotator", "manager"):
        api.put(path, json={"email": bo.email, "role": role})
    api.delete(f"{path}/{bo.id}")
    found = entries(api, project=project.id, limit=3)[::-1]
    assert [(e["action"], e["subject"], e["details"]) for e in found] == [
        ("member.set", bo.email, {"role": "annotator", "before": None}),
        ("member.set", bo.email, {"role": "manager", "before": "annotator"}),
        ("member.remove", bo.email, {"before": "manager"}),
    ]


def test_data_and_models_that_are_taken_away(
    site: Site, api: TestClient, ada: User, tmp_path: Path
) -> None:
    project = project_with_version(ada)
    run = finished(api, project, tmp_path, "mine", {1})
    path = f"/projects/{project.id}/versions/1/export"
    assert api.get(path, params={"format": "csv", "split": "train"}).status_code == 200
    assert newest(api)["details"] == {"format": "csv", "split": "train"}
    whole = api.get(path)
    before = newest(api)
    assert (before["action"], before["subject"]) == ("version.export", "1")
    assert api.get(path, headers={"If-None-Match": whole.headers["etag"]}).status_code == 304
    assert newest(api) == before, "nothing was sent"
    browser = site.browser(ada)
    assert browser.get(f"/projects/{project.id}/versions/1/export/jsonl").status_code == 200
    assert newest(api)["details"] == {"format": "jsonl"}
    assert api.get(f"/runs/{run}/model.zip").status_code == 200
    assert (newest(api)["action"], newest(api)["subject"]) == ("model.download", run)
    assert api.get(f"/runs/{run}/predictions.jsonl").status_code == 200
    assert newest(api)["action"] == "predictions.download"
    reader = site.caller(ada, "read")
    reader.get(path)
    assert newest(api)["action"] == "version.export"


def test_what_is_refused_or_fails_leaves_no_entry(
    site: Site, api: TestClient, project: Project
) -> None:
    before = newest(api)
    stranger = site.caller(make_user("Eve"))
    assert stranger.get(f"/projects/{project.id}/versions/1/export").status_code == 404
    assert api.get(f"/projects/{project.id}/versions/9/export").status_code == 404
    assert api.get(f"/projects/{project.id}/versions/1/export?format=no").status_code == 422
    assert newest(api)["id"] - before["id"] <= 1  # the stranger's token


def test_a_deleted_project_stays_in_it(api: TestClient, project: Project) -> None:
    assert api.delete(f"/projects/{project.id}").status_code in (202, 204)
    found = entries(api, project=project.id)
    assert found[0]["action"] == "project.delete"
    assert {"version.create", "import.start", "project.create"} <= {e["action"] for e in found}


def test_it_is_filtered_by_person_project_action_and_time(
    site: Site, api: TestClient, ada: User, project: Project
) -> None:
    bo = make_user("Bo", admin=True)
    other = make_project(bo, name="Other")
    with session_scope() as session:
        session.execute(
            update(AuditEntry)
            .where(AuditEntry.project_id == other.id)
            .values(at=now() - timedelta(days=3))
        )
    assert {e["person"]["name"] for e in entries(api, person="Bo@Example.org")} == {"Bo"}
    assert {e["person"]["name"] for e in entries(api, person=bo.id)} == {"Bo"}
    assert {e["project"] for e in entries(api, project="Other")} == {"Other"}
    assert {e["action"] for e in entries(api, action="version.create")} == {"version.create"}
    yesterday = (now() - timedelta(days=1)).isoformat()
    assert {e["project"] for e in entries(api, until=yesterday)} == {"Other"}
    assert "Other" not in {e["project"] for e in entries(api, since=yesterday)}
    assert entries(api, person="nobody@example.org") == []
    browser = site.browser(ada)
    assert "bo@example.org" in browser.get("/admin/audit?person=bo@example.org").text
    day = f"{now() - timedelta(days=3):%Y-%m-%d}"
    page = browser.get(f"/admin/audit?since={day}&until={day}").text
    assert "Other" in page
    assert "version.create</code>" not in page
    for odd in ("since=9999-12-31", "until=x", "since=0001-01-01", "before=1", "person=%00"):
        assert browser.get(f"/admin/audit?{odd}").status_code in (200, 422), odd


def test_its_pages_hold_every_entry_once(site: Site, api: TestClient, ada: User) -> None:
    with session_scope() as session:
        for n in range(130):
            audit.record(session, user_id=ada.id, action="project.update", subject=f"p{n}")
    seen: list[int] = []
    before = None
    while True:
        answer = api.get("/audit", params={"limit": 50} | ({"before": before} if before else {}))
        seen += [entry["id"] for entry in answer.json()["items"]]
        before = answer.json()["next_before"]
        audit.record_download(  # what comes meanwhile moves nothing
            actor(ada), "version.export", project_id=None, subject="x"
        )
        if before is None:
            break
    assert seen == sorted(set(seen), reverse=True)
    assert len(seen) >= 130
    page = site.browser(ada).get("/admin/audit").text
    following = re.search(r'href="(/admin/audit\?[^"]*before=\d+)"', page)
    assert following
    assert "project.update" in site.browser(ada).get(following[1].replace("&amp;", "&")).text


def test_only_administrators_read_it(site: Site, project: Project, ada: User) -> None:
    bo = make_user("Bo")
    for path in (
        "/api/v1/audit",
        "/api/v1/audit/export.csv",
        "/admin/audit",
        "/admin/audit/export.csv",
    ):
        assert site.browser(bo).get(path).status_code == 403, path
        assert site.anonymous().get(path).status_code in (303, 401), path


FORMULAS = ("=1+1", "+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", " =1", "=cmd|' /C calc'!A0")


def test_a_spreadsheet_runs_none_of_its_cells(api: TestClient, ada: User) -> None:
    with session_scope() as session:
        session.get_one(User, ada.id).name = "=HYPERLINK(1)"
        for formula in FORMULAS:
            audit.record(session, user_id=ada.id, action="project.update", subject=formula)
    answer = api.get("/audit/export.csv", params={"action": "project.update"})
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert [row["subject"] for row in rows[::-1]] == [f"'{formula}" for formula in FORMULAS]
    for row in rows:
        for cell in row.values():
            assert not cell.lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r")), cell
    assert newest(api)["action"] == "audit.export"
    assert plain_cell(-3) == -3


def test_every_kind_of_entry_that_the_code_writes_has_its_words() -> None:
    code = "".join(path.read_text() for path in (ROOT / "app").rglob("*.py"))
    written = set(re.findall(r'action="([a-z_]+\.[a-z_]+)"', code))
    written |= {
        f"run.{verb}" for verb in re.findall(r'note(?:_change)?\(session, .*"(\w+)"\)', code)
    }
    written |= set(re.findall(r'"((?:search|audit|version)\.[a-z_]+)"', code))
    written = {name for name in written if not name.endswith(".csv")}
    assert written <= set(ACTIONS)
    assert len(written) > 20


def test_finding_entries_scans_nothing(sqlite: str) -> None:
    ada = make_user("Ada", admin=True)
    asked: list[tuple[str, Any]] = []

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        asked.append((statement, parameters))

    engine = get_engine()
    event.listen(engine, "before_cursor_execute", note)
    wishes: list[dict[str, Any]] = [
        {},
        {"person": ada.email},
        {"project": "Reviews"},
        {"action": "version.create"},
    ]
    with session_scope(read_only=True) as session:
        for wish in wishes:
            audit.browse(session, actor(ada), audit.AuditFilter(**wish), before=1000)
    event.remove(engine, "before_cursor_execute", note)
    with engine.connect() as connection:
        for statement, parameters in asked:
            if "FROM audit_log" in statement:
                plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
                steps = [row.detail for row in plan]
                assert not [s for s in steps if "SCAN audit_log" in s or "TEMP B-TREE" in s], steps


def test_a_run_that_is_started_stopped_and_deleted(api: TestClient, project: Project) -> None:
    run = api.post(f"/projects/{project.id}/runs", json={"version": 1}).json()
    assert newest(api)["action"] == "run.create"
    api.post(f"/runs/{run['id']}/cancel")
    assert newest(api)["action"] == "run.cancel"
    api.delete(f"/runs/{run['id']}")
    assert newest(api)["action"] == "run.delete"
    with session_scope(read_only=True) as session:
        assert session.scalars(select(Run)).all() == []


def test_an_import_and_a_version_that_are_stopped(api: TestClient, project: Project) -> None:
    made = api.post(f"/projects/{project.id}/imports", files={"file": ("a.txt", b"Hi")}).json()
    assert newest(api)["action"] == "import.start"
    api.post(f"/jobs/{made['job']['id']}/cancel")
    assert (newest(api)["action"], newest(api)["subject"]) == ("import.cancel", "a.txt")
    version = api.post(f"/projects/{project.id}/versions").json()
    api.post(f"/jobs/{version['job']['id']}/cancel")
    assert (newest(api)["action"], newest(api)["subject"]) == ("version.cancel", "2")
