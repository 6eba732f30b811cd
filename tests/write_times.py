"""How long each route holds a write transaction: every route called once on a project of any size, and measured.

Measured is processor time of the thread between BEGIN and the end of the transaction, since SQLite does its work
in it: other load on the machine does not count, nor do other threads, and no scan can hide. Time on the clock is
kept beside it, for what waits inside a transaction without working.
"""

import gc
import hashlib
import io
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from sqlalchemy import Connection, event, insert, text, update

from app import api, web
from app.db import get_engine, session_scope
from app.models import (
    DatasetVersion,
    Import,
    Job,
    LabelIssue,
    Project,
    Roleset,
    Run,
    RunLog,
    RunPoint,
    Search,
    User,
    new_id,
    now,
)
from app.services.version_files import data_key, manifest_key
from app.storage import get_storage
from app.training import FineTuneParams
from tests.api.conftest import Site
from tests.factories import PASSWORD, join, make_project, make_user

SAFE = {"GET", "HEAD"}
ROLESETS, POINTS, PEOPLE = 20_000, 20_000, 20


_DATA = (
    b'{"id":1,"external_id":null,"split":"test","inputs":{"text":"One.","tokens":null},'
    b'"annotation":{"labels":["positive"]},"meta":{}}\n'
)
"""A version of one example."""


@dataclass(slots=True)
class Held:
    """The longest write transaction of one call."""

    cpu: float = 0.0
    clock: float = 0.0
    statements: int = 0


class Meter:
    """Write transactions of this process while it is asked to look."""

    def __init__(self) -> None:
        self._began: dict[int, tuple[float, float]] = {}
        self._statements: dict[int, int] = {}
        self.longest = Held()

    @contextmanager
    def watching(self) -> Iterator[Held]:
        """Measure inside, where no garbage of earlier calls is collected."""
        self.longest = Held()
        gc.disable()
        try:
            yield self.longest
        finally:
            gc.enable()
            self.longest = Held()  # what comes until the next call is not this one's

    @contextmanager
    def installed(self) -> Iterator["Meter"]:
        """Listen to the engine inside."""
        engine = get_engine()
        heard = {
            "begin": self._begin,
            "commit": self._end,
            "rollback": self._end,
            "before_cursor_execute": self._execute,
        }
        for name, listener in heard.items():
            event.listen(engine, name, listener)
        try:
            yield self
        finally:
            for name, listener in heard.items():
                event.remove(engine, name, listener)

    def _begin(self, connection: Connection) -> None:
        if not connection.get_execution_options().get("read_only"):
            self._began[id(connection)] = (time.thread_time(), time.monotonic())
            self._statements[id(connection)] = 0

    def _execute(self, connection: Connection, *_more: Any) -> None:
        if id(connection) in self._statements:
            self._statements[id(connection)] += 1

    def _end(self, connection: Connection) -> None:
        if (began := self._began.pop(id(connection), None)) is None:
            return
        cpu, clock = time.thread_time() - began[0], time.monotonic() - began[1]
        if cpu >= self.longest.cpu:
            self.longest.cpu = cpu
            self.longest.statements = self._statements.pop(id(connection), 0)
        self.longest.clock = max(self.longest.clock, clock)


def routes() -> set[tuple[str, str]]:
    """(method, path) of all routes that may change something."""
    return {
        (method, prefix + path)
        for root, prefix in ((api.router, "/api/v1"), (web.router, ""))
        for methods, path in _walk(root)
        for method in methods - SAFE
    }


def pages() -> set[str]:
    """Paths of all routes that only read."""
    return {
        prefix + path
        for root, prefix in ((api.router, "/api/v1"), (web.router, ""))
        for methods, path in _walk(root)
        if "GET" in methods
    }


def _walk(router: Any) -> Iterator[tuple[set[str], str]]:
    for route in router.routes:
        if isinstance(route, APIRoute):
            yield route.methods, route.path
        elif hasattr(route, "original_router"):
            yield from _walk(route.original_router)


