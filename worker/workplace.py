"""The working folder of a run: what the trainer is given there, and what is kept of it."""

import json
import re
import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy import select

from app.db import session_scope
from app.errors import InvalidInput, NotFound
from app.models import ACTIVE_STATES, Job, Run
from app.services.runs import RunSpec, model_key
from app.settings import Settings
from app.storage import get_storage
from app.training import RunKind

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?", re.ASCII)
_KEEP_LOG_SECONDS = 7 * 86400.0


def prepare(folder: Path, spec: RunSpec, settings: Settings) -> None:
    """Put the job, the data and the base model where the trainer finds them; checkpoints stay.

    Raises NotFound for a version or a base model that is gone.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in (
        "result.json",
        "error.json",
    ):  # an earlier attempt's must not be taken for this one's
        (folder / name).unlink(missing_ok=True)
    job = {
        "run_id": spec.run_id,
        "kind": spec.kind,
        "task": spec.task,
        "language": spec.language,
        "schema": spec.schema,
        "params": spec.params.model_dump(mode="json"),
        "data": str(_data(spec, folder)),
        "base_model": base_model(spec, settings),
        "device": spec.device,
    }
    part = folder / "job.json.part"
    part.write_text(json.dumps(job, ensure_ascii=False, indent=1), encoding="utf-8")
    part.replace(folder / "job.json")


def _data(spec: RunSpec, folder: Path) -> Path:
    """The file with what the run learns from."""
    if spec.version_key is None:
        raise NotFound("The version that the run is over is gone.")
    return get_storage().fetch_file(spec.version_key, folder)


def base_model(spec: RunSpec, settings: Settings) -> str | None:
    """The engine's name for where the weights come from: a folder, a hub id, "packaged", None: nowhere."""
    reference = (spec.params.base_ref or "").strip()
    match spec.params.base:
        case "packaged":
            return "packaged"
        case "scratch":
            return None
        case "hub":
            # Nothing that could be a path of this machine.
            if not _HUB_ID.fullmatch(reference):
                raise InvalidInput.at("base_ref", f"“{reference}” is not the id of a hub model.")
            return reference
        case "run":
            cached = settings.work_dir / "models" / reference
            return str(get_storage().fetch_folder(model_key(reference), cached).resolve())
        case "folder":
            return str(_base_folder(reference, settings))


def _base_folder(name: str, settings: Settings) -> Path:
    for root in settings.model_dirs:
        if root.is_dir():
            for (
                folder
            ) in root.iterdir():  # compared with what is there, never joined: no “..” gets in
                if folder.name == name and (folder / "config.json").is_file():
                    return folder.resolve()
    raise NotFound(f"There is no base model folder “{name}” on this worker.")


def result(folder: Path, kind: RunKind) -> dict[str, Any] | None:
    """The trainer's result, if it left one together with a whole model, where there is to be one."""
    whole = not kind.leaves_model or all(
        (folder / "model" / name).is_file() for name in ("config.json", "model.safetensors")
    )
    try:
        found = json.loads((folder / "result.json").read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    return found if whole and isinstance(found, dict) else None


def remove(folder: Path) -> None:
    """Remove the folder: everything worth keeping is stored elsewhere."""
    shutil.rmtree(folder, ignore_errors=True)


def clear(folder: Path) -> None:
    """Remove checkpoints and all else but the log."""
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        elif path.name not in ("log.txt", "lock"):
            path.unlink(missing_ok=True)


def clear_leftovers(settings: Settings) -> None:
    """Clear the folders of runs that ended while no worker of this machine watched; old logs go, too."""
    root = settings.work_dir / "runs"
    # Listed before the query: a run that starts in between has no folder in the list.
    folders = [path for path in root.iterdir() if path.is_dir()] if root.is_dir() else []
    with session_scope(read_only=True) as session:
        active = set(
            session.scalars(
                select(Run.id).join(Job, Job.id == Run.job_id).where(Job.state.in_(ACTIVE_STATES))
            )
        )
    for folder in folders:
        if folder.name not in active:
            clear(folder)
            with suppress(FileNotFoundError):
                if time.time() - (folder / "log.txt").stat().st_mtime > _KEEP_LOG_SECONDS:
                    remove(folder)
