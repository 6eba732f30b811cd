"""How long does a comparison of many runs take? Against the raw driver reading the same rows.

    python benchmarks/dashboard.py [--runs 200] [--points 5000] [--write docs/results.md]

Makes runs with curves in a temporary SQLite database, and in one of PostgreSQL if a server answers at
ANNOTUNE_TEST_DATABASE_URL (127.0.0.1:5432 without it), starts the web server, and asks for the page of
the comparison as a browser does. Needs no broker and no worker.
"""

import argparse
import http.client
import json
import os
import platform
import random
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

DATA = tempfile.mkdtemp(prefix="annotune-dashboard-")
os.environ["ANNOTUNE_DATA_DIR"] = DATA
os.environ["ANNOTUNE_REDIS_URL"] = "redis://127.0.0.1:1/0"
os.environ.pop("ANNOTUNE_DATABASE_URL", None)

import psycopg
from sqlalchemy import create_engine, insert, make_url, text
from sqlalchemy.exc import SQLAlchemyError

from app import db
from app.db import session_scope
from app.http.identity import COOKIE
from app.migrate import migrate
from app.models import Job, Project, Run, RunPoint, User, now
from app.services import accounts, comparing, projects, runs
from app.services.access import Actor
from app.services.projects import ProjectFields
from app.settings import get_settings
from app.training import FineTuneParams

TIMES = 7
ROOT = Path(__file__).parents[1]


def make(count: int, points: int) -> tuple[str, list[str], str]:
    """A project with runs that have ended; its id, theirs, and the secret of a session in a browser."""
    draw = random.Random(0)
    with session_scope() as session:
        user = User(email="bench@example.org", name="Bench", password_hash="-", is_admin=True)
        session.add(user)
        session.flush()
        project = projects.create(
            session, Actor(user.id, True), task="sentiment", fields=ProjectFields(name="Bench")
        )
        secret = accounts.start_session(session, user)
        made = [_run(project, user, n, draw) for n in range(count)]
        for job, run in made:
            session.add(job)
            session.flush()
            run.job_id = job.id
            session.add(run)
        session.flush()
        ids = [run.id for _job, run in made]
    with session_scope() as session:
        for start in range(0, points, 500):  # interleaved, as runs beside each other report
            span = range(start, min(points, start + 500))
            rows = [_step(run, n, draw) for n in span for run in ids]
            if not start % 500:
                rows += [_evaluation(run, start, draw) for run in ids]
            session.execute(insert(RunPoint), rows)
    with db.get_engine().connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("ANALYZE"))
    return project.id, ids, secret


def _run(project: Project, user: User, number: int, draw: random.Random) -> tuple[Job, Run]:
    params = FineTuneParams(
        learning_rate=draw.choice([1e-5, 3e-5, 1e-4]), batch_size=draw.choice([16, 32]), seed=number
    )
    job = Job(
        kind="finetune", queue="gpu", project_id=project.id, state="succeeded", finished_at=now()
    )
    scores = {name: draw.uniform(0.7, 0.9) for name in ("accuracy", "macro_f1", "mcc")}
    report = {"scores": scores, "examples": 1000}
    run = Run(
        project_id=project.id,
        name=f"run {number}",
        params=params.model_dump(mode="json"),
        result={"primary": "macro_f1", "metrics": {"test": report, "validation": report}},
        created_by=user.id,
    )
    return job, run


def _step(run: str, n: int, draw: random.Random) -> dict[str, Any]:
    values = {
        "loss": round(2 / (1 + n / 500) + draw.gauss(0, 0.05), 6),
        "learning_rate": 1e-4,
        "epoch": round(n / 500, 4),
        "total_steps": 50_000,
        "seconds": round(n * 0.25, 2),
        "eta_seconds": 100,
    }
    return {"run_id": run, "kind": "step", "step": n * 10 + draw.randrange(10), "values": values}


def _evaluation(run: str, n: int, draw: random.Random) -> dict[str, Any]:
    metrics = {"loss": draw.uniform(0.3, 0.6), "macro_f1": draw.uniform(0.6, 0.9)}
    values = {"split": "validation", "metrics": metrics}
    return {"run_id": run, "kind": "evaluation", "step": n * 10, "values": values}


def timed(action: Callable[[], Any]) -> float:
    """The median of the seconds that it takes, after one time to warm up."""
    action()
    taken = []
    for _ in range(TIMES):
        start = time.perf_counter()
        action()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def kept_ids(ids: list[str]) -> list[int]:
    """The keys of the rows that the page reads: found by what it shows."""
    with session_scope(read_only=True) as session:
        wanted = {
            (run, kind, point["step"])
            for kind in ("step", "evaluation")
            for run, points in runs.curves(
                session, ids, kind, most=comparing.points_for(len(ids))
            ).items()
            for point in points
        }
        rows = session.execute(text("SELECT id, run_id, kind, step FROM run_points"))
        return [row.id for row in rows if (row.run_id, row.kind, row.step) in wanted]


