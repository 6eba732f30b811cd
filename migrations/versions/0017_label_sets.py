"""What imports say of texts that were there before, examples by the ids of their files, the digest of a version's
manifest, and its near-duplicates."""

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
    with op.batch_alter_table("versions") as versions:
        versions.add_column(sa.Column("manifest_sha256", sa.String(64)))
        versions.add_column(sa.Column("guidelines", sa.Text(), nullable=False, server_default=""))
        versions.add_column(sa.Column("near_duplicates", JsonType))
        versions.add_column(
            sa.Column(
                "near_duplicates_job_id",
                sa.String(12),
                sa.ForeignKey("jobs.id", name="fk_versions_near_duplicates_job_id"),
            )
        )
    op.create_table(
        "near_duplicates",
        sa.Column(
            "version_id",
            sa.String(12),
            sa.ForeignKey("versions.id", ondelete="CASCADE", name="fk_near_duplicates_version_id"),
            nullable=False,
        ),
        sa.Column("example_id", BigId, nullable=False),
        sa.Column("train_id", BigId, nullable=False),
        sa.Column("similarity", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("version_id", "example_id", name="pk_near_duplicates"),
    )


def downgrade() -> None:
    op.drop_table("near_duplicates")
    with op.batch_alter_table("versions") as versions:
        for name in ("near_duplicates_job_id", "near_duplicates", "guidelines", "manifest_sha256"):
            versions.drop_column(name)
    op.drop_index("ix_examples_project_id_external_id", "examples")
    op.drop_table("import_updates")
