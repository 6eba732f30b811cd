"""Dataset versions: immutable, numbered, digested snapshots of a project's gold."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, false, true
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, BigId, ShortId, new_id, now


class DatasetVersion(Base):
    """A version. `sha256` is empty until its job has written it; after that nothing changes."""

    __tablename__ = "versions"

    id: Mapped[str] = mapped_column(ShortId, primary_key=True, default=new_id)
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    number: Mapped[int]
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"))
    note: Mapped[str] = mapped_column(Text, default="")
    split_percent: Mapped[dict[str, Any]]
    """{"train": 80, "validation": 10, "test": 10}"""
    keeps_splits: Mapped[bool] = mapped_column(default=True, server_default=true())
    """Whether an example stays in the split that the version before has it in, whatever the per cents are now."""
    remembers_splits: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Whether the splits of its texts are among the decided ones: written, and by a release that remembers."""
    label_schema: Mapped[dict[str, Any]]
    instruction: Mapped[str] = mapped_column(Text)
    """The SFT instruction that exports of this version carry."""
    last_annotation_id: Mapped[int | None]
    """The snapshot: no annotation after this one is in it."""
    last_example_id: Mapped[int | None] = mapped_column(BigId)
    """No example after this one is in it either. None for versions of releases that did not say it."""
    unpublished_imports: Mapped[list[Any]] = mapped_column(default=list, server_default="[]")
    """Ids of the imports that were still being read at that moment: nothing of them is in it."""
    undone_imports: Mapped[list[Any]] = mapped_column(default=list, server_default="[]")
    """Ids of the imports that were just being taken back: only what people said of their examples is in it."""
    counts: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """{"examples", "splits": {…}, "labels": {…}, "labels_by_split": {split: {…}}, "moves": [{"before", "after",
    "examples"}], "not_followed"}"""
    size: Mapped[int | None]
    """Bytes of the canonical file."""
    sha256: Mapped[str | None] = mapped_column(String(64))
    manifest_sha256: Mapped[str | None] = mapped_column(String(64))
    """Digest of the manifest: of schema, instruction and all else that what is made of the data depends on. None for
    versions of releases that kept none."""
    guidelines: Mapped[str] = mapped_column(Text, default="", server_default="")
    """The project's when it was asked for."""
    near_duplicates_job_id: Mapped[str | None] = mapped_column(ForeignKey("jobs.id"))
    """The job that looks for test examples that nearly stand in train, once it is written."""
    near_duplicates: Mapped[dict[str, Any] | None]
    """What that found, once it has: {"examples": how many of test, "is_complete"}."""
    created_by: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[datetime] = mapped_column(default=now)

    __table_args__ = (Index("uq_versions_project_id_number", "project_id", "number", unique=True),)


class DecidedSplit(Base):
    """The split that a version decided a text into, if it is another one than the versions before it have said.

    It outlives the examples: a text that is taken back and comes again falls into the split that it had.
    """

    __tablename__ = "decided_splits"

    project_id: Mapped[str] = mapped_column(
        ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True
    )
    content_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    version_id: Mapped[str] = mapped_column(ShortId, primary_key=True)
    """Of a version that is, or was to be: what one that never came to be says counts for nothing."""
    split: Mapped[str] = mapped_column(String(10))

    __table_args__ = ({"sqlite_with_rowid": False},)


class NearDuplicate(Base):
    """A test example of a version that nearly stands in its train split, and the first such example of that."""

    __tablename__ = "near_duplicates"

    version_id: Mapped[str] = mapped_column(
        ForeignKey("versions.id", ondelete="CASCADE"), primary_key=True
    )
    example_id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    train_id: Mapped[int] = mapped_column(BigId)
    """Both ids outlive their examples: versions do."""
    similarity: Mapped[float]
    """0 to 1."""
