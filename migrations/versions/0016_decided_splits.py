"""The split that each text of a version was decided into, whatever becomes of its examples."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "decided_splits",
        sa.Column("project_id", sa.String(length=12), nullable=False),
        sa.Column("content_hash", sa.String(length=64), nullable=False),
        sa.Column("version_id", sa.String(length=12), nullable=False),
        sa.Column("split", sa.String(length=10), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"],
            ["projects.id"],
            name=op.f("fk_decided_splits_project_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "project_id", "content_hash", "version_id", name=op.f("pk_decided_splits")
        ),
        sqlite_with_rowid=False,
    )
    # The splits of versions that are there already are read out of their files, when they are first asked for.
    op.add_column(
        "versions",
        sa.Column("remembers_splits", sa.Boolean(), nullable=False, server_default=sa.false()),
    )


def downgrade() -> None:
    op.drop_column("versions", "remembers_splits")
    op.drop_table("decided_splits")
