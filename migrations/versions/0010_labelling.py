"""Proposals, who set an example aside, counters of each person, and indexes for the queue."""

import sqlalchemy as sa
from alembic import op

from app.models.base import BigId

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_INDEXES = {
    "ix_examples_free": (
        ["project_id", sa.text("(id + 0)")],
        "status = 'open' AND lease_user_id IS NULL",
    ),
    "ix_examples_leased": (
        ["project_id", "lease_user_id", "lease_until"],
        "lease_user_id IS NOT NULL",
    ),
    "ix_examples_lease_until": (["project_id", "lease_until", "id"], "lease_user_id IS NOT NULL"),
    "ix_examples_skipped": (["project_id", "skipped_by", "id"], "status = 'skipped'"),
}


def upgrade() -> None:
    op.add_column("examples", sa.Column("skipped_by", sa.String(length=12), nullable=True))
    op.add_column(
        "annotations",
        sa.Column("is_proposal", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
    op.add_column(
        "projects", sa.Column("skipped_count", sa.Integer(), nullable=False, server_default="0")
    )
    _counters()
    _unseen_changes()
    # Leases that no one can hold: nothing ends them, and they would stay in the indexes below.
    op.execute(
        "UPDATE examples SET lease_user_id = NULL, lease_until = NULL"
        " WHERE lease_user_id IS NOT NULL AND status <> 'open'"
    )
    op.drop_index("ix_examples_project_id_lease_user_id", table_name="examples")
    for name, (columns, where) in _INDEXES.items():
        op.create_index(
            name, "examples", columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where)
        )
    _count()


def _counters() -> None:
    op.create_table(
        "contributions",
        sa.Column("project_id", sa.String(length=12), nullable=False),
        sa.Column("user_id", sa.String(length=12), nullable=False),
        sa.Column("annotated", sa.Integer(), nullable=False),
        sa.Column("skipped", sa.Integer(), nullable=False),
        sa.Column("changed", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"],
            ["projects.id"],
            name=op.f("fk_contributions_project_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_contributions_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("project_id", "user_id", name=op.f("pk_contributions")),
    )
    op.create_index(op.f("ix_contributions_user_id"), "contributions", ["user_id"])


def _unseen_changes() -> None:
    """Empty at first: nobody is told of what was changed before they could be told."""
    op.create_table(
        "unseen_changes",
        sa.Column("example_id", BigId, nullable=False, autoincrement=False),
        sa.Column("user_id", sa.String(length=12), nullable=False),
        sa.Column("project_id", sa.String(length=12), nullable=False),
        sa.ForeignKeyConstraint(
            ["example_id"],
            ["examples.id"],
            name=op.f("fk_unseen_changes_example_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["project_id"],
            ["projects.id"],
            name=op.f("fk_unseen_changes_project_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_unseen_changes_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("example_id", "user_id", name=op.f("pk_unseen_changes")),
    )
    op.create_index(op.f("ix_unseen_changes_user_id"), "unseen_changes", ["user_id"])
    op.create_index(
        "ix_unseen_changes_project_id_user_id_example_id",
        "unseen_changes",
        ["project_id", "user_id", "example_id"],
    )


def _count() -> None:
    """Fill the new counters, and mend the old ones, from what the tables hold."""
    op.execute(
        "UPDATE examples SET skipped_by = (SELECT user_id FROM annotations"
        " WHERE annotations.example_id = examples.id ORDER BY annotations.id DESC LIMIT 1)"
        " WHERE status = 'skipped'"
    )
    for counter, status in (
        ("example_count", "<> 'staged'"),
        ("labelled_count", "= 'labelled'"),
        ("skipped_count", "= 'skipped'"),
    ):
        op.execute(
            f"UPDATE projects SET {counter} = (SELECT count(*) FROM examples"  # noqa: S608
            f" WHERE examples.project_id = projects.id AND status {status})"
        )
    op.execute(
        "INSERT INTO contributions (project_id, user_id, annotated, skipped, changed)"
        " SELECT project_id, user_id, count(*), 0, 0 FROM annotations"
        " WHERE user_id IS NOT NULL AND revision = 1 GROUP BY project_id, user_id"
    )
    op.execute(
        "UPDATE contributions SET skipped = (SELECT count(*) FROM examples"
        " WHERE examples.project_id = contributions.project_id AND status = 'skipped'"
        " AND skipped_by = contributions.user_id)"
    )


def downgrade() -> None:
    for name in _INDEXES:
        op.drop_index(name, table_name="examples")
    op.create_index(
        "ix_examples_project_id_lease_user_id", "examples", ["project_id", "lease_user_id"]
    )
    op.drop_table("unseen_changes")
    op.drop_table("contributions")
    op.drop_column("projects", "skipped_count")
    op.drop_column("annotations", "is_proposal")
    op.drop_column("examples", "skipped_by")
