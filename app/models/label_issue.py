"""Likely label errors: a to-do list for reviewers, one for each cross-validation."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, BigId


class LabelIssue(Base):
    """An example whose annotation is probably wrong, as a run's out-of-fold predictions say.

    The ids of a run's issues go from the worst on. An issue is open until somebody dismisses it, or somebody
    annotates the example anew; nothing is written for the latter.
    """

    __tablename__ = "label_issues"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    project_id: Mapped[str] = mapped_column(
        ForeignKey("projects.id", ondelete="CASCADE"), index=True
    )
    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"))
    example_id: Mapped[int] = mapped_column(
        BigId, ForeignKey("examples.id", ondelete="CASCADE"), index=True
    )
    score: Mapped[float]
    """How likely the annotation is right after all, 0 to 1."""
    given: Mapped[dict[str, Any]]
    """The payload that is in the version."""
    suggested: Mapped[dict[str, Any]]
    """The payload that the model predicted."""
    dismissed_by: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    dismissed_at: Mapped[datetime | None]
    """When somebody said that what is given is right."""

    __table_args__ = (Index("ix_label_issues_run_id_id", "run_id", "id"),)
