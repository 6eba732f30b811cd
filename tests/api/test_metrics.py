"""Metrics: who may read them, what they say, and that the dashboard asks for nothing that is not there."""

import json
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import event, insert, text

from app.db import get_engine, session_scope
from app.http.statics import statics
from app.main import create_app
from app.models import RunPoint, User
from app.services import figures, jobs, workers
from app.services.versions import SplitPercent
from app.settings import get_settings
from tests.api.conftest import Site
from tests.api.test_workers import FACTS
from tests.factories import (
    fill,
    freeze,
    labelled_rows,
    make_project,
    make_token,
    make_user,
)

DASHBOARD = Path(__file__).parents[2] / "docs/grafana/annotune.json"


class Measured:
    """A server with metrics, and what they say."""

    def __init__(self) -> None:
        self.application = create_app()
        self.client = TestClient(self.application, follow_redirects=False)

    def scrape(self) -> str:
        answer = self.client.get("/metrics", headers={"Authorization": "Bearer let-me-in"})
        assert answer.status_code == 200
        return answer.text

    def samples(self, name: str) -> dict[tuple[tuple[str, str], ...], float]:
        return {
            tuple(sorted(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(self.scrape())
            for sample in family.samples
            if sample.name == name
        }

    def value(self, name: str, **labels: str) -> float:
        return self.samples(name).get(tuple(sorted(labels.items())), 0.0)


@pytest.fixture
def with_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANNOTUNE_METRICS_TOKEN", "let-me-in")
    get_settings.cache_clear()


@pytest.fixture
def measured(database: str, monkeypatch: pytest.MonkeyPatch) -> Measured:
    monkeypatch.setenv("ANNOTUNE_METRICS_TOKEN", "let-me-in")
    get_settings.cache_clear()
    return Measured()


def test_they_are_off_unless_the_settings_want_them(quick_site: Site) -> None:
    assert TestClient(create_app()).get("/metrics").status_code == 404


def test_a_token_opens_them_and_nothing_else_does(sqlite: str, with_token: None) -> None:
    client = TestClient(create_app(), client=("127.0.0.1", 4711))
    admin = make_token(make_user("Ada", admin=True))
    for words in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Bearer {admin}"}):
        answer = client.get("/metrics", headers=words)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert "annotune_" not in answer.text
    answer = client.get("/metrics", headers={"Authorization": "Bearer let-me-in"})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")


def test_this_machine_may_ask_if_the_settings_say_so_but_not_a_proxy_on_it(
    sqlite: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANNOTUNE_METRICS_LOOPBACK", "true")
    get_settings.cache_clear()
    application = create_app()

    def ask(host: str, **headers: str) -> int:
        return (
            TestClient(application, client=(host, 1)).get("/metrics", headers=headers).status_code
        )

    assert ask("127.0.0.1") == 200
    assert ask("::1") == 200
    assert ask("192.0.2.7") == 401
    assert ask("testclient") == 401
    assert ask("127.0.0.1", **{"X-Forwarded-For": "192.0.2.7"}) == 401
    assert ask("127.0.0.1", Forwarded="for=192.0.2.7") == 401


def test_requests_are_counted_by_the_template_of_their_address(measured: Measured) -> None:
    name = "annotune_http_request_duration_seconds_count"
    ada = make_user("Ada", admin=True)
    measured.client.headers["Authorization"] = f"Bearer {make_token(ada)}"
    project = make_project(ada)
    before = measured.samples(name)
    for _ in range(3):
        measured.client.get(f"/api/v1/projects/{project.id}")
    measured.client.get("/api/v1/projects/222222222222")
    measured.client.get(f"/projects/{project.id}/versions")
    measured.client.request("BREW", "/coffee")
    for n in range(5):
        measured.client.get(f"/nowhere/{n}")
    measured.client.get(statics().url("css/base.css"))
    grown = {
        labels: value - before.get(labels, 0)
        for labels, value in measured.samples(name).items()
        if value != before.get(labels, 0)
    }
    found = {(dict(k)["method"], dict(k)["route"], dict(k)["status"]): v for k, v in grown.items()}
    found.pop(("GET", "/metrics", "200"), None)
    assert found == {
        ("GET", "/api/v1/projects/{project_id}", "200"): 3,
        ("GET", "/api/v1/projects/{project_id}", "404"): 1,
        ("GET", "/projects/{project_id}/versions", "200"): 1,
        ("GET", "none", "404"): 5,
        ("other", "none", "404"): 1,
        ("GET", "/static", "200"): 1,
    }
    assert not re.search(project.id, measured.scrape())


def test_transactions_are_timed_by_whether_they_write(measured: Measured) -> None:
    def count(mode: str) -> float:
        return measured.value("annotune_database_transaction_seconds_count", mode=mode)

    def total(mode: str) -> float:
        return measured.value("annotune_database_transaction_seconds_sum", mode=mode)

    writing, seconds = count("writing"), total("writing")
    ada = make_user("Ada")
    with session_scope() as session:
        session.get_one(User, ada.id).name = "Ada L."
        session.flush()
        time.sleep(0.2)
    assert count("writing") == writing + 2
    assert 0.2 <= total("writing") - seconds < 2
    reading = count("reading")
    with session_scope(read_only=True) as session:
        session.get_one(User, ada.id)
    assert count("reading") >= reading + 1
    assert count("writing") == writing + 2


def test_writers_that_wait_are_seen(measured: Measured) -> None:
    ada = make_user("Ada")
    sqlite = "sqlite" in get_settings().database
    holding, release = threading.Event(), threading.Event()

    def write(pause: bool) -> None:
        with session_scope() as session:
            session.execute(text("UPDATE users SET name = name"))
            if pause:
                holding.set()
                release.wait(30)

    threads = [threading.Thread(target=write, args=[pause]) for pause in (True, False, False)]
    threads[0].start()
    assert holding.wait(10)
    for thread in threads[1:]:
        thread.start()
    name = "annotune_database_writers_waiting" if sqlite else "annotune_database_lock_waits"
    deadline = time.monotonic() + 20
    while (seen := measured.value(name)) != 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    release.set()
    for thread in threads:
        thread.join()
    assert seen == 2
    assert measured.value(name) == 0
    assert ada.id


def test_jobs_queues_workers_and_trainings(measured: Measured) -> None:
    ada = make_user("Ada", admin=True)
    project = make_project(ada)
    fill(project, ada, labelled_rows())
    freeze(project, ada, split=SplitPercent(train=100, validation=0, test=0))
    measured.client.headers["Authorization"] = f"Bearer {make_token(ada)}"
    path = f"/api/v1/projects/{project.id}/runs"
    first, _second = (measured.client.post(path, json={"version": 1}).json() for _ in range(2))
    workers.announce("gpu-1@box", **FACTS | {"gpu_memory_total": 8, "gpu_memory_available": 3})
    assert jobs.claim(first["job"]["id"], "gpu-1@box:1")
    with session_scope() as session:
        for step, speed in ((1, 100.0), (2, 250.0)):
            session.execute(
                insert(RunPoint).values(
                    run_id=first["id"], kind="step", step=step, values={"tokens_per_second": speed}
                )
            )
    value = measured.value
    assert value("annotune_jobs", kind="finetune", state="running") == 1
    assert value("annotune_jobs", kind="finetune", state="queued") == 1
    assert value("annotune_jobs_of_a_day", kind="import", state="succeeded") == 1
    assert value("annotune_queue_waiting", queue="gpu", device="any") == 1
    assert measured.samples("annotune_queue_waiting")[("device", "any"), ("queue", "cpu")] == 0
    assert value("annotune_workers", queue="gpu", device="cpu") == 1
    assert value("annotune_worker_gpu_memory_available_bytes", worker="gpu-1@box") == 3
    assert value("annotune_training_tokens_per_second", run=first["id"], kind="finetune") == 250
    assert value("process_resident_memory_bytes") > 1e7
    assert value("annotune_database_up") == 1


def test_a_database_that_is_away_is_a_figure(
    with_token: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANNOTUNE_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/x")
    get_settings.cache_clear()
    measured = Measured()
    assert measured.samples("annotune_database_up") == {(): 0.0}
    assert measured.value("process_resident_memory_bytes") > 0


def _asked_for() -> Iterator[str]:
    document = json.loads(DASHBOARD.read_text())
    for panel in document["panels"]:
        for target in panel.get("targets", []):
            yield from re.findall(r"\b(?:annotune|process)_\w+", target["expr"])
    yield from re.findall(r"annotune_\w+", document["templating"]["list"][1]["query"])


def test_the_dashboard_asks_for_metrics_that_exist_and_for_all_of_ours(measured: Measured) -> None:
    known = set(re.findall(r"^# TYPE (\S+)", measured.scrape(), re.M))
    asked = {re.sub(r"_(bucket|count|sum)$", "", name) for name in _asked_for()}
    if "annotune_database_lock_waits" not in known:
        asked.discard("annotune_database_lock_waits")  # PostgreSQL's
    assert asked <= known
    assert {name for name in known if name.startswith("annotune_")} <= asked


def test_a_scrape_reads_no_table_as_a_whole(sqlite: str) -> None:
    """However many jobs have ended, and however many runs have reported."""
    asked: list[tuple[str, Any]] = []

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        asked.append((statement, parameters))

    engine = get_engine()
    event.listen(engine, "before_cursor_execute", note)
    with session_scope(read_only=True) as session:
        figures.gather(session)
    event.remove(engine, "before_cursor_execute", note)
    with engine.connect() as connection:
        for statement, parameters in asked:
            if not statement.startswith("SELECT") or "FROM workers" in statement:
                continue  # workers that were gone for a day are forgotten
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            assert not [row.detail for row in plan if row.detail.startswith("SCAN")], statement
