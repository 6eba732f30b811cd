"""How near to the bare driver do data come in and go out? Imports and versions beside plain loops, in one run.

    python benchmarks/data.py [--rows 100000] [--only sqlite|postgresql] [--step plain labelled freeze]

Each step runs in a process of its own, ours and the bare one in turn, on a database of the product's own tables
and indexes: a temporary SQLite file, and a temporary database of PostgreSQL if a server answers at
ANNOTUNE_TEST_DATABASE_URL (127.0.0.1:5432 without it). The bare loops do what nobody can do without: orjson, the
text's hash, the driver's executemany or COPY, in one transaction, with nothing checked. Printed are rows a second,
what share of the bare loop's that is, and the peak of the process's memory.
"""

import argparse
import hashlib
import io
import multiprocessing
import os
import platform
import random
import resource
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
from sqlalchemy import create_engine, make_url, select, text
from sqlalchemy.exc import SQLAlchemyError

from app import db
from app.db import get_engine, session_scope
from app.migrate import migrate
from app.models import Import, Project, User, now
from app.services import freezing, import_job, import_undo, importing, jobs, projects, versions
from app.services.access import Actor
from app.services.import_rows import ImportOptions
from app.services.projects import ProjectFields
from app.settings import get_settings
from app.storage import get_storage
from app.tasks.content import content_hash

_LABELS = ("PER", "ORG", "LOC", "MISC")
_ENGLISH = "the council of Reykjavik approved a plan by Maria Ochoa to buy eleven ferries from Nordhavn Marine"
_OTHERS = "昨天下午 市政府 宣布 将在 河西 新建 三座 图书馆 由 李明 负责 🚢 naïve coöperation"
_WORDS = tuple(f"{_ENGLISH} {_OTHERS}".split(" "))


# -- the rows ------------------------------------------------------------------------------------------------


