"""How many rows a second does an import read and publish? Beside the raw driver inserting the same rows.

    python benchmarks/importing.py [--rows 50000 200000]

Imports so many labelled JSON Lines into a new project of a temporary SQLite database, and of one of PostgreSQL if
a server answers at ANNOTUNE_TEST_DATABASE_URL (127.0.0.1:5432 without it), in this process.
"""

import argparse
import io
import os
import shutil
import tempfile
import time
from uuid import uuid4

DATA = tempfile.mkdtemp(prefix="annotune-importing-")
os.environ["ANNOTUNE_DATA_DIR"] = DATA
os.environ["ANNOTUNE_REDIS_URL"] = "redis://127.0.0.1:1/0"

import orjson
from sqlalchemy import Engine, create_engine, insert, make_url, text
from sqlalchemy.exc import SQLAlchemyError

from app import db
from app.db import get_engine, session_scope
from app.migrate import migrate
from app.models import Example, Import, Project, User
from app.services import import_job, import_undo, importing, jobs, projects
from app.services.access import Actor
from app.services.import_rows import ImportOptions
from app.services.projects import ProjectFields
from app.settings import get_settings
from app.tasks.content import content_hash

LABELS = ("positive", "negative", "neutral")


def make_rows(count: int) -> list[dict[str, str]]:
    return [
        {
            "text": f"Review {n}: the film was as long as the queue for it, and no worse than the book.",
            "label": LABELS[n % 3],
            "id": f"r{n}",
        }
        for n in range(count)
    ]


def bare(project: Project, rows: list[dict[str, str]]) -> float:
    """Rows a second of one INSERT by the driver in one transaction, which is rolled back."""
    values = [
        {
            "project_id": project.id,
            "import_id": "none",
            "external_id": row["id"],
            "inputs": {"text": row["text"]},
            "meta": {},
            "content_hash": content_hash(row["text"]),
            "status": "staged",
        }
        for row in rows
    ]
    with get_engine().connect() as connection:
        began = time.monotonic()
        for start in range(0, len(values), 5000):
            connection.execute(insert(Example), values[start : start + 5000])
        took = time.monotonic() - began
        connection.rollback()
    return len(rows) / took


def measure(count: int) -> str:
    with session_scope() as session:
        user = User(email=f"{uuid4()}@example.org", name="Ada", password_hash="none")
        session.add(user)
    actor = Actor(user.id, user.is_admin)
    with session_scope() as session:
        project = projects.create(
            session, actor, task="sentiment", fields=ProjectFields(name="Reviews")
        )
    rows = make_rows(count)
    data = b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows)
    row = importing.upload(actor, project.id, filename="rows.jsonl", stream=io.BytesIO(data))
    with session_scope() as session:
        importing.start(session, actor, project.id, row.id, ImportOptions(format="jsonl"))
    with session_scope(read_only=True) as session:
        row = session.get_one(Import, row.id)
    claim = jobs.claim(row.job_id or "", "benchmark")
    assert claim is not None
    began = time.monotonic()
    import_job._decide(claim, row, import_job._stage(claim, row, project))
    staged = time.monotonic()
    import_job._publish(claim, row)
    shown = time.monotonic()
    with session_scope(read_only=True) as session:
        after = session.get_one(Project, project.id)
        assert (after.example_count, after.labelled_count) == (count, count)
    with session_scope() as session:
        import_undo.start(session, actor, project.id, row.id)
    with session_scope(read_only=True) as session:
        undo = session.get_one(Import, row.id).undo_job_id
    claim = jobs.claim(undo or "", "benchmark")
    assert claim is not None
    before_undo = time.monotonic()
    import_undo.run(claim)
    undone = time.monotonic()
    with session_scope(read_only=True) as session:
        after = session.get_one(Project, project.id)
        assert (after.example_count, after.labelled_count) == (0, 0)
    return (
        f"read {count / (staged - began):,.0f}, publish {count / (shown - staged):,.0f}, "
        f"undo {count / (undone - before_undo):,.0f}, bare insert {bare(project, rows):,.0f}"
    )


def server() -> Engine | None:
    url = make_url(
        os.environ.get(
            "ANNOTUNE_TEST_DATABASE_URL", "postgresql+psycopg://postgres@127.0.0.1:5432/postgres"
        )
    )
    engine = create_engine(url, isolation_level="AUTOCOMMIT", connect_args={"connect_timeout": 2})
    try:
        engine.connect().close()
    except SQLAlchemyError:
        return None
    return engine


def run(kind: str, counts: list[int]) -> None:
    db.dispose()
    get_settings.cache_clear()
    migrate()
    for count in counts:
        print(f"{kind}, {count:,} rows; rows a second: {measure(count)}", flush=True)
    db.dispose()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[50_000])
    parser.add_argument("--only", choices=["sqlite", "postgresql"])
    wanted = parser.parse_args()
    if wanted.only != "postgresql":
        os.environ.pop("ANNOTUNE_DATABASE_URL", None)
        run("SQLite", wanted.rows)
    engine = server() if wanted.only != "sqlite" else None
    if engine is None:
        return
    name = f"annotune_importing_{uuid4().hex[:8]}"
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    try:
        url = engine.url.set(database=name).render_as_string(hide_password=False)
        os.environ["ANNOTUNE_DATABASE_URL"] = url
        run("PostgreSQL", wanted.rows)
    finally:
        with engine.connect() as connection:
            connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))


if __name__ == "__main__":
    try:
        main()
    finally:
        shutil.rmtree(DATA, ignore_errors=True)
