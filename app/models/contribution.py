"""What each person has done in a project, kept as counters, what they have not yet been told, and what they leave
for others to look at."""

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, BigId, partial_index


class Contribution(Base):
    """A person's counters in a project. Administrators and former members have some, too.

    The services change them in the transaction of what they count, so they always equal what the tables hold.
    """

    __tablename__ = "contributions"

    project_id: Mapped[str] = mapped_column(
        ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True
    )
    user_id: Mapped[str] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    annotated: Mapped[int] = mapped_column(default=0)
    """Examples of which they have ever said anything: labelled, skipped or proposed."""
    skipped: Mapped[int] = mapped_column(default=0)
    """Examples that are set aside at present, by them."""
    changed: Mapped[int] = mapped_column(default=0)
    """Their rows in `unseen_changes`."""
    proposals: Mapped[int] = mapped_column(default=0, server_default="0")
    comments: Mapped[int] = mapped_column(default=0, server_default="0")
    """Both: their rows in `remarks` that have one."""


class UnseenChange(Base):
    """A person's annotation stood, somebody else replaced it, and they have not seen that yet."""

    __tablename__ = "unseen_changes"

    example_id: Mapped[int] = mapped_column(
        BigId, ForeignKey("examples.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    user_id: Mapped[str] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))

    __table_args__ = (
        Index(
            "ix_unseen_changes_project_id_user_id_example_id", "project_id", "user_id", "example_id"
        ),
    )


HAS_PROPOSAL = "has_proposal"
HAS_COMMENT = "has_comment"
"""Conditions of the partial indexes. They are written into the queries, too: see `app.models.example`."""


class Remark(Base):
    """A person's newest annotation of an example is a proposal that waits for a reviewer, or has a comment.

    Kept in the transaction of each save; a row that has neither any more is deleted.
    """

    __tablename__ = "remarks"

    example_id: Mapped[int] = mapped_column(
        BigId, ForeignKey("examples.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    user_id: Mapped[str] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    annotation_id: Mapped[int] = mapped_column(BigId)
    has_proposal: Mapped[bool]
    has_comment: Mapped[bool]

    __table_args__ = (
        partial_index("ix_remarks_proposals", "project_id", "example_id", where=HAS_PROPOSAL),
        partial_index("ix_remarks_comments", "project_id", "example_id", where=HAS_COMMENT),
        partial_index(
            "ix_remarks_own_proposals", "project_id", "user_id", "example_id", where=HAS_PROPOSAL
        ),
        partial_index(
            "ix_remarks_own_comments", "project_id", "user_id", "example_id", where=HAS_COMMENT
        ),
    )
