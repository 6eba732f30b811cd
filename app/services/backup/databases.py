"""The database as one file, while it is in use, and back: by the means of each database."""

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, NullPool, create_engine, func, inspect, make_url, select, text
from sqlalchemy import table as table_clause
from sqlalchemy.engine import URL

from app.data_folder import RESTORING
from app.migrate import is_current
from app.services.backup.manifest import BackupError
from app.settings import get_settings

_READ = "SELECT count(*) FROM sqlite_master"


def url() -> URL:
    """The database that the settings name."""
    return make_url(get_settings().database)


def kind() -> str:
    """ "sqlite" or "postgresql"."""
    return url().get_backend_name()


@contextmanager
def snapshot(target: Path) -> Iterator[Connection]:
    """Copy the database as it is at one moment to a file; the connection inside sees that very moment."""
    if kind() == "sqlite":
        _copy_sqlite(Path(str(url().database)), target)
        with opened(URL.create("sqlite", database=str(target))) as connection:
            yield connection
        return
    with opened(url()) as connection:
        connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"))
        name = connection.scalar(text("SELECT pg_export_snapshot()"))
        target.touch(mode=0o600)
        _run(["pg_dump", "--format=custom", f"--snapshot={name}", f"--file={target}"])
        # Reads all of it: a dump that cannot be read is no backup.
        _run(["pg_restore", "--file=/dev/null", str(target)])
        yield connection


@contextmanager
def opened(address: URL) -> Iterator[Connection]:
    """A connection of its own, in one transaction that changes nothing."""
    engine = create_engine(address, poolclass=NullPool)
    with engine.connect() as connection:
        yield connection


def _copy_sqlite(source: Path, target: Path) -> None:
    if not source.is_file():
        raise BackupError(f"There is no database at {source}.")
    target.touch(mode=0o600)
    try:
        with closing(_reading_sqlite(source)) as old, closing(sqlite3.connect(target)) as new:
            # In one step: in WAL mode readers hold nobody up, and nothing that comes in between is lost or half there.
            old.backup(new, pages=-1)
            new.execute("PRAGMA journal_mode=DELETE")  # one file, with no others beside it
            _check_sqlite(new)
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_FULL:
            raise
        raise BackupError(f"The database {source} cannot be copied: {error}") from error
    with target.open("rb") as stream:
        os.fsync(stream.fileno())


def _reading_sqlite(source: Path) -> sqlite3.Connection:
    """A connection that reads a database, also in a folder or on a disk where nothing can be written any more. Raises
    BackupError where that takes writing."""
    connection = sqlite3.connect(source, timeout=30)
    try:
        connection.execute(_READ).fetchone()
    except sqlite3.OperationalError as error:
        connection.close()
        if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
            raise
        newest = source.with_name(f"{source.name}-wal")
        if newest.exists() and newest.stat().st_size:
            raise BackupError(
                f"The folder {source.parent} cannot be written, and the newest changes of the database lie in "
                f"{newest.name}, which SQLite must put into it first. Copy {source.name}* and the files to another "
                "folder, name that in ANNOTUNE_DATA_DIR, and back it up."
            ) from error
    else:
        return connection
    # Nobody has it open, or there were a -wal; SQLite would make one beside it unless it is told so.
    return sqlite3.connect(f"file:{quote(str(source))}?immutable=1", uri=True)