_EXAMPLES = """
INSERT INTO examples
    (id, project_id, import_id, external_id, inputs, meta, content_hash, status, gold_id, created_at)
WITH RECURSIVE numbers(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < :size)
SELECT
    n + 1, :project, CASE WHEN n % 2 THEN :import END, 'e' || n,
    json_object('text', 'This is the sentence number ' || n || ' of a review.'), '{}', printf('%064x', n),
    CASE WHEN n < :labelled THEN 'labelled' ELSE 'open' END, CASE WHEN n < :labelled THEN n + 1 END,
    '2026-01-01 00:00:00'
FROM numbers
"""
_ANNOTATIONS = """
INSERT INTO annotations
    (id, project_id, example_id, user_id, source, revision, payload, comment, client_key, created_at)
WITH RECURSIVE numbers(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < :labelled)
SELECT
    n + 1, :project, n + 1, CASE WHEN n % 2 THEN NULL WHEN n % 4 THEN :person ELSE :ada END,
    CASE WHEN n % 2 THEN 'import' ELSE 'person' END, 1,
    json_object('labels', json_array(CASE WHEN n % 3 THEN 'positive' ELSE 'negative' END)), '',
    CASE WHEN n % 2 = 0 THEN 'k' || n END, '2026-01-01 00:00:00'
FROM numbers
"""


# -- the site ------------------------------------------------------------------------------------


