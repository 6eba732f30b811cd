"""Likely label errors."""

import sqlalchemy as sa
from alembic import op

from app.models.base import BigId, JsonType, UtcDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "label_issues",
        sa.Column("id", BigId, nullable=False),
        sa.Column("project_id", sa.String(length=12), nullable=False),
        sa.Column("run_id", sa.String(length=12), nullable=False),
        sa.Column("example_id", BigId, nullable=False),
        sa.Column("score", sa.Double(), nullable=False),
        sa.Column("given", JsonType, nullable=False),
        sa.Column("suggested", JsonType, nullable=False),
        sa.Column("dismissed_by", sa.String(length=12), nullable=True),
        sa.Column("dismissed_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["project_id"],
            ["projects.id"],
            name=op.f("fk_label_issues_project_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["run_id"], ["runs.id"], name=op.f("fk_label_issues_run_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["example_id"],
            ["examples.id"],
            name=op.f("fk_label_issues_example_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["dismissed_by"],
            ["users.id"],
            name=op.f("fk_label_issues_dismissed_by"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_label_issues")),
    )
    op.create_index(op.f("ix_label_issues_project_id"), "label_issues", ["project_id"])
    op.create_index(op.f("ix_label_issues_example_id"), "label_issues", ["example_id"])
    op.create_index("ix_label_issues_run_id_id", "label_issues", ["run_id", "id"])


def downgrade() -> None:
    op.drop_table("label_issues")
