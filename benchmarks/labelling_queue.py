"""Does labelling stay as quick in a project of a million examples? Beside the raw driver sending the same statements.

    python benchmarks/labelling_queue.py [--sizes 10000 1000000] [--people 16] [--rounds 30] [--write docs/results.md]

Makes a project of each size in a temporary SQLite database, and in one of PostgreSQL if a server answers at
ANNOTUNE_TEST_DATABASE_URL (127.0.0.1:5432 without it): a tenth is labelled, all of it by one person. Then so
many people, the same one among them, each in a thread of their own, ask for the next example and save it, through
the services and in transactions as the API has them; then the raw driver does the same. The sizes take turns,
so that what else the machine does harms them alike.
"""

import argparse
import os
import platform
import re
import sqlite3
import statistics
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

DATA = tempfile.mkdtemp(prefix="annotune-queue-")
os.environ["ANNOTUNE_DATA_DIR"] = DATA
os.environ["ANNOTUNE_REDIS_URL"] = "redis://127.0.0.1:1/0"
os.environ.pop("ANNOTUNE_DATABASE_URL", None)

import psycopg
from sqlalchemy import (
    String,
    case,
    cast,
    create_engine,
    insert,
    literal,
    make_url,
    null,
    select,
    text,
    update,
)
from sqlalchemy.exc import SQLAlchemyError

from app import db
from app.db import get_engine, session_scope
from app.migrate import migrate
from app.models import Annotation, Contribution, Example, Member, Project, User, now
from app.models.base import JsonType, UtcDateTime
from app.services import annotating, projects, queue
from app.services.access import Actor
from app.services.annotating import Draft
from app.services.projects import ProjectFields
from app.settings import get_settings

TURNS = 3
PAYLOAD = '{"labels":["neutral"]}'

# One next and one save, as the services send them: (statements of a transaction).
_SAID = """SELECT a.*, u.name FROM annotations a LEFT JOIN users u ON u.id = a.user_id
 WHERE a.example_id = :example AND (a.revision = (SELECT max(b.revision) FROM annotations b
  WHERE b.example_id = a.example_id AND b.user_id = a.user_id)
  OR a.user_id IS NULL OR a.id = :gold) ORDER BY a.id DESC"""
_PROJECT = "SELECT * FROM projects WHERE id = :project"
_ROLE = "SELECT role FROM members WHERE project_id = :project AND user_id = :user"
_HELD = """SELECT id FROM examples WHERE project_id = :project AND lease_user_id IS NOT NULL
 AND lease_user_id = :user AND lease_until > :now"""
_LEFT = """UPDATE examples SET lease_user_id = :user, lease_until = :until WHERE id = (SELECT id FROM examples
 WHERE project_id = :project AND lease_user_id IS NOT NULL AND lease_until < :now
 ORDER BY lease_until, id LIMIT 1 {lock}) RETURNING id"""
_FREE = """UPDATE examples SET lease_user_id = :user, lease_until = :until WHERE id = (SELECT id FROM examples
 WHERE project_id = :project AND status = 'open' AND lease_user_id IS NULL
 ORDER BY id + 0 LIMIT 1 {lock}) RETURNING id"""
_EXAMPLE = (
    "SELECT * FROM examples WHERE id = :example AND project_id = :project AND status <> 'staged'"
)
_COUNTERS = "SELECT * FROM contributions WHERE project_id = :project AND user_id = :user"
_KEY = "SELECT * FROM annotations WHERE user_id = :user AND client_key = :key"
_INSERT = """INSERT INTO annotations
 (project_id, example_id, user_id, source, revision, payload, is_proposal, comment, client_key, created_at)
 VALUES (:project, :example, :user, 'person', 1, :payload, FALSE, '', :key, :now) RETURNING id"""
_GOLD = """UPDATE examples SET status = 'labelled', gold_id = :gold, lease_user_id = NULL, lease_until = NULL
 WHERE id = :example"""
_COUNT = """INSERT INTO contributions (project_id, user_id, annotated, skipped, changed)
 VALUES (:project, :user, 1, 0, 0) ON CONFLICT (project_id, user_id)
 DO UPDATE SET annotated = contributions.annotated + 1"""
_DONE = "UPDATE projects SET labelled_count = labelled_count + 1 WHERE id = :project"


@dataclass(frozen=True)
class Place:
    """A project of some size in a database of its own."""

    url: str
    size: int
    project: str
    people: tuple[str, ...]

    @property
    def kind(self) -> str:
        return "SQLite" if self.url.startswith("sqlite") else "PostgreSQL"


def use(url: str) -> None:
    """Make the application use this database."""
    db.dispose()
    os.environ["ANNOTUNE_DATABASE_URL"] = url
    get_settings.cache_clear()


