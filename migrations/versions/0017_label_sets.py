"""What imports say of texts that were there before, and examples by the ids of their files."""

import sqlalchemy as sa
from alembic import op

from app.models.base import BigId, JsonType

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "import_updates",
        sa.Column("id", BigId, nullable=False),
        sa.Column(
            "import_id",
            sa.String(12),
            sa.ForeignKey("imports.id", ondelete="CASCADE", name="fk_import_updates_import_id"),
            nullable=False,
        ),
        sa.Column(
            "example_id",
            BigId,
            sa.ForeignKey("examples.id", ondelete="CASCADE", name="fk_import_updates_example_id"),
            nullable=False,
        ),
        sa.Column("payload", JsonType, nullable=False),
        sa.Column("effect", sa.String(12)),
        sa.Column("annotation_id", BigId),
        sa.PrimaryKeyConstraint("id", name="pk_import_updates"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_import_updates_example_id", "import_updates", ["example_id"])
    op.create_index("ix_import_updates_import_id_id", "import_updates", ["import_id", "id"])
    named = sa.text("external_id IS NOT NULL")
    op.create_index(
        "ix_examples_project_id_external_id",
        "examples",
        ["project_id", "external_id"],
        sqlite_where=named,
        postgresql_where=named,
    )
    op.add_column("versions", sa.Column("manifest_sha256", sa.String(64)))


def downgrade() -> None:
    op.drop_column("versions", "manifest_sha256")
    op.drop_index("ix_examples_project_id_external_id", "examples")
    op.drop_table("import_updates")
