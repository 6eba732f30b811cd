"""The commands for backups."""

from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.exc import SQLAlchemyError

from app.cli.console import complain, plain_errors, say
from app.db import session_scope
from app.services import audit
from app.services import backup as backups
from app.services.backup import Manifest

NOT_WHOLE = 3
"""The exit code of every command on a backup that is good, but of a storage that had lost or damaged files."""
Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The folder of the backup.")]


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command("backup")(back_up)
    app.command("restore")(restore)


def back_up(folder: Folder) -> None:
    """Back up the database and all files while Annotune runs; DIR appears when the backup is whole. The exit code is
    3 when files were lost or damaged before, so that the backup lacks them or has them as they are."""
    with plain_errors():
        manifest = backups.create(folder, say)
        _note(folder)
        say(f"{_summary(manifest)} are in {folder}{_lack(manifest)}.")
    _end(manifest)


def restore(
    folder: Folder,
    check: Annotated[bool, typer.Option("--check", help="Only check it; change nothing.")] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace the data that is there already.")
    ] = False,
) -> None:
    """Bring a backup back into an empty installation. Stop Annotune first. The exit code is 3 when the backup lacks
    files, or has some that were damaged before."""
    with plain_errors():
        if check:
            manifest = backups.verify(folder)
            how = "whole" if manifest.is_whole else "as they were backed up"
        else:
            manifest = backups.restore(folder, replace=replace, say=say)
            how = "restored"
        of = f"as of {manifest.created_at:%Y-%m-%d %H:%M} UTC"
        say(f"{_summary(manifest)} are {how}, {of}{_lack(manifest)}.")
    _end(manifest)


def _note(folder: Path) -> None:
    """Write into the audit log that all data was taken away."""
    try:
        with session_scope() as session:
            audit.record(session, user_id=None, action="backup.create", subject=folder.name)
    except SQLAlchemyError as error:
        # As in a database of an earlier version: the backup itself is good.
        complain(f"The audit log could not be written: {getattr(error, 'orig', None) or error}")


def _summary(manifest: Manifest) -> str:
    size = sum(file.size for file in manifest.files.values())
    rows = sum(manifest.rows.values())
    return f"{rows:,} rows and {len(manifest.files) - 1:,} files ({size / 1e6:,.1f} MB)"


def _lack(manifest: Manifest) -> str:
    """What the backup had not whole when it was made, in numbers; nothing where it had all."""
    told = {"missing": manifest.missing, "damaged": manifest.damaged}
    words = " and ".join(f"{len(keys)} {what}" for what, keys in told.items() if keys)
    return f"; {words} when the backup was made" if words else ""


def _end(manifest: Manifest) -> None:
    """Name what is not whole. Raises Exit then."""
    for key in manifest.missing:
        complain(f"Missing: {key}. The database names it, and the storage had lost it before.")
    for key in manifest.damaged:
        complain(
            f"Damaged: {key}. It was not what had been stored, and is in the backup as it was found; an earlier backup "
            "may have it whole."
        )
    if not manifest.is_whole:
        raise typer.Exit(NOT_WHOLE)
