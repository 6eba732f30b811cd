"""The splits that versions have decided texts into: remembered by the text, whatever becomes of its examples."""

from collections.abc import Collection, Iterator, Mapping
from itertools import islice

import orjson
from sqlalchemy import or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from app.db import session_scope
from app.models import DatasetVersion, DecidedSplit, Example
from app.services import version_files
from app.services.batches import Batches
from app.tasks.content import content_hash

HARDEST = ("test", "validation", "train")
"""From which a leak does most harm, first."""


def recall(
    session: Session, project_id: str, hashes: Collection[str], *, before: int | None = None
) -> dict[str, str]:
    """The splits of these texts, a few thousand, as the newest version has decided that had something to decide; of
    the versions before number `before`, if it is given. Call `catch_up` once first."""
    query = (
        select(DecidedSplit.content_hash, DecidedSplit.split)
        .join(DatasetVersion, DatasetVersion.id == DecidedSplit.version_id)
        .where(
            DecidedSplit.project_id == project_id,
            DecidedSplit.content_hash.in_(hashes),
            DatasetVersion.remembers_splits,
        )
        .order_by(DatasetVersion.number)
    )
    if before is not None:
        query = query.where(DatasetVersion.number < before)
    return {row.content_hash: row.split for row in session.execute(query)}


def remember(session: Session, version: DatasetVersion, decided: Mapping[str, str]) -> None:
    """Note what a version decides. It counts once the version is written (`remembers_splits`)."""
    if not decided:
        return
    is_postgresql = session.get_bind().dialect.name == "postgresql"
    insert = (postgresql.insert if is_postgresql else sqlite.insert)(DecidedSplit)
    rows = [
        {
            "project_id": version.project_id,
            "content_hash": digest,
            "version_id": version.id,
            "split": split,
        }
        for digest, split in sorted(decided.items())
    ]
    statement = insert.on_conflict_do_update(
        index_elements=["project_id", "content_hash", "version_id"],
        set_={"split": insert.excluded.split},
    )
    session.connection().execute(statement, rows)


def catch_up(project_id: str) -> None:
    """Read the splits of versions that an earlier release has written out of their files, once. Opens its own
    sessions. Raises Gone or Damaged where a file is not what was stored."""
    with session_scope(read_only=True) as session:
        versions = session.scalars(
            select(DatasetVersion)
            .where(
                DatasetVersion.project_id == project_id,
                DatasetVersion.sha256.is_not(None),
                ~DatasetVersion.remembers_splits,
            )
            .order_by(DatasetVersion.number)
        ).all()
    for version in versions:
        batches = Batches()
        found = _texts_of(version)
        while texts := list(islice(found, batches.rows)):
            with batches.transaction() as session:
                remember(session, version, _hardest(session, version, texts))
        with session_scope() as session:
            session.get_one(DatasetVersion, version.id).remembers_splits = True


def _texts_of(version: DatasetVersion) -> Iterator[tuple[str, str]]:
    for item in map(orjson.loads, version_files.lines(version)):
        yield content_hash(item["inputs"]["text"]), item["split"]


def _hardest(
    session: Session, version: DatasetVersion, texts: Collection[tuple[str, str]]
) -> dict[str, str]:
    """What of this is not known yet. Versions of early releases may have copies of a text in several splits."""
    hashes = {digest for digest, _split in texts}
    known = recall(session, version.project_id, hashes, before=version.number)
    found = dict(
        session.execute(
            select(DecidedSplit.content_hash, DecidedSplit.split).where(
                DecidedSplit.project_id == version.project_id,
                DecidedSplit.content_hash.in_(hashes),
                DecidedSplit.version_id == version.id,
            )
        ).all()
    )
    for digest, split in texts:
        found[digest] = min(found.get(digest, split), split, key=HARDEST.index)
    return {digest: split for digest, split in found.items() if known.get(digest) != split}


def splits_said(
    session: Session, project_id: str, hashes: Collection[str], *, import_id: str
) -> dict[str, set[str]]:
    """The splits that files said of these texts, a few thousand: those of the project, and of what this import has
    staged."""
    rows = session.execute(
        select(Example.content_hash, Example.split)
        .where(
            Example.project_id == project_id,
            Example.content_hash.in_(hashes),
            Example.split.is_not(None),
            or_(Example.status != "staged", Example.import_id == import_id),
        )
        .distinct()
    )
    said: dict[str, set[str]] = {}
    for digest, split in rows:
        said.setdefault(digest, set()).add(str(split))
    return said
