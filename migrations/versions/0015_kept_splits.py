"""Whether a version keeps the splits of the one before; closing and reopening accounts as two kinds of entries."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "versions",
        sa.Column("keeps_splits", sa.Boolean(), nullable=False, server_default=sa.true()),
    )
    log = sa.table("audit_log", sa.column("id"), sa.column("action"), sa.column("details", sa.JSON))
    found = sa.select(log.c.id, log.c.details).where(log.c.action == "user.active")
    for id_, details in op.get_bind().execute(found).all():
        action = "user.reopen" if (details or {}).get("active") else "user.close"
        op.execute(log.update().where(log.c.id == id_).values(action=action))


def downgrade() -> None:
    op.drop_column("versions", "keeps_splits")
