"""When an import counts, what a version leaves out, labels in use, deleted projects, frame files read by jobs."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from app.models.base import BigId, JsonType, UtcDateTime

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_ROWS = 2000


def upgrade() -> None:
    op.add_column(
        "projects", sa.Column("used_labels", JsonType, nullable=False, server_default="[]")
    )
    op.add_column(
        "projects",
        sa.Column("cleared_roleset_id", BigId, nullable=False, server_default="0"),
    )
    if op.get_bind().dialect.name == "sqlite":
        with op.batch_alter_table(
            "rolesets", recreate="always", table_kwargs={"sqlite_autoincrement": True}
        ):
            pass  # its ids are never given twice from now on
    op.add_column("projects", sa.Column("deleted_at", UtcDateTime(), nullable=True))
    op.add_column("versions", sa.Column("last_example_id", BigId, nullable=True))
    for name in ("unpublished_imports", "undone_imports"):
        op.add_column("versions", sa.Column(name, JsonType, nullable=False, server_default="[]"))
    with op.batch_alter_table("imports") as imports:
        imports.add_column(sa.Column("published_at", UtcDateTime(), nullable=True))
        imports.add_column(sa.Column("undo_job_id", sa.String(length=12), nullable=True))
        imports.create_foreign_key(op.f("fk_imports_undo_job_id"), "jobs", ["undo_job_id"], ["id"])
    op.create_table(
        "frame_imports",
        sa.Column("id", sa.String(length=12), nullable=False),
        sa.Column("project_id", sa.String(length=12), nullable=False),
        sa.Column("job_id", sa.String(length=12), nullable=False),
        sa.Column("user_id", sa.String(length=12), nullable=True),
        sa.Column("filename", sa.String(length=300), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("report", JsonType, nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_frame_imports_job_id")),
        sa.ForeignKeyConstraint(
            ["project_id"],
            ["projects.id"],
            name=op.f("fk_frame_imports_project_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_frame_imports_user_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_frame_imports")),
    )
    op.create_index("ix_frame_imports_project_id", "frame_imports", ["project_id"])
    _publish_what_is_published()
    _note_used_labels()


def _publish_what_is_published() -> None:
    """Imports that have succeeded, or were just becoming visible."""
    imports = sa.table(
        "imports",
        sa.column("id"),
        sa.column("job_id"),
        sa.column("report", JsonType),
        sa.column("published_at", UtcDateTime()),
        sa.column("created_at", UtcDateTime()),
    )
    jobs = sa.table(
        "jobs", sa.column("id"), sa.column("state"), sa.column("finished_at", UtcDateTime())
    )
    connection = op.get_bind()
    rows = connection.execute(
        sa.select(
            imports.c.id,
            imports.c.report,
            imports.c.created_at,
            jobs.c.state,
            jobs.c.finished_at,
        ).join_from(imports, jobs, jobs.c.id == imports.c.job_id)
    ).all()
    for row in rows:
        if row.state == "succeeded" or (row.report or {}).get("publishing"):
            connection.execute(
                sa.update(imports)
                .where(imports.c.id == row.id)
                .values(published_at=row.finished_at or row.created_at)
            )


def _note_used_labels() -> None:
    """Of each project, the names in its schema that stand anywhere in a payload."""
    projects = sa.table(
        "projects",
        sa.column("id"),
        sa.column("label_schema", JsonType),
        sa.column("used_labels", JsonType),
    )
    annotations = sa.table(
        "annotations",
        sa.column("id"),
        sa.column("project_id"),
        sa.column("payload", JsonType),
    )
    connection = op.get_bind()
    names = {
        row.id: {label["name"] for label in _labels(row.label_schema)}
        for row in connection.execute(sa.select(projects.c.id, projects.c.label_schema))
    }
    used: dict[str, set[str]] = {project_id: set() for project_id in names}
    last = 0
    while True:
        rows = connection.execute(
            sa.select(annotations)
            .where(annotations.c.id > last)
            .order_by(annotations.c.id)
            .limit(_ROWS)
        ).all()
        if not rows:
            break
        last = rows[-1].id
        for row in rows:
            if row.payload and used[row.project_id] != names[row.project_id]:
                used[row.project_id] |= names[row.project_id].intersection(_strings(row.payload))
    for project_id, found in used.items():
        if found:
            connection.execute(
                sa.update(projects)
                .where(projects.c.id == project_id)
                .values(used_labels=sorted(found))
            )


def _labels(schema: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        label
        for labels in schema.values()
        if isinstance(labels, list)
        for label in labels
        if isinstance(label, dict) and "name" in label
    ]


def _strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for part in parts for text in _strings(part)]


def downgrade() -> None:
    op.drop_table("frame_imports")
    with op.batch_alter_table("imports") as imports:
        imports.drop_constraint(op.f("fk_imports_undo_job_id"), type_="foreignkey")
        imports.drop_column("undo_job_id")
        imports.drop_column("published_at")
    for name in ("undone_imports", "unpublished_imports", "last_example_id"):
        op.drop_column("versions", name)
    for name in ("deleted_at", "cleared_roleset_id", "used_labels"):
        op.drop_column("projects", name)
