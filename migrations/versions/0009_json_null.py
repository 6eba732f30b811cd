"""JSON columns that hold nothing hold SQL's NULL: a JSON null made every "IS NULL" wrong."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_COLUMNS = (("annotations", "payload"), ("runs", "environment"), ("runs", "result"))


def upgrade() -> None:
    null = "'null'::jsonb" if op.get_bind().dialect.name == "postgresql" else "'null'"
    for table, column in _COLUMNS:
        op.execute(f"UPDATE {table} SET {column} = NULL WHERE {column} = {null}")  # noqa: S608


def downgrade() -> None:
    """Nothing: NULL means the same to the release before, whose own tests for it were wrong."""