def make(url: str, size: int, people: int) -> Place:
    """A project with so many examples, of which the first person has labelled a tenth."""
    use(url)
    migrate()
    with session_scope() as session:
        users = [
            User(email=f"p{n}@example.org", name=f"Person {n}", password_hash="-")
            for n in range(people)
        ]
        session.add_all(users)
        session.flush()
        fields = ProjectFields(name="Bench")
        project = projects.create(
            session, Actor(users[0].id, True), task="sentiment", fields=fields
        )
        session.add_all(
            Member(project_id=project.id, user_id=user.id, role="annotator") for user in users[1:]
        )
    labelled = size // 10
    inputs = {"text": "A warm and funny film, and yet I was glad when it was over at last."}
    n = select(literal(1).label("i")).cte("n", recursive=True)
    n = n.union_all(select(n.c.i + 1).where(n.c.i < size))
    example = {
        "id": n.c.i,
        "project_id": literal(project.id),
        "inputs": literal(inputs, JsonType),
        "meta": literal({}, JsonType),
        "content_hash": cast(n.c.i, String),
        "created_at": literal(now(), UtcDateTime()),
        "status": case((n.c.i <= labelled, "labelled"), else_="open"),
        "gold_id": case((n.c.i <= labelled, n.c.i), else_=null()),
    }
    annotation = {
        "id": n.c.i,
        "project_id": literal(project.id),
        "example_id": n.c.i,
        "user_id": literal(users[0].id),
        "source": literal("person"),
        "revision": literal(1),
        "payload": literal({"labels": ["neutral"]}, JsonType),
        "comment": literal(""),
        "created_at": literal(now(), UtcDateTime()),
    }
    with session_scope() as session:
        if get_engine().dialect.name == "postgresql":
            session.execute(text("SET LOCAL statement_timeout = 0"))
        session.execute(insert(Example).from_select(list(example), select(*example.values())))
        said = select(*annotation.values()).where(n.c.i <= labelled)
        session.execute(insert(Annotation).from_select(list(annotation), said))
        session.add(Contribution(project_id=project.id, user_id=users[0].id, annotated=labelled))
        session.execute(update(Project).values(example_count=size, labelled_count=labelled))
        if get_engine().dialect.name == "postgresql":
            session.execute(text(f"SELECT setval('annotations_id_seq', {labelled})"))
    with get_engine().connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))
    return Place(url, size, project.id, tuple(user.id for user in users))


Round = Callable[[str], tuple[float, float]]
"""One next and one save of a person: the seconds of each."""


@contextmanager
def services(place: Place) -> Iterator[Round]:
    use(place.url)

    def one(user: str) -> tuple[float, float]:
        actor = Actor(user)
        start = time.perf_counter()
        with session_scope() as session:
            item = queue.next_example(session, actor, place.project)
        middle = time.perf_counter()
        assert item is not None
        draft = Draft(payload={"labels": ["neutral"]}, base=item.base, client_key=uuid4().hex)
        with session_scope() as session:
            annotating.save(session, actor, place.project, item.id, draft)
        return middle - start, time.perf_counter() - middle

    yield one
    db.dispose()


@contextmanager
def driver(place: Place) -> Iterator[Round]:
    """The same statements, sent by the raw driver; on SQLite, writers take turns as they do in Annotune."""
    local, turn, opened = threading.local(), threading.Lock(), []
    is_sqlite = place.url.startswith("sqlite")
    lock = "" if is_sqlite else "FOR UPDATE SKIP LOCKED"

    def connect() -> Any:
        if not hasattr(local, "connection"):
            if is_sqlite:
                made: Any = sqlite3.connect(
                    place.url.removeprefix("sqlite:///"),
                    isolation_level=None,
                    check_same_thread=False,
                )
                made.executescript("PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON")
            else:
                made = psycopg.connect(place.url.replace("+psycopg", ""), autocommit=True)
            opened.append(made)
            local.connection = made
        return local.connection

    def send(statement: str, values: dict[str, Any]) -> list[Any]:
        if not is_sqlite:
            statement = re.sub(r":(\w+)", r"%(\1)s", statement)
        done = connect().execute(statement, values)
        return list(done.fetchall()) if done.description else []

    def claim(values: dict[str, Any]) -> int:
        send("BEGIN IMMEDIATE" if is_sqlite else "BEGIN", {})
        for statement in (_PROJECT, _ROLE, _HELD):
            send(statement, values)
        found = send(_LEFT.format(lock=lock), values) or send(_FREE.format(lock=lock), values)
        example: int = found[0][0]
        values |= {"example": example, "gold": None}
        for statement in (_EXAMPLE, _SAID, _ROLE, _COUNTERS):
            send(statement, values)
        send("COMMIT", {})
        return example

    def save(values: dict[str, Any]) -> None:
        send("BEGIN IMMEDIATE" if is_sqlite else "BEGIN", {})
        send(_PROJECT, values)
        send(_ROLE, values)
        send(_EXAMPLE + ("" if is_sqlite else " FOR UPDATE"), values)
        for statement in (_KEY, _SAID, _ROLE):
            send(statement, values)
        values["gold"] = send(_INSERT, values)[0][0]
        for statement in (_GOLD, _COUNT, _DONE):
            send(statement, values)
        send("COMMIT", {})

    def in_turn(work: Callable[[dict[str, Any]], Any], values: dict[str, Any]) -> float:
        start = time.perf_counter()
        if is_sqlite:
            with turn:
                work(values)
        else:
            work(values)
        return time.perf_counter() - start

    def one(user: str) -> tuple[float, float]:
        def time_of(moment: datetime) -> Any:
            return f"{moment:%Y-%m-%d %H:%M:%S.%f}" if is_sqlite else moment

        values: dict[str, Any] = {
            "project": place.project,
            "user": user,
            "now": time_of(datetime.now(UTC)),
            "until": time_of(datetime.now(UTC) + timedelta(minutes=30)),
            "key": uuid4().hex,
            "payload": PAYLOAD,
        }
        return in_turn(claim, values), in_turn(save, values)

    yield one
    for connection in opened:
        connection.close()


