"""A version's files: where they lie, and the canonical one line by line."""

from collections.abc import Iterator

from app.formats.example import StoredExample, read_line
from app.models import DatasetVersion
from app.storage import get_storage


def data_key(version_id: str) -> str:
    """Where a version's canonical file lies in the storage."""
    return f"versions/{version_id}/data.jsonl"


def manifest_key(version_id: str) -> str:
    """Where its manifest lies."""
    return f"versions/{version_id}/manifest.json"


def exports_key(version_id: str) -> str:
    """Where what was made of it lies: nothing that cannot be made again."""
    return f"versions/{version_id}/exports"


def is_export(name: str) -> bool:
    """Whether a file below `versions/` is such a one."""
    return "/exports/" in name


def verify(version: DatasetVersion) -> None:
    """That the data of a written version is what was stored. Raises Gone or Damaged."""
    get_storage().verify(data_key(version.id), size=version.size, sha256=str(version.sha256))


def lines(version: DatasetVersion) -> Iterator[bytes]:
    """The examples of a written version, a JSON object each, by their ids. Raises Gone or Damaged before the first."""
    verify(version)
    with get_storage().reading(data_key(version.id)) as stream:
        yield from stream


def examples(version: DatasetVersion) -> Iterator[StoredExample]:
    """The same, read. Raises Gone or Damaged before the first."""
    return map(read_line, lines(version))
