"""Upgrading what version 0.1 has left, on both databases, and going back to it.

The fixtures are dumps of a database that 0.1 made (schema 0008): two people, a sentiment project with labels of an
import and of a person, a skipped example, an open one that is reserved, a version, a queued run; and a Chinese
project with entities.
"""

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, make_url, select, text
from typer.testing import CliRunner

from app import db
from app.cli import command_line
from app.db import session_scope
from app.migrate import head_revision, migrate
from app.models import AuditEntry, DatasetVersion, Project, User
from app.settings import get_settings
from tests.api.conftest import Site
from tests.conftest import forget_everything
from tests.factories import PASSWORD, freeze

FIXTURES = Path(__file__).parent / "fixtures"
ROWS = {"users": 2, "projects": 2, "examples": 13, "annotations": 9, "versions": 1, "runs": 1}
SHA256 = "099e948115970e2c90bed5dba7c8beae5f0686fb5dc83a6e7cb48f1f530a8779"


def load() -> None:
    """Make the database that the settings name one that 0.1 has left."""
    url = make_url(get_settings().database)
    script = (FIXTURES / f"0.1.{url.get_backend_name()}.sql").read_text()
    db.dispose()
    if url.get_backend_name() == "sqlite":
        path = Path(str(url.database))
        path.unlink(missing_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        with sqlite3.connect(path) as connection:
            connection.executescript(script)
        connection.close()
        return
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
        driver: Any = connection.connection.driver_connection
        driver.execute(script)
    engine.dispose()


@pytest.fixture
def left_by_0_1(request: pytest.FixtureRequest, database: str) -> Any:
    load()
    yield
    db.dispose()
    if "postgresql" in database:  # the next test of this process wants the tables of now
        migrate()


def counts() -> dict[str, int]:
    with session_scope(read_only=True) as session:
        return {
            name: session.scalar(text(f"SELECT count(*) FROM {name}")) or 0  # noqa: S608
            for name in ROWS
        }


def test_an_upgrade_from_0_1_keeps_everything_and_people_go_on(left_by_0_1: None) -> None:
    with db.get_engine().connect() as connection:
        assert connection.scalar(text("SELECT version_num FROM alembic_version")) == "0008"
    assert migrate()
    assert not migrate()
    assert counts() == ROWS
    with session_scope() as session:
        ada = session.scalars(select(User).where(User.is_admin)).one()
        reviews = session.scalars(select(Project).where(Project.name == "Reviews")).one()
        assert (reviews.example_count, reviews.labelled_count) == (11, 7)
        assert session.scalars(select(DatasetVersion.sha256)).one() == SHA256
        entry = session.scalars(select(AuditEntry).order_by(AuditEntry.id).limit(1)).one()
        assert entry.address is None
    known = {"email": ada.email, "password": PASSWORD}
    assert Site(_application()).anonymous().post("/login", data=known).status_code == 303
    api = Site(_application()).caller(ada)
    path = f"/projects/{reviews.id}"
    statuses = [row["status"] for row in api.get(f"{path}/examples").json()["items"]]
    assert sorted(statuses) == ["labelled"] * 7 + ["open"] * 3 + ["skipped"]
    assert api.post(f"{path}/queue/next").status_code == 200
    assert len(api.get("/audit?limit=100").json()["items"]) >= 8
    with session_scope(read_only=True) as session:
        chinese = session.scalars(select(Project).where(Project.name == "新闻")).one()
    assert freeze(chinese, ada).counts["examples"] == 1


def _application() -> Any:
    from app.main import create_app

    return create_app()


def test_going_back_is_restoring_the_backup_from_before(left_by_0_1: None, tmp_path: Path) -> None:
    """A newer program backs up and restores what 0.1 has left, before it changes anything."""
    with session_scope(read_only=True) as session:
        version = session.scalar(text("SELECT id FROM versions"))
    files = get_settings().data_dir / "files" / "versions" / str(version)
    files.mkdir(parents=True)
    for name in ("data.jsonl", "manifest.json"):
        (files / name).write_text("{}")
    done = CliRunner().invoke(command_line(), ["backup", str(tmp_path / "damaged")])
    # The files of the fixture are not those that its database names.
    assert (done.exit_code, "Damaged" in done.output) == (3, True), done.output
    for path in files.iterdir():
        path.unlink()
    done = CliRunner().invoke(command_line(), ["backup", str(tmp_path / "backup")])
    assert done.exit_code == 3, done.output  # and it says which files the storage had lost before
    assert migrate()
    db.dispose()
    done = CliRunner().invoke(command_line(), ["restore", "--replace", str(tmp_path / "backup")])
    assert done.exit_code == 3, done.output
    forget_everything()
    assert counts() == ROWS
    with db.get_engine().connect() as connection:
        found = connection.scalar(text("SELECT version_num FROM alembic_version"))
    assert found == head_revision()
