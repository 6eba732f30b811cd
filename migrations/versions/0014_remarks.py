"""Which examples have proposals that wait for a reviewer, and comments."""

import sqlalchemy as sa
from alembic import op

from app.models.base import BigId

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_INDEXES = {
    "ix_remarks_proposals": (["project_id", "example_id"], "has_proposal"),
    "ix_remarks_comments": (["project_id", "example_id"], "has_comment"),
    "ix_remarks_own_proposals": (["project_id", "user_id", "example_id"], "has_proposal"),
    "ix_remarks_own_comments": (["project_id", "user_id", "example_id"], "has_comment"),
}
_COUNTERS = {
    "contributions": ("proposals", "comments"),
    "projects": ("proposal_count", "comment_count"),
}


def upgrade() -> None:
    for table, names in _COUNTERS.items():
        for name in names:
            op.add_column(table, sa.Column(name, sa.Integer(), nullable=False, server_default="0"))
    op.create_table(
        "remarks",
        sa.Column("example_id", BigId, nullable=False, autoincrement=False),
        sa.Column("user_id", sa.String(length=12), nullable=False),
        sa.Column("project_id", sa.String(length=12), nullable=False),
        sa.Column("annotation_id", BigId, nullable=False),
        sa.Column("has_proposal", sa.Boolean(), nullable=False),
        sa.Column("has_comment", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["example_id"],
            ["examples.id"],
            name=op.f("fk_remarks_example_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_remarks_project_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_remarks_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("example_id", "user_id", name=op.f("pk_remarks")),
    )
    op.create_index(op.f("ix_remarks_user_id"), "remarks", ["user_id"])
    for name, (columns, where) in _INDEXES.items():
        op.create_index(
            name, "remarks", columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where)
        )
    _fill()


def _fill() -> None:
    """From what people have said so far. A proposal is settled if what stands equals it, or a reviewer chose later."""
    waits = """a.is_proposal AND NOT EXISTS (
        SELECT 1 FROM examples e
        JOIN annotations g ON g.id = e.gold_id
        LEFT JOIN users u ON u.id = g.user_id
        LEFT JOIN members m ON m.project_id = g.project_id AND m.user_id = g.user_id
        WHERE e.id = a.example_id AND (
            CAST(g.payload AS TEXT) = CAST(a.payload AS TEXT)
            OR (g.id > a.id AND (u.is_admin OR m.role IN ('reviewer', 'manager')))))"""
    op.execute(
        "INSERT INTO remarks"  # noqa: S608
        " (example_id, user_id, project_id, annotation_id, has_proposal, has_comment)"
        f" SELECT a.example_id, a.user_id, a.project_id, a.id, {waits}, trim(a.comment) <> ''"
        " FROM annotations a WHERE a.user_id IS NOT NULL AND (a.is_proposal OR a.comment <> '')"
        " AND a.revision = (SELECT max(b.revision) FROM annotations b"
        " WHERE b.example_id = a.example_id AND b.user_id = a.user_id)"
    )
    op.execute("DELETE FROM remarks WHERE NOT has_proposal AND NOT has_comment")
    for column, (own, of_all) in {
        "has_proposal": ("proposals", "proposal_count"),
        "has_comment": ("comments", "comment_count"),
    }.items():
        op.execute(
            f"UPDATE contributions SET {own} = (SELECT count(*) FROM remarks"  # noqa: S608
            " WHERE remarks.project_id = contributions.project_id"
            f" AND remarks.user_id = contributions.user_id AND {column})"
        )
        op.execute(
            f"UPDATE projects SET {of_all} = (SELECT count(DISTINCT example_id) FROM remarks"  # noqa: S608
            f" WHERE remarks.project_id = projects.id AND {column})"
        )


def downgrade() -> None:
    op.drop_table("remarks")
    for table, names in _COUNTERS.items():
        for name in names:
            op.drop_column(table, name)
