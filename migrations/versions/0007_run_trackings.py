"""How far runs have been told to trackers outside."""

import sqlalchemy as sa
from alembic import op

from app.models.base import JsonType, UtcDateTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "run_trackings",
        sa.Column("run_id", sa.String(length=12), nullable=False),
        sa.Column("tracker", sa.String(length=20), nullable=False),
        sa.Column("sent", JsonType, nullable=False),
        sa.Column("owner", sa.String(length=200), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=False),
        sa.Column("owned_until", UtcDateTime(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("done", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id"], ["runs.id"], name=op.f("fk_run_trackings_run_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("run_id", "tracker", name=op.f("pk_run_trackings")),
    )
    op.create_index("ix_run_trackings_done_due_at", "run_trackings", ["done", "due_at"])


def downgrade() -> None:
    op.drop_index("ix_run_trackings_done_due_at", table_name="run_trackings")
    op.drop_table("run_trackings")
