"""What each person has done in a project, kept as counters, and what they have not yet been told."""

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, BigId


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
