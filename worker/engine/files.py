"""Writing so that a crash leaves the old content or the new one, never half of it."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from worker.engine.errors import DiskError


def write_json(path: Path, content: Any) -> None:
    """Replace a file by JSON, atomically and durably."""
    temporary = path.with_name(f".{path.name}.partial")
    temporary.write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")
    sync(temporary)
    temporary.replace(path)
    sync(path.parent)


def sync(path: Path) -> None:
    """Have the operating system put a file or a folder's list of names on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A folder to fill, which takes its name `path` when the block ends well and everything is on disk."""
    temporary = path.with_name(f".{path.name}.partial")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        yield temporary
        for file in sorted(temporary.rglob("*")):
            sync(file)
        sync(temporary)
        if path.exists():
            shutil.rmtree(path)
        temporary.rename(path)
        sync(path.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def require_space(folder: Path, needed: int) -> None:
    """Raises DiskError unless `needed` bytes are free where `folder` lies."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise DiskError(
            f"The run needs about {needed / 1e9:.1f} GB on the worker's disk and only {free / 1e9:.1f} GB "
            "are free. Free some space, or choose a smaller model."
        )