def run(one: Round, people: tuple[str, ...], rounds: int) -> list[tuple[float, float]]:
    """Everybody at once, each so many times."""
    start = threading.Barrier(len(people))

    def work(user: str) -> list[tuple[float, float]]:
        start.wait()
        return [one(user) for _ in range(rounds)]

    with ThreadPoolExecutor(len(people)) as pool:
        return [times for done in pool.map(work, people) for times in done]


def p95(times: list[float]) -> float:
    return statistics.quantiles(times, n=20)[18] * 1000


def measure(places: list[Place], rounds: int) -> Iterator[str]:
    """The lines of the table for the sizes of one kind of database."""
    found: dict[tuple[str, int], list[tuple[float, float]]] = defaultdict(list)
    ways = {"services": services, "driver": driver}
    for turn in range(TURNS + 1):
        for name, way in ways.items():
            for place in places:
                with way(place) as one:
                    times = run(one, place.people, max(1, rounds // TURNS))
                if turn:  # the first one fills the caches
                    found[name, place.size] += times
    for what, column in (("next", 0), ("save", 1)):
        least: dict[str, float] = {}
        for place in places:
            ours, bare = ([times[column] for times in found[name, place.size]] for name in ways)
            for name, times in (("services", ours), ("driver", bare)):
                least.setdefault(name, p95(times))
            yield (
                f"| {place.kind} | {what} | {place.size:,} | {statistics.median(ours) * 1000:.1f} ms"
                f" | **{p95(ours):.1f} ms** | {p95(ours) / least['services']:.2f}"
                f" | {p95(bare):.1f} ms | {p95(bare) / least['driver']:.2f}"
                f" | {statistics.median(ours) / statistics.median(bare):.1f} |"
            )


@contextmanager
def postgresql(sizes: list[int]) -> Iterator[list[str]]:
    """The URLs of databases of our own, dropped afterwards; none without a server."""
    asked = os.environ.get(
        "ANNOTUNE_TEST_DATABASE_URL", "postgresql+psycopg://postgres@127.0.0.1:5432/postgres"
    )
    url = make_url(asked)
    engine = create_engine(url, isolation_level="AUTOCOMMIT", connect_args={"connect_timeout": 2})
    names = [f"annotune_queue_{os.getpid()}_{size}" for size in sizes]
    try:
        with engine.connect() as connection:
            for name in names:
                connection.execute(text(f"CREATE DATABASE {name}"))
    except SQLAlchemyError:
        yield []
        return
    try:
        yield [url.set(database=name).render_as_string(hide_password=False) for name in names]
    finally:
        db.dispose()
        with engine.connect() as connection:
            for name in names:
                connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    words.add_argument("--sizes", type=int, nargs="+", default=[10_000, 1_000_000])
    words.add_argument("--people", type=int, default=16)
    words.add_argument("--rounds", type=int, default=30)
    words.add_argument("--write", type=Path)
    chosen = words.parse_args()
    lines = [
        f"Measured on {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"{datetime.now(UTC):%Y-%m-%d}: {chosen.people} people at once, {chosen.rounds} rounds each, "
        f"a tenth of the project labelled by one of them. Load of the machine before: "
        f"{os.getloadavg()[0]:.1f}.",
        "",
        "| database | | examples | median | p95 | × smallest | driver, p95 | × smallest | median, × driver |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    local = [f"sqlite:///{DATA}/{size}.sqlite3" for size in chosen.sizes]
    with postgresql(chosen.sizes) as remote:
        for urls in filter(None, (local, remote)):
            places = [
                make(url, n, chosen.people) for url, n in zip(urls, chosen.sizes, strict=True)
            ]
            lines += measure(places, chosen.rounds)
    print("\n".join(lines))
    if chosen.write:
        page = chosen.write.read_text()
        before, _, rest = page.partition("<!-- queue -->\n")
        _, _, after = rest.partition("<!-- end of queue -->")
        table = "\n".join(lines) + "\n"
        chosen.write.write_text(f"{before}<!-- queue -->\n{table}<!-- end of queue -->{after}")


if __name__ == "__main__":
    main()