def make_rows(count: int, *, labelled: bool) -> bytes:
    """JSON Lines of texts of about 120 characters in several scripts, labelled ones with four or five spans."""
    rng = random.Random(7)
    lines = []
    for number in range(count):
        words = [rng.choice(_WORDS) for _ in range(20)]
        row: dict[str, Any] = {"id": f"r{number}", "text": " ".join(words)}
        if labelled:
            row["spans"] = list(_spans(words, rng))
        lines.append(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
    return b"".join(lines)


def _spans(words: list[str], rng: random.Random) -> Iterator[dict[str, Any]]:
    start = 0
    for word in words:
        if rng.random() < 0.23:
            yield {"start": start, "end": start + len(word), "label": rng.choice(_LABELS)}
        start += len(word) + 1


Timed = tuple[float, float]
"""Seconds, and seconds of the processor in this process."""


class _Clock:
    def __init__(self) -> None:
        self._began = time.monotonic(), time.process_time()

    def read(self) -> Timed:
        return time.monotonic() - self._began[0], time.process_time() - self._began[1]


# -- ours ----------------------------------------------------------------------------------------------------


def import_rows(rows: int, labelled: bool) -> Timed:
    """The job that reads a file and shows its rows."""
    actor, project = _project()
    stream = io.BytesIO(make_rows(rows, labelled=labelled))
    row = importing.upload(actor, project.id, filename="rows.jsonl", stream=stream)
    with session_scope() as session:
        importing.start(session, actor, project.id, row.id, ImportOptions(format="jsonl"))
    with session_scope(read_only=True) as session:
        job_id = session.get_one(Import, row.id).job_id
    took = _work(job_id, import_job.run)
    with session_scope(read_only=True) as session:
        after = session.get_one(Project, project.id)
        assert (after.example_count, after.labelled_count) == (rows, rows if labelled else 0)
    return took


def freeze(rows: int) -> Timed:
    """The job that writes a version of the newest project."""
    actor, project_id = _newest_project()
    with session_scope() as session:
        job_id = versions.create(session, actor, project_id).job_id
    return _work(job_id, freezing.run)


def undo(rows: int) -> Timed:
    """The job that takes the import of the newest project back."""
    actor, project_id = _newest_project()
    with session_scope() as session:
        row = session.scalars(select(Import).where(Import.project_id == project_id)).one()
        import_undo.start(session, actor, project_id, row.id)
        job_id = row.undo_job_id
    return _work(job_id, import_undo.run)


def _work(job_id: str | None, function: Callable[[jobs.Claim], None]) -> Timed:
    claim = jobs.claim(job_id or "", "benchmark")
    assert claim is not None
    clock = _Clock()
    function(claim)
    return clock.read()


def _project() -> tuple[Actor, Project]:
    with session_scope() as session:
        user = User(email=f"{uuid4()}@example.org", name="Ada", password_hash="none")
        session.add(user)
    actor = Actor(user.id, user.is_admin)
    with session_scope() as session:
        return actor, projects.create(
            session, actor, task="ner", fields=ProjectFields(name="Benchmark")
        )


def _newest_project() -> tuple[Actor, str]:
    with session_scope(read_only=True) as session:
        project = session.scalars(
            select(Project).where(Project.example_count > 0).order_by(Project.created_at.desc())
        ).first()
    assert project is not None
    return Actor(project.created_by, is_admin=False), project.id


# -- the bare loops ------------------------------------------------------------------------------------------

_EXAMPLES = (
    "id", "project_id", "external_id", "inputs", "meta", "content_hash", "status", "gold_id", "created_at",
)  # fmt: skip
_ANNOTATIONS = (
    "id", "project_id", "example_id", "source", "revision", "payload", "comment", "is_proposal", "created_at",
)  # fmt: skip


def bare_import(rows: int, labelled: bool) -> Timed:
    """The rows into the same tables in one transaction, visible at once."""
    _actor, project = _project()
    data = io.BytesIO(make_rows(rows, labelled=labelled))
    with _driver() as (connection, is_sqlite):
        (last,) = connection.execute("SELECT coalesce(max(id), 0) FROM examples").fetchone()
        (said,) = connection.execute("SELECT coalesce(max(id), 0) FROM annotations").fetchone()
        moment: Any = now().strftime("%Y-%m-%d %H:%M:%S.%f") if is_sqlite else now()
        status = "labelled" if labelled else "open"
        clock = _Clock()
        examples, annotations = [], []
        for number, line in enumerate(data, last + 1):
            row = orjson.loads(line)
            own, inputs = row["text"], orjson.dumps({"text": row["text"]}).decode()
            gold = said + number - last if labelled else None
            examples.append(
                (
                    number,
                    project.id,
                    row["id"],
                    inputs,
                    "{}",
                    content_hash(own),
                    status,
                    gold,
                    moment,
                )
            )
            if labelled:
                payload = orjson.dumps({"spans": row["spans"]}).decode()
                annotations.append(
                    (gold, project.id, number, "import", 1, payload, "", False, moment)
                )
            if len(examples) == 5000:
                _insert(connection, is_sqlite, "examples", _EXAMPLES, examples)
                _insert(connection, is_sqlite, "annotations", _ANNOTATIONS, annotations)
                examples, annotations = [], []
        _insert(connection, is_sqlite, "examples", _EXAMPLES, examples)
        _insert(connection, is_sqlite, "annotations", _ANNOTATIONS, annotations)
        connection.commit()
        took = clock.read()
    _set_sequences(last + rows, said + rows)
    return took


def _insert(
    connection: Any, is_sqlite: bool, table: str, columns: tuple[str, ...], rows: list[Any]
) -> None:
    if is_sqlite:
        places = ", ".join("?" * len(columns))
        statement = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})"  # noqa: S608
        connection.executemany(statement, rows)
    elif rows:
        statement = f"COPY {table} ({', '.join(columns)}) FROM STDIN"
        with connection.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(row)


def _set_sequences(examples: int, annotations: int) -> None:
    """So that the product's own ids come behind those given here."""
    if get_engine().dialect.name != "postgresql":
        return
    with get_engine().begin() as connection:
        for table, last in (("examples", examples), ("annotations", annotations)):
            sequence = f"pg_get_serial_sequence('{table}', 'id')"
            connection.execute(
                text(f"SELECT setval({sequence}, greatest(:last, nextval({sequence})))"),
                {"last": last},
            )


def bare_freeze(rows: int) -> Timed:
    """The gold of the newest project read with one statement and written to a file, line by line."""
    _actor, project_id = _newest_project()
    statement = (
        "SELECT e.id, e.external_id, e.content_hash, e.inputs, a.payload, e.meta FROM examples e "
        "JOIN annotations a ON a.id = e.gold_id WHERE e.project_id = {} ORDER BY e.id"
    )
    digest = hashlib.sha256()
    path = Path(get_settings().data_dir) / "bare.jsonl"
    clock = _Clock()
    with _driver() as (connection, is_sqlite), path.open("wb") as sink:
        cursor = connection.cursor() if is_sqlite else connection.cursor("bare")
        if not is_sqlite:
            cursor.itersize = 5000
        cursor.execute(statement.format("?" if is_sqlite else "%s"), (project_id,))
        count = 0
        for number, external_id, own, inputs, payload, meta in cursor:
            if is_sqlite:
                inputs, payload, meta = map(orjson.loads, (inputs, payload, meta))
            line = orjson.dumps(
                {
                    "id": number,
                    "external_id": external_id,
                    "split": "train" if own < "c" else "test",
                    "inputs": inputs,
                    "annotation": payload,
                    "meta": meta,
                },
                option=orjson.OPT_APPEND_NEWLINE,
            )
            digest.update(line)
            sink.write(line)
            count += 1
        sink.flush()
        os.fsync(sink.fileno())
    assert count == rows, count
    return clock.read()