def _check_sqlite(connection: sqlite3.Connection) -> None:
    (found,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    if found != "ok":
        raise BackupError(f"The database is damaged: {found}")


def revision(connection: Connection) -> str:
    """Its schema. Raises BackupError for a database that is not ours, Unavailable for one of a newer version, which may
    name files that this code does not know of."""
    if not inspect(connection).has_table("alembic_version"):
        raise BackupError("The database holds nothing of Annotune.")
    is_current(connection)
    return str(connection.scalar(select(text("version_num")).select_from(text("alembic_version"))))


def count_rows(connection: Connection) -> dict[str, int]:
    """Rows of each table."""
    return {
        name: connection.scalar(select(func.count()).select_from(table_clause(name))) or 0
        for name in sorted(inspect(connection).get_table_names())
    }


def is_empty() -> bool:
    """Whether nobody has an account and there is no project: a database that was made and never used."""
    if kind() == "sqlite" and not Path(str(url().database)).exists():
        return True
    with opened(url()) as connection:
        tables = set(inspect(connection).get_table_names())
        used = [name for name in ("users", "projects") if name in tables]
        return not any(
            connection.scalar(select(func.count()).select_from(table_clause(name))) for name in used
        )


def others_connected() -> int:
    """How many connections of other programs PostgreSQL has to this database; SQLite does not tell."""
    if kind() == "sqlite":
        return 0
    with opened(url()) as connection:
        found = connection.scalar(
            text(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                "AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
            )
        )
        return int(found or 0)


def load(source: Path, expected: Mapping[str, int]) -> None:
    """Put a copy in the place of the database; all of it, or nothing. Raises BackupError."""
    if kind() == "sqlite":
        _load_sqlite(source, expected)
    else:
        _load_postgresql(source)
        with opened(url()) as connection:
            _compare(connection, expected)


def _load_sqlite(source: Path, expected: Mapping[str, int]) -> None:
    target = Path(str(url().database))
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}{RESTORING}")
    part.unlink(missing_ok=True)
    part.touch(mode=0o600)
    shutil.copyfile(source, part)
    with opened(URL.create("sqlite", database=str(part))) as connection:
        _compare(connection, expected)
    with closing(sqlite3.connect(part)) as connection:
        _check_sqlite(connection)
    with part.open("rb") as stream:
        os.fsync(stream.fileno())
    _require_unused(target)
    for beside in ("-wal", "-shm"):
        target.with_name(target.name + beside).unlink(missing_ok=True)
    part.replace(target)


def _require_unused(database: Path) -> None:
    """Raises BackupError while a program has the database open."""
    if not database.exists():
        return
    with closing(sqlite3.connect(database, timeout=1)) as connection:
        try:
            connection.execute("PRAGMA journal_mode=DELETE").fetchone()  # only the last one may
        except sqlite3.OperationalError as error:
            raise BackupError(
                f"The database {database} is in use ({error}). Stop Annotune, and try again."
            ) from error
        except sqlite3.DatabaseError:
            return  # it is damaged, and about to be replaced


def _load_postgresql(source: Path) -> None:
    with opened(url()) as connection:
        quote = connection.dialect.identifier_preparer.quote
        tables = [quote(name) for name in inspect(connection).get_table_names()]
    drop = f"DROP TABLE IF EXISTS {', '.join(tables)} CASCADE" if tables else "SELECT 1"
    script = ["pg_restore", "--no-owner", "--no-privileges", "--file=-", str(source)]
    into = ["psql", "--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1"]
    into += ["--output=/dev/null", f"--command={drop}", "--file=-"]
    environment = _environment()
    try:
        with subprocess.Popen(script, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as reader:
            done = subprocess.run(
                into, stdin=reader.stdout, stderr=subprocess.PIPE, env=environment, check=False
            )
            said = reader.stderr.read() if reader.stderr else b""
    except FileNotFoundError as error:
        raise _no_program(error) from error
    if reader.returncode or done.returncode:
        raise BackupError(_words("The database cannot be restored", said + done.stderr))


def _compare(connection: Connection, expected: Mapping[str, int]) -> None:
    found = count_rows(connection)
    for name, rows in expected.items():
        if found.get(name) != rows:
            raise BackupError(
                f"The table {name} has {found.get(name, 0)} rows in place of {rows}: the copy is not whole."
            )


def _run(command: Sequence[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, env=_environment(), check=False)
    except FileNotFoundError as error:
        raise _no_program(error) from error
    if done.returncode:
        raise BackupError(_words(f"{command[0]} failed", done.stderr))


def _environment() -> dict[str, str]:
    """Where the server is, for its own programs; a password on a command line would be seen by everybody."""
    address = url()
    known: dict[str, Any] = {
        "PGHOST": address.host,
        "PGPORT": address.port,
        "PGUSER": address.username,
        "PGPASSWORD": address.password,
        "PGDATABASE": address.database,
        **{f"PG{key.upper()}": value for key, value in address.query.items() if key != "options"},
    }
    return os.environ | {key: str(value) for key, value in known.items() if value is not None}


def _no_program(error: FileNotFoundError) -> BackupError:
    return BackupError(
        f"The program {error.filename} is not installed: it comes with PostgreSQL's client "
        "(“apt install postgresql-client”), as new as the server or newer."
    )


def _words(what: str, said: bytes) -> str:
    lines = said.decode(errors="replace").strip().splitlines()
    return f"{what}: {lines[0] if lines else 'no reason was given'}"
