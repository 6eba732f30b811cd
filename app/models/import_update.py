"""What imports say of texts that were there before them."""

from typing import Any

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, BigId


class ImportUpdate(Base):
    """A row of a file that matched an example of before: what it says of it, and what became of that.

    Written while the file is read; nothing of it counts before the import does.
    """

    __tablename__ = "import_updates"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    import_id: Mapped[str] = mapped_column(ForeignKey("imports.id", ondelete="CASCADE"))
    example_id: Mapped[int] = mapped_column(
        BigId, ForeignKey("examples.id", ondelete="CASCADE"), index=True
    )
    payload: Mapped[dict[str, Any]]
    effect: Mapped[str | None] = mapped_column(String(12))
    """None until the import counts: then "label" (it stands where nothing did), "suggestion" (it was put beside what
    stands), or "same"."""
    annotation_id: Mapped[int | None] = mapped_column(BigId)
    """The annotation that was made of it."""

    __table_args__ = (
        Index("ix_import_updates_import_id_id", "import_id", "id"),
        # An id is never given twice: the job goes on where an earlier attempt has ended.
        {"sqlite_autoincrement": True},
    )
