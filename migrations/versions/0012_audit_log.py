"""Where an entry of the audit log came from, and indexes to find entries by.

Revision ID: 0012
Revises: 0013
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_INDEXES = {
    "ix_audit_log_user_id_id": ["user_id", "id"],
    "ix_audit_log_action_id": ["action", "id"],
    "ix_audit_log_at": ["at"],
}


def upgrade() -> None:
    op.add_column("audit_log", sa.Column("address", sa.String(length=64), nullable=True))
    for name, columns in _INDEXES.items():
        op.create_index(name, "audit_log", columns)


def downgrade() -> None:
    for name in _INDEXES:
        op.drop_index(name, "audit_log")
    op.drop_column("audit_log", "address")
