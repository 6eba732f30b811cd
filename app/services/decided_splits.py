"""The splits that versions have decided texts into: remembered by the text, whatever becomes of its examples."""

from collections.abc import Collection, Iterator, Mapping
from itertools import islice

import orjson
from sqlalchemy import ARRAY, Select, String, cast, func, or_, select, text
from sqlalchemy.orm import Session

from app.db import session_scope
from app.models import DatasetVersion, DecidedSplit, Example
from app.services import version_files
from app.services.batches import Batches
from app.tasks.content import content_hash

_INSERT = (
    "INSERT INTO decided_splits (project_id, version_id, content_hash, split) "
    "SELECT :project_id, :version_id, {1}, {2} FROM {0} WHERE true "
    "ON CONFLICT (project_id, content_hash, version_id) DO UPDATE SET split = excluded.split"
)
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
            DecidedSplit.content_hash.in_(_these(session, hashes)),
            DatasetVersion.remembers_splits,
        )
        .order_by(DatasetVersion.number)
    )
    if before is not None:
        query = query.where(DatasetVersion.number < before)
    return {row.content_hash: row.split for row in session.execute(query)}


def has_any(session: Session, project_id: str) -> bool:
    """Whether anything was decided in a project."""
    own = select(DecidedSplit.split).where(DecidedSplit.project_id == project_id).limit(1)
    return session.scalar(own) is not None


def _these(session: Session, hashes: Collection[str]) -> Select[tuple[str]]:
    """The hashes as a query. As parameters of a list, each would cost as much as its look-up."""
    if _is_postgresql(session):
        return select(func.unnest(cast(list(hashes), ARRAY(String))))
    return select(func.json_each(orjson.dumps(list(hashes)).decode()).table_valued("value").c.value)


def _is_postgresql(session: Session) -> bool:
    return session.get_bind().dialect.name == "postgresql"


def remember(session: Session, version: DatasetVersion, decided: Mapping[str, str]) -> None:
    """Note what a version decides. It counts once the version is written (`remembers_splits`)."""
    if not decided:
        return
    # All rows as one value: as many statements, or parameters, would take several times as long.
    connection = session.connection()
    if _is_postgresql(session):
        connection.execute(
            text(
                _INSERT.format(
                    "unnest(CAST(:hashes AS text[]), CAST(:splits AS text[])) AS d(h, s)", "h", "s"
                )
            ),
            _whose(version) | {"hashes": list(decided), "splits": list(decided.values())},
        )
    else:
        connection.execute(
            text(_INSERT.format("json_each(:decided) AS d", "d.key", "d.value")),
            _whose(version) | {"decided": orjson.dumps(dict(sorted(decided.items()))).decode()},
        )


def _whose(version: DatasetVersion) -> dict[str, str]:
    return {"project_id": version.project_id, "version_id": version.id}


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
                DecidedSplit.content_hash.in_(_these(session, hashes)),
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
            Example.content_hash.in_(_these(session, hashes)),
            Example.split.is_not(None),
            or_(Example.status != "staged", Example.import_id == import_id),
        )
        .distinct()
    )
    said: dict[str, set[str]] = {}
    for digest, split in rows:
        said.setdefault(digest, set()).add(str(split))
    return said