def raw(keys: list[int], url: str) -> Callable[[], list[Any]]:
    """The driver alone, reading the same rows by their keys."""
    if url.startswith("sqlite"):
        connection: Any = sqlite3.connect(get_settings().data_dir / "annotune.sqlite3")
        listed = json.dumps(keys)
        query = 'SELECT run_id, step, "values" FROM run_points WHERE id IN (SELECT value FROM json_each(?))'
        return lambda: list(connection.execute(query, (listed,)))
    connection = psycopg.connect(url.replace("+psycopg", ""))
    query = 'SELECT run_id, step, "values" FROM run_points WHERE id = ANY(%s)'
    return lambda: connection.execute(query, (keys,)).fetchall()


def serve(port: int) -> "subprocess.Popen[bytes]":
    """The web server as `annotune up` starts it."""
    command = [sys.executable, "-m", "uvicorn", "app.main:create_app", "--factory"]
    process = subprocess.Popen(
        [*command, "--port", str(port), "--log-level", "warning"], cwd=ROOT, env=os.environ
    )
    for _ in range(1200):  # a busy machine takes its time
        with socket.socket() as probe:
            if not probe.connect_ex(("127.0.0.1", port)):
                return process
        time.sleep(0.1)
    process.kill()
    raise SystemExit("the web server does not start")


def measure(count: int, points: int) -> Iterator[str]:
    """The lines of the table for the database that the settings name."""
    migrate()
    url = get_settings().database
    project, ids, secret = make(count, points)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = serve(port)
    path = f"/projects/{project}/compare?" + "&".join(f"run={run}" for run in ids)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    sizes = []

    def ask() -> None:
        connection.request("GET", path, headers={"Cookie": f"{COOKIE}={secret}"})
        answer = connection.getresponse()
        body = answer.read()
        assert answer.status == 200, body[:2000]
        sizes.append(len(body))

    try:
        keys = kept_ids(ids)
        page = timed(ask)
        driver = timed(raw(keys, url))
        page_again = timed(ask)
    finally:
        process.terminate()
        process.wait()
        db.dispose()
    kind = "SQLite" if url.startswith("sqlite") else "PostgreSQL"
    best = min(page, page_again)
    yield (
        f"| {kind} | {count} × {points:,} | {len(keys):,} | **{best:.2f} s** | {driver * 1000:.0f} ms"
        f" | {best / driver:.1f} | {sizes[-1] / 2**20:.1f} MiB |"
    )


def postgresql() -> Iterator[str]:
    """The URL of a database of our own, dropped afterwards; nothing without a server."""
    asked = os.environ.get(
        "ANNOTUNE_TEST_DATABASE_URL", "postgresql+psycopg://postgres@127.0.0.1:5432/postgres"
    )
    url = make_url(asked)
    engine = create_engine(url, isolation_level="AUTOCOMMIT", connect_args={"connect_timeout": 2})
    name = f"annotune_bench_{os.getpid()}"
    try:
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
    except SQLAlchemyError:
        return
    try:
        yield url.set(database=name).render_as_string(hide_password=False)
    finally:
        with engine.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    words.add_argument("--runs", type=int, default=200)
    words.add_argument("--points", type=int, default=5000)
    words.add_argument("--write", type=Path)
    chosen = words.parse_args()
    lines = [
        f"Measured on {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"{datetime.now(UTC):%Y-%m-%d}. The median of {TIMES}.",
        "",
        "| database | runs × points | rows read | the page over HTTP | the driver alone | ratio | page |",
        "|---|---|---|---|---|---|---|",
        *measure(chosen.runs, chosen.points),
    ]
    for url in postgresql():
        os.environ["ANNOTUNE_DATABASE_URL"] = url
        get_settings.cache_clear()
        lines += measure(chosen.runs, chosen.points)
    print("\n".join(lines))
    if chosen.write:
        page = chosen.write.read_text()
        before, _, rest = page.partition("<!-- dashboard -->\n")
        _, _, after = rest.partition("<!-- end of dashboard -->")
        table = "\n".join(lines) + "\n"
        chosen.write.write_text(
            f"{before}<!-- dashboard -->\n{table}<!-- end of dashboard -->{after}"
        )


if __name__ == "__main__":
    main()
