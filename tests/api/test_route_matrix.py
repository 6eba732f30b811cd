"""Every route, with every kind of caller, by token and by browser: who is let in, and who is not."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from fastapi.testclient import TestClient
from sqlalchemy import select

from app.db import session_scope
from app.http.identity import COOKIE
from app.main import create_app
from app.models import ApiToken, Example, FrameImport, Import, Job, LabelIssue, Run, Search, User
from app.security.secrets import csrf_token
from app.services import accounts
from app.services.access import ROLES
from app.settings import Settings
from tests.api.conftest import Site
from tests.api.finished_runs import finished, project_with_version
from tests.api.routes import ROUTES, Row
from tests.api.test_label_issues import finished as cross_validated
from tests.conftest import forget_everything
from tests.factories import PASSWORD, fill, join, make_token, make_user, open_rows

SAFE = ("GET", "HEAD", "OPTIONS")
MEMBERS = list(ROLES)
NAMES = {
    "administrator": "Ada",
    "person": "Eve",
    "owner": "Ann",
    "annotator": "Ann",
    "reviewer": "Rae",
    "manager": "Mia",
}
"""Who is the least that a row means."""


def routes(application: FastAPI) -> set[tuple[str, str]]:
    """Every route of the application by method and path; what is mounted is static."""
    return {
        (method, route.path)
        for route in iter_route_contexts(application.routes)
        for method in route.methods or ()
        if method not in ("HEAD", "OPTIONS")
    }


def test_every_route_has_a_row() -> None:
    there = routes(create_app())
    missing = "\n".join(
        f'    ("{m}", "{p}"): Row("manager"),' for m, p in sorted(there - set(ROUTES))
    )
    assert not missing, (
        "These routes have no row in tests/api/routes.py. Say who is the least that may call each "
        f"(and, for one that needs input, a request that is valid):\n{missing}"
    )
    gone = sorted(set(ROUTES) - there)
    assert not gone, f"tests/api/routes.py has rows for routes that are no more: {gone}"


class World:
    """A project with one of everything, its people, and strangers; put back to how it was after each change."""

    kept: Path | None = None
    ids: dict[str, Any] = {}  # noqa: RUF012
    tokens: dict[tuple[str, ...], str] = {}  # noqa: RUF012
    cookies: dict[str, str] = {}  # noqa: RUF012

    def __init__(self, application: FastAPI, settings: Settings) -> None:
        self.application, self.settings = application, settings

    def restore(self) -> None:
        forget_everything()
        shutil.rmtree(self.settings.data_dir, ignore_errors=True)
        assert World.kept is not None
        shutil.copytree(World.kept, self.settings.data_dir)

    def client(self, **options: Any) -> TestClient:
        return TestClient(self.application, follow_redirects=False, **options)

    def program(self, name: str, *scopes: str) -> TestClient:
        secret = World.tokens[name, *(scopes or ("read", "write"))]
        return self.client(headers={"Authorization": f"Bearer {secret}"})

    def browser(self, name: str, *, page: bool = True) -> TestClient:
        client = self.client()
        client.cookies.set(COOKIE, World.cookies[name])
        if page:
            client.headers["X-CSRF-Token"] = csrf_token(World.cookies[name])
        return client


@pytest.fixture(scope="module")
def keep(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    yield tmp_path_factory.mktemp("world") / "kept"
    World.kept = None


@pytest.fixture
def world(
    quick_site: Site, application: FastAPI, settings: Settings, keep: Path, tmp_path: Path
) -> World:
    made = World(application, settings)
    if World.kept is None:
        _build(quick_site, tmp_path)
        forget_everything()
        shutil.copytree(settings.data_dir, keep)
        World.kept = keep
    made.restore()
    return made


def _build(site: Site, tmp_path: Path) -> None:
    ada = make_user("Ada", admin=True)
    people = {name: make_user(name) for name in ("Eve", "Ann", "Rae", "Mia", "Zoe")}
    people["Ada"] = ada
    project = project_with_version(ada)
    fill(project, ada, open_rows(5))
    join(project, ada, annotator=people["Zoe"])
    for role in MEMBERS:
        join(project, ada, **{role: people[NAMES[role]]})
    api = site.caller(ada)
    run_id = finished(api, project, tmp_path, "first", {1})
    other_run_id = finished(api, project, tmp_path, "second", {2})
    cross_validated(api, project, tmp_path / "crossed", (1, 2))
    upload = site.browser(people["Mia"]).post(
        f"/projects/{project.id}/import", files={"file": ("a.csv", b"text,label\nHi,positive\n")}
    )
    for name, user in people.items():
        World.tokens[name, "read", "write"] = make_token(user)
        World.tokens[name, "read"] = make_token(user, "read")
        with session_scope() as session:
            World.cookies[name] = accounts.start_session(session, user)
    with session_scope() as session:
        found = {
            "token_id": select(ApiToken.id).where(ApiToken.user_id == people["Ann"].id),
            "example_id": select(Example.id).where(Example.status == "labelled"),
            "open_id": select(Example.id).where(Example.status == "open"),
            "import_id": select(Import.id).where(Import.job_id.is_not(None)),
            "issue_id": select(LabelIssue.id),
            "job_id": select(Job.id).where(Job.kind == "freeze"),
        }
        ids = {name: session.scalars(query.limit(1)).one() for name, query in found.items()}
        run = session.get_one(Run, run_id)
        search = Search(
            project_id=project.id,
            version_id=run.version_id,
            name="S",
            params={},
            space={"epochs": [1, 2]},
            strategy="grid",
            seed=1,
        )
        frame_file = FrameImport(
            project_id=project.id, job_id=ids["job_id"], filename="give.xml", size=1
        )
        session.add_all([search, frame_file])
        session.flush()
        World.ids = ids | {
            "project_id": project.id,
            "run_id": run_id,
            "number": 1,
            "format_name": "csv",
            "user_id": people["Zoe"].id,
            "search_id": search.id,
            "file_id": frame_file.id,
            "other_run_id": other_run_id,
            "upload_id": re.findall(r"/imports/(\w+)", upload.headers["location"])[0],
        }


def _filled(value: Any) -> Any:
    """With the world's ids and the password in the place of $names."""
    if isinstance(value, dict):
        return {key: _filled(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_filled(part) for part in value]
    if isinstance(value, str):
        names = World.ids | {"password": PASSWORD}
        return re.sub(r"\$(\w+)", lambda match: str(names[match[1]]), value)
    return value


def _send(client: TestClient, method: str, path: str, row: Row) -> httpx.Response:
    def value(match: re.Match[str]) -> str:
        name = str(row.ids.get(match[1], match[1]))
        return name[1:] if name.startswith("=") else str(World.ids[name])

    address = re.sub(r"\{(\w+)\}", value, path)
    return client.request(method, address, **_filled(row.request))


def _refused(answer: httpx.Response, *, anonymous: bool = False) -> bool:
    if anonymous and not str(answer.url.path).startswith("/api/"):
        target = answer.headers.get("location", "") or answer.headers.get("hx-redirect", "")
        return answer.status_code in (303, 401) and target.startswith("/login")
    return answer.status_code == 401 if anonymous else answer.status_code in (403, 404)


def _allowed(answer: httpx.Response) -> bool:
    """Let in: it was done, or what was asked cannot be done, which only somebody who is let in is told."""
    assert "not in the form this address takes" not in answer.text, (
        f"the row's request is not valid: {answer.text}"
    )
    to_login = answer.headers.get("location", "").startswith("/login?")
    return not to_login and (answer.status_code < 400 or answer.status_code in (409, 422, 429, 503))


def _callers(row: Row) -> tuple[list[str], list[str]]:
    """Who is let in, the least first, and who is not."""
    if row.least in ("anybody", "person"):
        return ["Eve", "Ann", "Ada"], []
    if row.least == "owner":
        return ["Ann"], ["Eve", "Rae", "Mia", "Ada"]
    if row.least == "administrator":
        return ["Ada"], ["Eve", *(NAMES[role] for role in MEMBERS)]
    least = MEMBERS.index(row.least)
    return (
        [*(NAMES[role] for role in MEMBERS[least:]), "Ada"],
        ["Eve", *(NAMES[role] for role in MEMBERS[:least])],
    )


@pytest.mark.parametrize(("method", "path"), sorted(ROUTES), ids=lambda value: value)
def test_a_route_lets_in_whom_its_row_says_and_nobody_else(
    world: World, method: str, path: str
) -> None:
    row = ROUTES[method, path]
    changes = method not in SAFE and not row.reads
    allowed, refused = _callers(row)

    def said(who: str, answer: httpx.Response) -> str:
        return (
            f"{who}: {answer.status_code} {answer.headers.get('location', '')} {answer.text[-600:]}"
        )

    def try_one(who: str, client: TestClient, *, let_in: bool, anonymous: bool = False) -> None:
        answer = _send(client, method, path, row)
        good = _allowed(answer) if let_in else _refused(answer, anonymous=anonymous)
        assert good, f"{'is to be let in' if let_in else 'is to be refused'}: {said(who, answer)}"
        if let_in and method not in SAFE:
            world.restore()

    public = row.least == "anybody"
    try_one("anonymous", world.client(), let_in=public, anonymous=not public)
    for name in refused:
        try_one(f"{name}'s token", world.program(name), let_in=False)
        try_one(f"{name}'s browser", world.browser(name), let_in=False)
    least = allowed[0]
    if changes:
        try_one("a token that reads", world.program(allowed[-1], "read"), let_in=False)
        try_one("a cookie without the page", world.browser(allowed[-1], page=False), let_in=False)
    else:
        try_one("a token that reads", world.program(least, "read"), let_in=True)
    for name in allowed:
        try_one(f"{name}'s token", world.program(name), let_in=True)
    try_one(f"{least}'s browser", world.browser(least), let_in=True)


def test_an_expired_or_revoked_token_is_nobodys(world: World) -> None:
    client = world.program("Ada")
    with session_scope() as session:
        session.query(ApiToken).update({"expires_at": session.query(User).first().created_at})  # type: ignore[union-attr]
    for path in ("/api/v1/me", "/api/v1/projects", "/api/v1/users"):
        answer = client.get(path)
        assert answer.status_code == 401
        assert "expired" in answer.json()["detail"]
    assert client.get("/").headers["location"].startswith("/login")
