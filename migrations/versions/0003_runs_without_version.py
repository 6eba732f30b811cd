"""A run need not be over a version."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("runs") as runs:
        runs.alter_column("version_id", existing_type=sa.String(length=12), nullable=True)


def downgrade() -> None:
    op.execute(sa.text("DELETE FROM runs WHERE version_id IS NULL"))
    with op.batch_alter_table("runs") as runs:
        runs.alter_column("version_id", existing_type=sa.String(length=12), nullable=False)
