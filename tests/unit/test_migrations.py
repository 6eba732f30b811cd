"""Migrations: what is in the database stays, and the tables are those that the code describes."""

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import JSON, func, select, text
from sqlalchemy import table as table_clause
from sqlalchemy.dialects import postgresql

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


def test_a_json_column_that_may_be_empty_never_holds_a_json_null() -> None:
    for table in Base.metadata.tables.values():
        for column in table.columns:
            if column.nullable and isinstance(column.type, JSON):
                assert column.type.none_as_null, f"{table.name}.{column.name}"
                variant = column.type.dialect_impl(postgresql.dialect())
                assert variant.none_as_null, f"{table.name}.{column.name}"  # type: ignore[attr-defined]


def test_json_nulls_of_earlier_releases_become_sqls(database: str) -> None:
    with get_engine().connect() as connection, connection.begin():
        config = _config()
        config.attributes["connection"] = connection
        command.downgrade(config, "0008")
        for statement in (
            "INSERT INTO projects (id, name, description, task, language, label_schema, guidelines, settings,"
            " example_count, labelled_count, created_at)"
            " VALUES ('p', 'P', '', 'ner', 'en', '{}', '', '{}', 1, 0, '2026-01-01')",
            "INSERT INTO examples (id, project_id, inputs, meta, content_hash, status, created_at)"
            " VALUES (1, 'p', '{}', '{}', 'h', 'skipped', '2026-01-01')",
            "INSERT INTO annotations (project_id, example_id, source, revision, payload, comment, created_at)"
            " VALUES ('p', 1, 'person', 1, 'null', '', '2026-01-01')",
        ):
            connection.execute(text(statement))
    assert migrate()
    with get_engine().connect() as connection:
        assert connection.scalar(text("SELECT payload IS NULL FROM annotations"))
