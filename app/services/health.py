"""Whether what Annotune stands on answers: each check is short, leaves nothing behind, and raises when it
does not."""

import errno
import os
import shutil
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import make_url

from app.db import session_scope
from app.services import workers
from app.settings import get_settings
from app.storage import get_storage

SECONDS = 2.0
"""How long a check may take."""
LEAST_FREE = 16 << 20
"""Bytes of room that a disk should have left."""
_ASK = "SELECT version_num FROM alembic_version"


def check_database() -> None:
    """Asks over a connection of its own: a pool that is in use says nothing of the database."""
    url = make_url(get_settings().database)
    if url.get_backend_name() == "sqlite":
        # mode=rw: a file that is missing must not be made.
        address = f"file:{quote(str(url.database))}?mode=rw"
        connection = sqlite3.connect(address, uri=True, timeout=SECONDS / 2)
        try:
            connection.execute(_ASK).fetchone()
        finally:
            connection.close()
        return
    import psycopg  # here, as redis below: a start does not wait for it

    address = url.set(drivername="postgresql").render_as_string(hide_password=False)
    limits = f"-c statement_timeout={int(SECONDS * 500)}"
    with psycopg.connect(address, connect_timeout=int(SECONDS), options=limits) as server:
        server.execute(_ASK)


def check_broker() -> None:
    """A message could be put there: a broker whose memory is full still answers a ping."""
    import redis

    url = get_settings().broker.replace("redis+socket:", "unix:", 1)
    limits = {"socket_connect_timeout": SECONDS / 2, "socket_timeout": SECONDS / 2}
    with redis.Redis.from_url(url, **limits) as client:
        client.set("annotune.health", 1, ex=60)


def check_storage() -> None:
    """A local folder can be written; any other storage answers."""
    storage = get_storage()
    if not storage.is_local:
        storage.names("health")
        return
    folder = Path(storage.root)
    while not folder.exists():  # it is made when the first file is stored
        folder = folder.parent
    if not os.access(folder, os.W_OK | os.X_OK) or not folder.is_dir():
        raise PermissionError(f"{folder} cannot be written")


def check_disk() -> None:
    """There is room for what people save, where SQLite and the local storage are."""
    settings, storage = get_settings(), get_storage()
    folders = [settings.data_dir.resolve(), *([Path(storage.root)] if storage.is_local else [])]
    for folder in folders:
        there = next(path for path in (folder, *folder.parents) if path.exists())
        if shutil.disk_usage(there).free < LEAST_FREE:
            raise OSError(errno.ENOSPC, "the disk is full, or nearly so", str(folder))


def check_workers() -> None:
    """Workers for both queues have been seen just now."""
    check_database()  # which makes no file that is missing
    with session_scope(read_only=True) as session:
        missing = [queue for queue in ("cpu", "gpu") if not workers.is_served(session, queue)]
    if missing:
        raise LookupError(f"no worker takes {' or '.join(missing)} jobs")


ESSENTIAL: Mapping[str, Callable[[], None]] = {
    "database": check_database,
    "storage": check_storage,
}
"""What a request needs to be answered."""
OPTIONAL: Mapping[str, Callable[[], None]] = {
    "disk": check_disk,
    "broker": check_broker,
    "workers": check_workers,
}
"""Without room nothing is saved, though all can be read; jobs wait in the database for broker and workers."""
