"""Training runs and what they report."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, BigId, ShortId, new_id, now


class Run(Base):
    """One job that trains or evaluates a model. Its state and its kind are its job's."""

    __tablename__ = "runs"

    id: Mapped[str] = mapped_column(ShortId, primary_key=True, default=new_id)
    project_id: Mapped[str] = mapped_column(
        ForeignKey("projects.id", ondelete="CASCADE"), index=True
    )
    version_id: Mapped[str | None] = mapped_column(ForeignKey("versions.id"))
    """What it is over; None for a run over all texts of the project."""
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"), unique=True)
    search_id: Mapped[str | None] = mapped_column(
        ForeignKey("searches.id", ondelete="SET NULL"), index=True
    )
    """The search that it is a part of."""
    name: Mapped[str] = mapped_column(String(200))
    params: Mapped[dict[str, Any]]
    environment: Mapped[dict[str, Any] | None]
    result: Mapped[dict[str, Any] | None]
    """The engine's result.json."""
    model_size: Mapped[int | None]
    """Bytes of the model folder; None while there is no model."""
    note: Mapped[str] = mapped_column(Text, default="", server_default="")
    """What people say of it, in Markdown."""
    archived_at: Mapped[datetime | None]
    """When it was put away: lists leave it out then."""
    reports: Mapped[int] = mapped_column(default=0, server_default="0")
    """Grows with everything it reports, so that who watches sees that there is news."""
    created_by: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[datetime] = mapped_column(default=now)


class RunTag(Base):
    """A word that people sort runs by."""

    __tablename__ = "run_tags"

    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(String(50), primary_key=True)


class RunPoint(Base):
    """One measurement during a run: a training step or an evaluation."""

    __tablename__ = "run_points"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(12))
    """"step" or "evaluation"."""
    step: Mapped[int]
    values: Mapped[dict[str, Any]]

    __table_args__ = (Index("ix_run_points_run_id_kind_step", "run_id", "kind", "step"),)


class RunLog(Base):
    """A piece of a run's log, in the order of the ids."""

    __tablename__ = "run_logs"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), index=True)
    text: Mapped[str] = mapped_column(Text)


class RunTracking(Base):
    """How far a run has been told to a tracker outside: MLflow or TensorBoard."""

    __tablename__ = "run_trackings"

    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    tracker: Mapped[str] = mapped_column(String(20), primary_key=True)
    sent: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """The last step sent, by kind of measurement; with "outside", the tracker's own id of the run."""
    owner: Mapped[str] = mapped_column(String(200), default="")
    """The worker that sends; another takes over when it has been silent."""
    due_at: Mapped[datetime] = mapped_column(default=now)
    owned_until: Mapped[datetime] = mapped_column(default=now)
    failures: Mapped[int] = mapped_column(default=0)
    """In a row."""
    done: Mapped[bool] = mapped_column(default=False)

    __table_args__ = (Index("ix_run_trackings_done_due_at", "done", "due_at"),)
