"""Exports that jobs make."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, ShortId, new_id, now


class VersionExport(Base):
    """An export of a version that is too large to be made in a request. Whether it is there, the storage knows."""

    __tablename__ = "exports"

    id: Mapped[str] = mapped_column(ShortId, primary_key=True, default=new_id)
    version_id: Mapped[str] = mapped_column(
        ForeignKey("versions.id", ondelete="CASCADE"), index=True
    )
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    options: Mapped[dict[str, Any]]
    """{"format", "split", "comments", "licence"}"""
    created_at: Mapped[datetime] = mapped_column(default=now)
