"""Projects, their members, and the frame inventory that SRL projects label with."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, BigId, ShortId, new_id, now


class Project(Base):
    """One task type, a label schema, guidelines, settings."""

    __tablename__ = "projects"

    id: Mapped[str] = mapped_column(ShortId, primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(String(200))
    description: Mapped[str] = mapped_column(Text, default="")
    task: Mapped[str] = mapped_column(String(40))
    language: Mapped[str] = mapped_column(String(16), default="en")
    label_schema: Mapped[dict[str, Any]]
    guidelines: Mapped[str] = mapped_column(Text, default="")
    settings: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """{"instruction": the SFT instruction where the project has its own}"""
    example_count: Mapped[int] = mapped_column(default=0)
    labelled_count: Mapped[int] = mapped_column(default=0)
    skipped_count: Mapped[int] = mapped_column(default=0, server_default="0")
    proposal_count: Mapped[int] = mapped_column(default=0, server_default="0")
    """Examples on which a proposal waits for a reviewer."""
    comment_count: Mapped[int] = mapped_column(default=0, server_default="0")
    """Examples that somebody's newest annotation has a comment on."""
    # All of these are kept by the services with each change, so that no page counts a large table.
    used_labels: Mapped[list[Any]] = mapped_column(default=list, server_default="[]")
    """Names of labels that annotations have, so that a change of the label set searches no large table."""
    cleared_roleset_id: Mapped[int] = mapped_column(BigId, default=0, server_default="0")
    """Rolesets up to this id were cleared: nobody sees them, and their rows go bit by bit."""
    deleted_at: Mapped[datetime | None]
    """When somebody deleted it: nobody sees it from then on, and a job clears its rows."""
    created_by: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[datetime] = mapped_column(default=now)


class FrameImport(Base):
    """A file of PropBank frames being read into a project's inventory."""

    __tablename__ = "frame_imports"

    id: Mapped[str] = mapped_column(ShortId, primary_key=True, default=new_id)
    project_id: Mapped[str] = mapped_column(
        ForeignKey("projects.id", ondelete="CASCADE"), index=True
    )
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"))
    user_id: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    filename: Mapped[str] = mapped_column(String(300))
    size: Mapped[int]
    """Bytes."""
    report: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """{"loaded", "problems": [{"where", "message"}]}, once it has been read."""
    created_at: Mapped[datetime] = mapped_column(default=now)


class Member(Base):
    """A person's role in a project: manager, reviewer or annotator."""

    __tablename__ = "members"

    project_id: Mapped[str] = mapped_column(
        ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True
    )
    user_id: Mapped[str] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    role: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[datetime] = mapped_column(default=now)


class Roleset(Base):
    """A sense of a predicate with its roles, from PropBank frame files."""

    __tablename__ = "rolesets"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    lemma: Mapped[str] = mapped_column(String(200))
    """Lower case."""
    sense: Mapped[str] = mapped_column(String(200))
    """The roleset's own id, such as give.01."""
    name: Mapped[str] = mapped_column(Text, default="")
    roles: Mapped[list[Any]]
    """[{"role": "ARG0", "description": "giver"}]"""

    __table_args__ = (
        Index("ix_rolesets_project_id_lemma", "project_id", "lemma"),
        Index("uq_rolesets_project_id_sense_lemma", "project_id", "sense", "lemma", unique=True),
        # An id is never given twice: a project remembers up to which its inventory was emptied.
        {"sqlite_autoincrement": True},
    )
