"""Searches of runs; jobs with priorities and pinned to a kind of device; workers that say what kind they have."""

import sqlalchemy as sa
from alembic import op

from app.models.base import JsonType, UtcDateTime

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "searches",
        sa.Column("id", sa.String(length=12), nullable=False),
        sa.Column("project_id", sa.String(length=12), nullable=False),
        sa.Column("version_id", sa.String(length=12), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("params", JsonType, nullable=False),
        sa.Column("space", JsonType, nullable=False),
        sa.Column("strategy", sa.String(length=10), nullable=False),
        sa.Column("seed", sa.Integer(), nullable=False),
        sa.Column("created_by", sa.String(length=12), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["created_by"],
            ["users.id"],
            name=op.f("fk_searches_created_by"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["project_id"],
            ["projects.id"],
            name=op.f("fk_searches_project_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["version_id"], ["versions.id"], name=op.f("fk_searches_version_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_searches")),
    )
    op.create_index("ix_searches_project_id_created_at", "searches", ["project_id", "created_at"])
    with op.batch_alter_table("runs") as runs:
        runs.add_column(sa.Column("search_id", sa.String(length=12), nullable=True))
        runs.create_foreign_key(
            op.f("fk_runs_search_id"), "searches", ["search_id"], ["id"], ondelete="SET NULL"
        )
        runs.create_index(op.f("ix_runs_search_id"), ["search_id"])
    # The defaults are for the rows that are there, and stay for a server that still runs older code.
    op.add_column("jobs", sa.Column("priority", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("jobs", sa.Column("device", sa.String(length=10), nullable=True))
    op.add_column(
        "workers",
        sa.Column("device_kind", sa.String(length=10), nullable=False, server_default="cpu"),
    )
    op.add_column("workers", sa.Column("gpu_memory_total", sa.BigInteger(), nullable=True))
    op.add_column("workers", sa.Column("gpu_memory_available", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    for column in ("gpu_memory_available", "gpu_memory_total", "device_kind"):
        op.drop_column("workers", column)
    for column in ("device", "priority"):
        op.drop_column("jobs", column)
    with op.batch_alter_table("runs") as runs:
        runs.drop_index(op.f("ix_runs_search_id"))
        runs.drop_constraint(op.f("fk_runs_search_id"), type_="foreignkey")
        runs.drop_column("search_id")
    op.drop_table("searches")