@contextmanager
def _driver() -> Iterator[tuple[Any, bool]]:
    """A connection of the driver's own, and whether it is SQLite's."""
    url = get_engine().url
    if url.get_backend_name() == "sqlite":
        connection: Any = sqlite3.connect(url.database or "")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")
    else:
        import psycopg
        from psycopg.types.json import set_json_loads

        set_json_loads(orjson.loads)
        plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
        connection = psycopg.connect(plain)
    try:
        yield connection, url.get_backend_name() == "sqlite"
    finally:
        connection.close()


# -- versions' files in other formats: their steps go here, beside `freeze` ----------------------------------


# -- running -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Step:
    """Something to be measured, and what it is compared with."""

    title: str
    ours: Callable[..., Timed]
    bare: Callable[..., Timed] | None
    words: tuple[Any, ...] = ()


STEPS = {
    "plain": Step("import, plain rows", import_rows, bare_import, (False,)),
    "labelled": Step("import, labelled rows", import_rows, bare_import, (True,)),
    "freeze": Step("freeze to JSON Lines", freeze, bare_freeze),
    "undo": Step("take an import back", undo, None),
}


@dataclass(frozen=True)
class Cost:
    """What a step took."""

    seconds: float
    cpu: float
    """Seconds of the processor in this process: on SQLite all of the work, whatever else the machine does."""
    peak: int
    """MiB of memory, the rows to import among them."""


def _alone(function: Callable[..., Timed], *words: Any) -> Cost:
    took = function(*words)
    db.dispose()
    return Cost(*took, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10)


def measure(function: Callable[..., Timed], *words: Any) -> Cost:
    """The same from a process that is started for it."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as pool:
        return pool.submit(_alone, function, *words).result()


def run(kind: str, rows: int, steps: list[str]) -> None:
    """Measure on one database, and print a line of the table a step."""
    db.dispose()
    for cached in (get_settings, get_storage):
        cached.cache_clear()
    migrate()
    db.dispose()
    for step in (STEPS[name] for name in steps):
        bare = measure(step.bare, rows, *step.words) if step.bare else None
        ours = measure(step.ours, rows, *step.words)
        cells = [kind, step.title, f"{rows / ours.seconds:,.0f}", f"{ours.peak} MiB"]
        if bare:
            cells += [f"{rows / bare.seconds:,.0f}", f"{bare.peak} MiB"]
            cells += [f"{bare.seconds / ours.seconds:.0%}", f"{bare.cpu / ours.cpu:.0%}"]
        print("| " + " | ".join(cells) + " |", flush=True)


@contextmanager
def postgresql() -> Iterator[bool]:
    """A database of its own on the server, for the processes of this benchmark. False if no server answers."""
    url = make_url(
        os.environ.get(
            "ANNOTUNE_TEST_DATABASE_URL", "postgresql+psycopg://postgres@127.0.0.1:5432/postgres"
        )
    )
    engine = create_engine(url, isolation_level="AUTOCOMMIT", connect_args={"connect_timeout": 2})
    try:
        engine.connect().close()
    except SQLAlchemyError:
        yield False
        return
    name = f"annotune_data_{uuid4().hex[:8]}"
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    try:
        own = engine.url.set(database=name).render_as_string(hide_password=False)
        os.environ["ANNOTUNE_DATABASE_URL"] = own
        yield True
    finally:
        db.dispose()
        with engine.connect() as connection:
            connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--only", choices=["sqlite", "postgresql"])
    parser.add_argument("--step", nargs="+", choices=list(STEPS), default=list(STEPS))
    wanted = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="annotune-data-")
    os.environ["ANNOTUNE_DATA_DIR"] = folder
    os.environ["ANNOTUNE_REDIS_URL"] = "redis://127.0.0.1:1/0"
    os.environ.pop("ANNOTUNE_DATABASE_URL", None)
    print(f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print(f"{wanted.rows:,} rows; load {os.getloadavg()[0]:.1f}; rows a second\n")
    print("| database | step | Annotune | peak | bare driver | peak | share | of processor time |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    try:
        if wanted.only != "postgresql":
            run("SQLite", wanted.rows, wanted.step)
        if wanted.only != "sqlite":
            with postgresql() as answers:
                if answers:
                    run("PostgreSQL", wanted.rows, wanted.step)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