@dataclass
class Scene:
    """A site with one large project and everything that a route may name."""

    ids: dict[str, Any] = field(default_factory=dict)
    ada: User = field(default_factory=lambda: make_user("Ada", admin=True))

    @classmethod
    def of(cls, size: int) -> "Scene":
        """With so many examples, seven in ten labelled, by people and by an import."""
        scene = cls()
        project = make_project(scene.ada)
        people = [make_user(f"P{n}") for n in range(PEOPLE)]
        for person in people:
            join(project, scene.ada, annotator=person)
        scene.ids |= {
            "project_id": project.id,
            "user_id": people[-1].id,
            "spare_user_id": people[-2].id,
        }
        scene._fill(project, people[0], size)
        scene._versions_and_runs(project, min(size, POINTS))
        frames = make_project(scene.ada, "srl", name="Frames")
        scene.ids["frames_id"] = frames.id
        with session_scope() as session:
            rows = [
                {"project_id": frames.id, "lemma": f"l{n}", "sense": f"l{n}.01", "roles": []}
                for n in range(min(size, ROLESETS))
            ]
            session.execute(insert(Roleset), rows)
        return scene

    def _fill(self, project: Project, person: User, size: int) -> None:
        import_id = self._import(project, "succeeded")
        self.ids["import_id"] = import_id
        with session_scope() as session:
            session.execute(update(Import).where(Import.id == import_id).values(published_at=now()))
        labelled = size * 7 // 10
        with session_scope() as session:  # by SQLite itself: a hundred thousand in a second
            values = {
                "size": size,
                "labelled": labelled,
                "project": project.id,
                "import": import_id,
                "ada": self.ada.id,
                "person": person.id,
            }
            for statement in (_EXAMPLES, _ANNOTATIONS):
                session.execute(text(statement), values)
        with session_scope() as session:
            row = session.get_one(Project, project.id)
            row.example_count, row.labelled_count = size, labelled
            row.used_labels = ["negative", "positive"]
        self.ids["example_id"] = labelled + 1
        self.ids["labelled"] = labelled

    def _import(self, project: Project, state: str | None, data: bytes = b"") -> str:
        """An import whose job is in this state; None: not started yet."""
        import_id = new_id()
        with session_scope() as session:
            job_id = self._job(session, project, "import", state) if state else None
            session.add(
                Import(
                    id=import_id,
                    project_id=project.id,
                    job_id=job_id,
                    filename="rows.csv",
                    size=len(data),
                    sha256="0" * 64,
                    format="csv",
                )
            )
        if data:
            with get_storage().writing(f"uploads/{import_id}") as sink:
                sink.write(data)
        return import_id

    @staticmethod
    def _job(session: Any, project: Project, kind: str, state: str) -> str:
        job = Job(kind=kind, queue="cpu", project_id=project.id, state=state, attempt=1)
        session.add(job)
        session.flush()
        return job.id

    def _versions_and_runs(self, project: Project, points: int) -> None:
        with session_scope() as session:
            counts = {
                "examples": 10,
                "splits": {"train": 6, "validation": 2, "test": 2},
                "labels": {"positive": 10},
                "labels_by_split": {"train": {"positive": 6}, "validation": {}, "test": {}},
            }
            made = []
            for number, state in ((1, "succeeded"), (2, "failed")):
                version = DatasetVersion(
                    id=new_id(),
                    project_id=project.id,
                    number=number,
                    job_id=self._job(session, project, "freeze", state),
                    split_percent={"train": 80, "validation": 10, "test": 10},
                    label_schema=session.get_one(Project, project.id).label_schema,
                    instruction="",
                    counts=counts,
                    size=len(_DATA) if number == 1 else None,
                    sha256=hashlib.sha256(_DATA).hexdigest() if number == 1 else None,
                )
                session.add(version)
                made.append(version)
            session.flush()
            self._version = made[0]
        for key, content in (
            (data_key(made[0].id), _DATA),
            (manifest_key(made[0].id), b"{}\n"),
        ):
            with get_storage().writing(key) as sink:
                sink.write(content)
        self._project = project
        self.ids |= {"number": 2, "format_name": "csv"}
        self.ids["search_id"] = self.search(50, points // 50)
        self.ids["run_id"] = self.run("succeeded", points=points, issues=points // 4)
        with session_scope(read_only=True) as session:
            issue = session.query(LabelIssue).first()
            self.ids["issue_id"] = issue.id if issue else 0

    def written_version(self) -> int:
        """Another version whose file is written."""
        with session_scope() as session:
            new = DatasetVersion(
                id=new_id(),
                project_id=self._project.id,
                number=100,
                job_id=self._job(session, self._project, "freeze", "succeeded"),
                split_percent={"train": 80, "validation": 10, "test": 10},
                label_schema=self._version.label_schema,
                instruction="",
                counts=self._version.counts,
                size=len(_DATA),
                sha256=self._version.sha256,
            )
            session.add(new)
        with get_storage().writing(data_key(new.id)) as sink:
            sink.write(_DATA)
        return 100

    def search(self, runs: int, points: int = 10) -> str:
        """An ended search."""
        with session_scope() as session:
            search = Search(
                id=new_id(),
                project_id=self._project.id,
                version_id=self._version.id,
                name="Search",
                params={},
                space={},
                strategy="grid",
                seed=1,
            )
            session.add(search)
        for _ in range(runs):
            self.run("succeeded", points=points, search_id=search.id)
        return search.id

    def run(self, state: str, *, points: int = 0, issues: int = 0, **more: Any) -> str:
        """A run whose job is in this state, with a curve and a log."""
        with session_scope() as session:
            kind = "crossvalidate" if issues else "finetune"
            run = Run(
                id=new_id(),
                project_id=self._project.id,
                version_id=self._version.id,
                job_id=self._job(session, self._project, kind, state),
                name="Run",
                params=FineTuneParams().model_dump(mode="json"),
                model_size=10 if state == "succeeded" else None,
                result={"primary": "macro_f1", "metrics": {"test": {"scores": {}}}}
                if state == "succeeded"
                else None,
                **more,
            )
            session.add(run)
            session.flush()
            rows = [
                {"run_id": run.id, "kind": "step", "step": n, "values": {"loss": 0.5}}
                for n in range(points)
            ]
            if rows:
                session.execute(insert(RunPoint), rows)
                session.execute(
                    insert(RunLog), [{"run_id": run.id, "text": "step\n"}] * (points // 10 + 1)
                )
            if issues:
                said = {"labels": ["positive"]}
                session.execute(
                    insert(LabelIssue),
                    [
                        {
                            "project_id": self._project.id,
                            "run_id": run.id,
                            "example_id": n + 1,
                            "score": 0.1,
                            "given": said,
                            "suggested": said,
                        }
                        for n in range(issues)
                    ],
                )
            return run.id

    def job_of(self, run_id: str) -> str:
        with session_scope(read_only=True) as session:
            return session.get_one(Run, run_id).job_id

    def upload(self, state: str | None = None) -> str:
        """Another import of a small file."""
        return self._import(self._project, state, b"text,label\nGood.,positive\n" * 1000)


Request = Callable[[Scene], dict[str, Any]]
_JSON: Request = lambda _s: {"json": {}}  # noqa: E731
_FORM: Request = lambda _s: {"data": {"x": "1"}}  # noqa: E731
_LABELS = [{"name": name} for name in ("negative", "positive", "mixed")]
_RENAME = {"kind": "rename", "label": "negative", "to": "bad"}
_RENAME_BACK = {"kind": "rename", "label": "bad", "to": "negative"}
_SPACE = {"space": {"epochs": list(range(1, 51))}, "version": 1, "params": {"base": "scratch"}}
_BO = {"email": "bo@example.org", "password": "a long enough password"}
_TURN = {"priority": "normal", "device": ""}


def _zip() -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as files:
        for n in range(200):
            files.writestr(
                f"{n}.xml",
                f'<frameset><predicate lemma="v{n}"><roleset id="v{n}.01" name="do"/></predicate></frameset>',
            )
    return sink.getvalue()


def _label_form(*names: str) -> dict[str, Any]:
    columns = {"name": list(names)} | {
        part: [""] * len(names) for part in ("title", "color", "hotkey", "description")
    }
    columns["color"] = ["#2563eb"] * len(names)
    return {f"label_{part}": values for part, values in columns.items()} | {"mode": "multi"}


def _file(name: str, data: bytes) -> Request:
    return lambda _s: {"files": {"file": (name, data)}}


_CSV = _file("rows.csv", b"text,label\nGood.,positive\n" * 5000)
_P, _API = "/projects/{project_id}", "/api/v1/projects/{project_id}"
_OTHER: dict[str, Callable[[Scene], dict[str, str]]] = {
    "frames": lambda s: {"project_id": s.ids["frames_id"]},
    "new upload": lambda s: {"import_id": s.upload()},
    "failed import": lambda s: {"import_id": s.upload("failed")},
    "queued import": lambda s: {"import_id": s.upload("queued")},
    "queued run": lambda s: {"run_id": s.run("queued")},
    "failed run": lambda s: {"run_id": s.run("failed")},
    "queued job": lambda s: {"job_id": s.job_of(s.run("queued"))},
    "trained run": lambda s: {"run_id": s.run("succeeded")},
    "ended run": lambda s: {"run_id": s.run("succeeded", points=min(s.ids["labelled"], 5000))},
    "ended search": lambda s: {"search_id": s.search(5)},
    "written version": lambda _s: {"number": "1"},
    "other written version": lambda s: {"number": str(s.written_version())},
    "spare user": lambda s: {"user_id": s.ids["spare_user_id"]},
}


@dataclass(frozen=True)
class Call:
    """One call of a route: what it sends, which status is right, and what it is about, if not the usual."""

    method: str
    path: str
    send: Request = _FORM
    status: int = 303
    about: str = ""


CALLS: tuple[Call, ...] = (
    # What people and programs do with a project, first by REST, then on pages.
    Call("PATCH", _API, lambda _s: {"json": {"name": "Renamed"}}, 200),
    Call("PUT", f"{_API}/schema", lambda _s: {"json": {"labels": _LABELS}}, 200),
    *(
        Call("POST", f"{_API}/labels{path}", lambda _s: {"json": _RENAME}, 200)
        for path in ("/preview", "")
    ),
    Call("POST", f"{_P}/labels", lambda _s: {"data": _RENAME_BACK}, 303),
    Call("PUT", f"{_API}/schema", lambda _s: {"json": {"labels": _LABELS, "mode": "multi"}}, 200),
    Call("PUT", f"{_API}/schema", lambda _s: {"json": {"labels": _LABELS, "mode": "single"}}, 200),
    Call("PUT", f"{_API}/schema", lambda _s: {"json": {"labels": _LABELS[:1]}}, 422),
    Call("PUT", f"{_API}/schema", lambda _s: {"json": {"labels": _LABELS[:2]}}, 200),
    Call(
        "PUT",
        f"{_API}/members",
        lambda _s: {"json": {"email": "p3@example.org", "role": "reviewer"}},
        204,
    ),
    Call("DELETE", f"{_API}/members/{{user_id}}", lambda _s: {}, 204),
    Call("POST", f"{_API}/queue/next", _JSON, 200),
    Call(
        "POST",
        f"{_API}/examples/{{example_id}}/annotations",
        lambda _s: {"json": {"payload": {"labels": ["positive"]}, "client_key": "a", "base": 0}},
        201,
    ),
    Call("POST", f"{_API}/examples/{{example_id}}/release", _JSON, 204),
    Call("POST", f"{_API}/examples/{{example_id}}/seen", _JSON, 204),
    Call("POST", f"{_API}/queue/restore", _JSON, 200),
    Call("POST", f"{_API}/rolesets", _file("frames.zip", _zip()), 202, "frames"),
    Call("POST", f"{_API}/imports", _CSV, 202),
    Call(
        "POST",
        f"{_API}/examples",
        lambda _s: {"json": {"items": [{"text": f"More {n}."} for n in range(2000)]}},
        202,
    ),
    Call("POST", f"{_API}/imports/{{import_id}}/preview", _JSON, 200, "new upload"),
    Call("POST", f"{_API}/imports/{{import_id}}/start", _JSON, 202, "new upload"),
    Call("POST", f"{_API}/imports/{{import_id}}/again", _JSON, 201, "failed import"),
    Call("POST", f"{_API}/imports/{{import_id}}/cancel", _JSON, 204, "queued import"),
    Call("POST", f"{_API}/versions/{{number}}/retry", _JSON, 202),
    Call("POST", f"{_API}/versions/{{number}}/near-duplicates", _JSON, 202, "written version"),
    Call("POST", f"{_P}/versions/{{number}}/near-duplicates", _FORM, 303, "other written version"),
    Call("POST", f"{_P}/versions/{{number}}/cancel"),
    Call("POST", f"{_P}/versions/{{number}}/retry"),
    Call("POST", f"{_API}/versions", _JSON, 202),
    Call("POST", f"{_API}/versions/1/exports", lambda _s: {"json": {"format": "csv"}}, 202),
    Call("POST", f"{_P}/versions/1/download/{{format_name}}"),
    Call("POST", f"{_P}/versions/1/download/{{format_name}}/cancel"),
    Call(
        "POST", f"{_P}/versions", lambda _s: {"data": dict.fromkeys(("train", "test"), "90")}, 422
    ),
    Call(
        "POST",
        f"{_P}/versions",
        lambda _s: {"data": {"train": "80", "validation": "10", "test": "10"}},
    ),
    Call(
        "POST",
        f"{_P}/versions/moves",
        lambda _s: {"data": {"train": "50", "validation": "0", "test": "50"}},
        200,
    ),
    Call("POST", f"{_API}/runs", lambda _s: {"json": {"version": 1}}, 202),
    Call("POST", f"{_API}/crossvalidations", lambda _s: {"json": {"version": 1}}, 202),
    Call("POST", f"{_API}/pretrain", _JSON, 202),
    Call("POST", f"{_API}/searches", lambda _s: {"json": _SPACE}, 202),
    Call(
        "POST",
        f"{_P}/versions/1/train",
        lambda _s: {"data": {"kind": "finetune", "base": "scratch", **_TURN}},
    ),
    Call(
        "POST",
        f"{_P}/versions/1/train",
        lambda _s: {"data": {"kind": "finetune", "epochs": "none", **_TURN}},
        422,
    ),
    Call("POST", f"{_P}/pretrain", lambda _s: {"data": {"base": "scratch", **_TURN}}),
    Call(
        "POST",
        f"{_P}/versions/1/search",
        lambda _s: {
            "data": {"base": "scratch", "epochs": ",".join(map(str, range(1, 51))), "device": ""}
        },
    ),
    Call(
        "POST",
        f"{_P}/versions/1/search/count",
        lambda _s: {"data": {"base": "scratch", "epochs": "1,2", "device": ""}},
        200,
    ),
    Call("PATCH", "/api/v1/runs/{run_id}", lambda _s: {"json": {"note": "Good."}}, 200),
    Call("POST", "/api/v1/runs/{run_id}/resume", _JSON, 202, "failed run"),
    Call("POST", "/api/v1/runs/{run_id}/cancel", _JSON, 204, "queued run"),
    Call("DELETE", "/api/v1/runs/{run_id}", lambda _s: {}, 204, "ended run"),
    Call(
        "POST",
        "/api/v1/runs/{run_id}/evaluate",
        lambda _s: {"json": {"version": 1}},
        202,
        "trained run",
    ),
    Call(
        "POST",
        "/api/v1/runs/{run_id}/push",
        lambda _s: {"json": {"repo_id": "ada/reviews", "token": "hf_x"}},
        202,
        "trained run",
    ),
    Call("POST", "/api/v1/jobs/{job_id}/cancel", _JSON, 202, "queued job"),
    Call("POST", "/runs/{run_id}/describe", lambda _s: {"data": {"name": "A", "note": "B"}}),
    Call("POST", "/runs/{run_id}/archive", lambda _s: {"data": {"archived": "0"}}),
    Call("POST", "/runs/{run_id}/resume", _FORM, 303, "failed run"),
    Call("POST", "/runs/{run_id}/cancel", _FORM, 303, "queued run"),
    Call("POST", "/runs/{run_id}/delete", _FORM, 303, "ended run"),
    Call(
        "POST",
        "/runs/{run_id}/evaluate",
        lambda s: {"data": {"version": f"{s.ids['project_id']}/1", "split": "test", **_TURN}},
        about="trained run",
    ),
    Call(
        "POST",
        "/runs/{run_id}/evaluate",
        lambda _s: {"data": {"version": "", **_TURN}},
        422,
        "trained run",
    ),
    Call(
        "POST",
        "/runs/{run_id}/push",
        lambda _s: {"data": {"repo_id": "ada/reviews", "token": "hf_x"}},
        about="trained run",
    ),
    Call("POST", f"{_API}/label-issues/{{issue_id}}/dismiss", _JSON, 204),
    Call("POST", f"{_API}/label-issues/{{issue_id}}/reopen", _JSON, 204),
    Call("POST", f"{_P}/label-issues/{{issue_id}}/dismiss"),
    Call("POST", f"{_P}/label-issues/{{issue_id}}/reopen"),
    Call("POST", f"{_P}/import", _CSV),
    Call("POST", f"{_P}/imports/{{import_id}}/preview", _FORM, 200, "new upload"),
    Call("POST", f"{_P}/imports/{{import_id}}/start", _FORM, 303, "new upload"),
    Call(
        "POST",
        f"{_P}/imports/{{import_id}}/start",
        lambda _s: {"data": {"format": "x"}},
        200,
        "new upload",
    ),
    Call("POST", f"{_P}/imports/{{import_id}}/again", _FORM, 303, "failed import"),
    Call("POST", f"{_P}/imports/{{import_id}}/cancel", _FORM, 303, "queued import"),
    Call(
        "POST",
        f"{_P}/settings",
        lambda _s: {
            "data": {"name": "Reviews", **_label_form("negative", "positive"), "mode": "single"}
        },
    ),
    Call(
        "POST", f"{_P}/settings", lambda _s: {"data": {"name": "x", **_label_form("negative")}}, 422
    ),
    Call(
        "POST", f"{_P}/members", lambda _s: {"data": {"email": "p1@example.org", "role": "x"}}, 422
    ),
    Call(
        "POST",
        f"{_P}/members",
        lambda _s: {"data": {"email": "p1@example.org", "role": "reviewer"}},
    ),
    Call("POST", f"{_P}/members/{{user_id}}/remove", _FORM, 303, "spare user"),
    Call("POST", f"{_P}/frames/cancel", _FORM, 303, "frames"),
    Call("POST", f"{_P}/frames", _file("frames.zip", _zip()), 303, "frames"),
    Call("POST", f"{_P}/frames/cancel", _FORM, 303, "frames"),
    Call("POST", f"{_P}/frames/clear", _FORM, 303, "frames"),
    Call("DELETE", f"{_API}/rolesets", lambda _s: {}, 204, "frames"),
    Call("POST", f"{_API}/imports/{{import_id}}/undo", _JSON, 202),
    Call("POST", f"{_P}/imports/{{import_id}}/undo"),
    Call("POST", f"{_P}/imports/{{import_id}}/undo/cancel"),
    Call("POST", "/api/v1/searches/{search_id}/cancel", _JSON, 204),
    Call("POST", "/searches/{search_id}/cancel"),
    Call("POST", "/searches/{search_id}/delete"),
    Call("DELETE", "/api/v1/searches/{search_id}", lambda _s: {}, 204, "ended search"),
    Call("POST", "/demo"),
    Call(
        "POST",
        "/projects/new",
        lambda _s: {
            "data": {
                "task": "sentiment",
                "name": "N",
                "description": "",
                "language": "en",
                "guidelines": "",
                **_label_form("a", "b"),
            }
        },
    ),
    Call("POST", "/api/v1/projects", lambda _s: {"json": {"task": "ner", "name": "N"}}, 201),
    Call("POST", "/preferences", lambda _s: {"data": {"locale": "zh"}}),
    Call("POST", f"{_P}/delete", lambda _s: {"data": {"confirm": "not its name"}}, 422),
    Call("DELETE", _API, lambda _s: {}, 204),
    Call("POST", f"{_P}/delete", lambda _s: {"data": {"confirm": "Frames"}}, 303, "frames"),
    Call("POST", "/api/v1/users", lambda _s: {"json": {**_BO, "name": "Bo"}}, 201),
    Call(
        "POST", "/admin/users", lambda _s: {"data": {**_BO, "name": "B", "email": "b@example.org"}}
    ),
    Call(
        "POST", "/account/password", lambda _s: {"data": {"current": "wrong", "password": "x"}}, 422
    ),
    Call(
        "POST",
        "/account/password",
        lambda _s: {"data": {"current": PASSWORD, "password": "another long password"}},
    ),
    Call(
        "POST",
        "/login",
        lambda _s: {"data": {"email": "ada@example.org", "password": "another long password"}},
    ),
)

ELSEWHERE: dict[str, str] = {
    "/setup": "is open only while there is no account",
    "/account/logout-everywhere": "rows of one person's sessions",
    "/logout": "ends the session that the others need; one row",
    "/account/tokens": "one row of this person's, whatever the project's size",
    "/account/tokens/{token_id}/revoke": "one row",
    "/api/v1/tokens": "one row",
    "/api/v1/tokens/{token_id}": "one row",
    "/admin/users/{user_id}/active": "rows of one person's sessions",
    "/api/v1/users/{user_id}": "rows of one person's sessions",
    "/runs/{run_id}/try": "asks a worker, and has no session meanwhile",
    "/api/v1/runs/{run_id}/predict": "asks a worker, and has no session meanwhile",
    "/runs/{run_id}/evaluate/file": "an upload, like the others; needs a model's labels",
    "/api/v1/runs/{run_id}/evaluate/file": "an upload, like the others; needs a model's labels",
    "/api/v1/projects/{project_id}/examples/{example_id}/lease": "one row, which has to be leased",
}
"""Routes that are not called here, and why."""


@dataclass(frozen=True)
class Result:
    """How one call went."""

    call: Call
    status: int
    held: Held


def call_all(application: FastAPI, size: int) -> list[Result]:
    """Every call of CALLS, in order, on a fresh site with so many examples."""
    scene = Scene.of(size)
    site = Site(application)
    program, browser = site.caller(scene.ada), site.browser(scene.ada)
    program.base_url = browser.base_url
    results = []
    with Meter().installed() as meter:
        for call in CALLS:
            about = _OTHER[call.about](scene) if call.about else {}
            path = call.path.format(**(scene.ids | about))
            words = call.send(scene)
            client = program if path.startswith("/api/") else browser
            with meter.watching() as held:
                answer = client.request(call.method, path, **words)
            results.append(Result(call, answer.status_code, held))
    return results
