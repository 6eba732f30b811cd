"""Searches: many fine-tunings over one version, to find the parameters that suit it."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, ShortId, new_id, now


class Search(Base):
    """What was to be tried. Its runs are made together with it, and how it goes follows from them."""

    __tablename__ = "searches"

    id: Mapped[str] = mapped_column(ShortId, primary_key=True, default=new_id)
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    version_id: Mapped[str] = mapped_column(ForeignKey("versions.id"))
    name: Mapped[str] = mapped_column(String(200))
    params: Mapped[dict[str, Any]]
    """What all of its runs have where the space says nothing else."""
    space: Mapped[dict[str, Any]]
    """For each parameter that varies, its values, or {"low", "high"}."""
    strategy: Mapped[str] = mapped_column(String(10))
    """"grid" or "random"."""
    seed: Mapped[int]
    """Of the random choice."""
    created_by: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[datetime] = mapped_column(default=now)

    __table_args__ = (Index("ix_searches_project_id_created_at", "project_id", "created_at"),)
