"""Alembic's way into the database: the application's own engine and tables."""

from alembic import context

from app.db import get_engine
from app.models import Base


def run() -> None:
    """Run the migrations on the connection that was handed in, or on the application's engine."""
    given = context.config.attributes.get("connection")
    if given is not None:
        _migrate(given)
        return
    with get_engine().connect() as connection:
        _migrate(connection)
        connection.commit()


def _migrate(connection) -> None:  # type: ignore[no-untyped-def]
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=connection.dialect.name == "sqlite",
        compare_type=True,
    )
    with context.begin_transaction():
        context.run_migrations()


run()
