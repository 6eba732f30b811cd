"""Examples and what was said of them."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, false, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, BigId, ShortId, now, partial_index

# Partial indexes of the queue. Their conditions are written into the queries, too: a bound parameter in
# their place would hide from the planner that the index fits.
IS_FREE = "status = 'open' AND lease_user_id IS NULL"
IS_LEASED = "lease_user_id IS NOT NULL"
IS_SKIPPED = "status = 'skipped'"
QUEUE_ORDER = "id + 0"
"""Only the index of free examples is in this order. By `id` the primary key would be, too, and a planner that
expects a free example soon walks it through all that are done."""


class Example(Base):
    """One thing to label. Its inputs never change.

    `status`: "staged" (its import is not finished: nobody sees it), "open", "labelled", "skipped". Only an
    open example is leased, only a labelled one has gold, and only a skipped one says who set it aside.
    """

    __tablename__ = "examples"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    import_id: Mapped[str | None] = mapped_column(ShortId)
    external_id: Mapped[str | None] = mapped_column(String(300))
    inputs: Mapped[dict[str, Any]]
    meta: Mapped[dict[str, Any]] = mapped_column(default=dict)
    content_hash: Mapped[str] = mapped_column(String(64))
    """SHA-256 of the text, white space folded: what splits and duplicates go by."""
    split: Mapped[str | None] = mapped_column(String(10))
    """The split its file was imported for, where the person said one; else the hash decides."""
    status: Mapped[str] = mapped_column(String(10), default="open")
    lease_user_id: Mapped[str | None] = mapped_column(ShortId)
    lease_until: Mapped[datetime | None]
    gold_id: Mapped[int | None] = mapped_column(BigId)
    """The annotation that stands for this example."""
    skipped_by: Mapped[str | None] = mapped_column(ShortId)
    """Who set it aside."""
    created_at: Mapped[datetime] = mapped_column(default=now)

    __table_args__ = (
        Index("ix_examples_project_id_status_id", "project_id", "status", "id"),
        Index("ix_examples_project_id_id", "project_id", "id"),
        Index("ix_examples_project_id_content_hash", "project_id", "content_hash"),
        partial_index(
            "ix_examples_project_id_external_id",
            "project_id",
            "external_id",
            where="external_id IS NOT NULL",
        ),
        Index("ix_examples_import_id_id", "import_id", "id"),
        # The hot path. What is free, what a person holds, whose leases have ended, what is set aside:
        # each is found without looking at any other example.
        partial_index("ix_examples_free", "project_id", text(f"({QUEUE_ORDER})"), where=IS_FREE),
        partial_index(
            "ix_examples_leased", "project_id", "lease_user_id", "lease_until", where=IS_LEASED
        ),
        partial_index(
            "ix_examples_lease_until", "project_id", "lease_until", "id", where=IS_LEASED
        ),
        partial_index("ix_examples_skipped", "project_id", "skipped_by", "id", where=IS_SKIPPED),
        # An id is never given twice: versions cite it after the example is gone.
        {"sqlite_autoincrement": True},
    )


class Annotation(Base):
    """What one person, or one import, said of one example. Append-only: an edit is a new revision."""

    __tablename__ = "annotations"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    example_id: Mapped[int] = mapped_column(BigId, ForeignKey("examples.id", ondelete="CASCADE"))
    user_id: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    source: Mapped[str] = mapped_column(String(10))
    """"person" or "import"."""
    revision: Mapped[int]
    """1, 2, … for one author and example."""
    payload: Mapped[dict[str, Any] | None]
    """None: skipped."""
    is_proposal: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Kept beside what stands: it never was gold, and no version holds it."""
    comment: Mapped[str] = mapped_column(Text, default="")
    seconds: Mapped[float | None]
    client_key: Mapped[str | None] = mapped_column(String(64))
    """Chosen by the client for one save, so that a repeated request saves once."""
    created_at: Mapped[datetime] = mapped_column(default=now)

    __table_args__ = (
        Index(
            "uq_annotations_example_id_user_id_revision",
            "example_id",
            "user_id",
            "revision",
            unique=True,
        ),
        Index("uq_annotations_user_id_client_key", "user_id", "client_key", unique=True),
        Index("ix_annotations_project_id_user_id_id", "project_id", "user_id", "id"),
        {"sqlite_autoincrement": True},
    )
