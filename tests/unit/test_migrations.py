"""Migrations: what is in the database stays, and the tables are those that the code describes."""

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import func, select, text
from sqlalchemy import table as table_clause

from app.db import get_engine
from app.migrate import _config, migrate
from app.models import Base
from app.settings import Settings


def test_the_tables_are_those_of_the_models(database: str) -> None:
    with get_engine().connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_an_upgrade_on_sqlite_loses_nothing(settings: Settings) -> None:
    rows = {
        "projects": {"id": "p", "name": "P", "task": "ner", "language": "en"},
        "jobs": {"id": "j", "kind": "finetune", "queue": "gpu", "project_id": "p"},
        "versions": {"id": "v", "project_id": "p", "number": 1, "job_id": "j"},
        "runs": {"id": "r", "project_id": "p", "version_id": "v", "job_id": "j", "name": "R"},
        "run_points": {"run_id": "r", "kind": "step", "step": 1},
    }
    with get_engine().connect() as connection, connection.begin():
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0002")
        for table, known in rows.items():
            values: dict[str, object] = {}
            for column in connection.execute(text(f"PRAGMA table_info({table})")).mappings():
                if column["notnull"] and column["dflt_value"] is None and not column["pk"]:
                    kind = str(column["type"])
                    is_time = "DATETIME" in kind
                    values[column["name"]] = (
                        "2026-01-01" if is_time else 0 if "INT" in kind else "{}"
                    )
            values |= known
            names = ", ".join(f'"{name}"' for name in values)
            marks = ", ".join(f":{name}" for name in values)
            insert = f"INSERT INTO {table} ({names}) VALUES ({marks})"  # noqa: S608
            connection.execute(text(insert), values)
    assert migrate()
    with get_engine().connect() as connection:
        for table in rows:
            assert connection.scalar(select(func.count()).select_from(table_clause(table))) == 1, (
                table
            )
        assert connection.scalar(text("PRAGMA foreign_keys")) == 1
