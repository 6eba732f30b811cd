"""Workers that have been seen."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, now


class Worker(Base):
    """One worker: where it runs, what it takes, and when it was last seen. It writes this row itself."""

    __tablename__ = "workers"

    name: Mapped[str] = mapped_column(String(200), primary_key=True)
    """Its node name, unique among the running ones."""
    host: Mapped[str] = mapped_column(String(200))
    queues: Mapped[list[Any]]
    concurrency: Mapped[int]
    device_kind: Mapped[str] = mapped_column(String(10), default="cpu")
    """"cuda" or "cpu"."""
    device: Mapped[str] = mapped_column(String(200))
    """What it is called."""
    memory_total: Mapped[int] = mapped_column(BigInteger)
    memory_available: Mapped[int] = mapped_column(BigInteger)
    gpu_memory_total: Mapped[int | None] = mapped_column(BigInteger)
    gpu_memory_available: Mapped[int | None] = mapped_column(BigInteger)
    """Of all its GPUs together; None where there are none, or nothing tells."""
    version: Mapped[str] = mapped_column(String(40))
    started_at: Mapped[datetime] = mapped_column(default=now)
    seen_at: Mapped[datetime] = mapped_column(default=now)
