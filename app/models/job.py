"""Jobs: the truth about long work. A broker message only wakes a worker."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, ShortId, new_id, now

ACTIVE_STATES = ("queued", "running", "cancelling")
FINAL_STATES = ("succeeded", "failed", "cancelled")


class Job(Base):
    """One piece of long work: an import, a freeze, a training run.

    `state`: queued → running → succeeded | failed | cancelled, with cancelling between the wish and the
    end. A worker holds a job by a lease; each claim raises `fence`, and every write names the fence it
    belongs to, so a worker that lost its lease changes nothing.
    """

    __tablename__ = "jobs"

    id: Mapped[str] = mapped_column(ShortId, primary_key=True, default=new_id)
    kind: Mapped[str] = mapped_column(String(20))
    queue: Mapped[str] = mapped_column(String(10))
    project_id: Mapped[str] = mapped_column(
        ForeignKey("projects.id", ondelete="CASCADE"), index=True
    )
    created_by: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    state: Mapped[str] = mapped_column(String(12), default="queued")
    priority: Mapped[int] = mapped_column(default=0)
    """Of the jobs that wait in a queue, those with a higher one are done first."""
    device: Mapped[str | None] = mapped_column(String(10))
    """The kind of device that it is pinned to, "cuda" or "cpu"; None: any."""
    attempt: Mapped[int] = mapped_column(default=0)
    fence: Mapped[int] = mapped_column(default=0)
    lease_owner: Mapped[str | None] = mapped_column(String(200))
    lease_until: Mapped[datetime | None]
    published_at: Mapped[datetime | None]
    """When its message was last sent."""
    pad: Mapped[str | None] = mapped_column(String(1000))
    """Half of a secret that the job needs; its message carries the other. Gone once a worker has it."""
    progress: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """{"done", "total", "phase", …} as the kind of job says it."""
    error: Mapped[str | None] = mapped_column(Text)
    error_category: Mapped[str | None] = mapped_column(String(40))
    created_at: Mapped[datetime] = mapped_column(default=now)
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]

    __table_args__ = (Index("ix_jobs_state_created_at", "state", "created_at"),)

    @property
    def shown_state(self) -> str:
        """The state as people are shown it: "starting" while it is claimed and nothing is heard of it."""
        return "starting" if self.state == "running" and not self.progress else self.state


class Import(Base):
    """A file being read into a project."""

    __tablename__ = "imports"

    id: Mapped[str] = mapped_column(ShortId, primary_key=True, default=new_id)
    project_id: Mapped[str] = mapped_column(
        ForeignKey("projects.id", ondelete="CASCADE"), index=True
    )
    job_id: Mapped[str | None] = mapped_column(ForeignKey("jobs.id"))
    """None while the person still looks at the preview."""
    user_id: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    filename: Mapped[str] = mapped_column(String(300))
    size: Mapped[int]
    """Bytes."""
    sha256: Mapped[str] = mapped_column(String(64))
    format: Mapped[str] = mapped_column(String(40))
    options: Mapped[dict[str, Any]] = mapped_column(default=dict)
    report: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """{"read", "labelled", "duplicates", "rejected", "problems": […], "new_labels"}"""
    published_at: Mapped[datetime | None]
    """The moment from which it counts: a version has all of its examples, or, from before, none. Their rows
    become visible bit by bit from then on, and nothing can stop that."""
    undo_job_id: Mapped[str | None] = mapped_column(ForeignKey("jobs.id"))
    """The job that takes its examples out again."""
    created_at: Mapped[datetime] = mapped_column(default=now)
