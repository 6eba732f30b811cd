"""What people say of runs: tags, a note, put away; and a count of what each has reported."""

import sqlalchemy as sa
from alembic import op

from app.models.base import UtcDateTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("runs", sa.Column("note", sa.Text(), nullable=False, server_default=""))
    op.add_column("runs", sa.Column("archived_at", UtcDateTime(), nullable=True))
    op.add_column("runs", sa.Column("reports", sa.Integer(), nullable=False, server_default="0"))
    op.create_table(
        "run_tags",
        sa.Column("run_id", sa.String(length=12), nullable=False),
        sa.Column("name", sa.String(length=50), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id"], ["runs.id"], name=op.f("fk_run_tags_run_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("run_id", "name", name=op.f("pk_run_tags")),
    )


def downgrade() -> None:
    op.drop_table("run_tags")
    with op.batch_alter_table("runs") as runs:
        for column in ("reports", "archived_at", "note"):
            runs.drop_column(column)
