"""The working folder of a run: what the trainer is given there, and what is kept of it."""

import json
import shutil
import time
from collections.abc import Container
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy import select

from app.db import session_scope
from app.errors import InvalidInput, NotFound
from app.models import ACTIVE_STATES, Job, Run
from app.services import model_card
from app.services.runs import RunSpec, model_key
from app.services.texts import write_texts
from app.settings import Settings
from app.storage import get_storage
from app.training import HUB_ID, RUN_KINDS, PretrainParams, RunKind

_KEEP_LOG_SECONDS = 7 * 86400.0
_LEAST_FREE = 5 << 30
"""Bytes of the disk: with fewer, no checkpoints are kept for later."""
_TO_RESUME = (
    *("checkpoints", "scratch", "progress.jsonl"),
    "folds",  # of a cross-validation
    *("texts.jsonl", "texts.json", "before.json"),  # of a pre-training
)


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
        "data": str(_data(spec, folder)) if RUN_KINDS[spec.kind].reads_data else "",
        "base_model": base_model(spec, settings),
        "device": spec.device,
        "processes": settings.train_processes,
    }
    if spec.kind == "push":
        card = model_card.card_of(spec.params.base_ref or "")
        (folder / "README.md").write_text(card, encoding="utf-8")
    part = folder / "job.json.part"
    part.write_text(json.dumps(job, ensure_ascii=False, indent=1), encoding="utf-8")
    part.replace(folder / "job.json")


def _data(spec: RunSpec, folder: Path) -> Path:
    """The file with what the run learns from."""
    if isinstance(spec.params, PretrainParams):
        texts = folder / "texts.jsonl"
        if not texts.exists():  # else an earlier attempt's: a run goes on with what it began with
            write_texts(
                texts,
                spec.project_id,
                as_of=spec.created_at,
                validation_percent=spec.params.validation_percent,
            )
        return texts
    if spec.version_key is None:
        raise NotFound("The version that the run is over is gone.")
    storage = get_storage()
    storage.check(spec.version_key, sha256=spec.version_sha256)
    return storage.fetch_file(spec.version_key, folder)


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
            if not HUB_ID.fullmatch(reference):
                raise InvalidInput.at("base_ref", f"“{reference}” is not the id of a hub model.")
            return reference
        case "run":
            cached = settings.work_dir / "models" / reference
            storage = get_storage()
            storage.check_folder(model_key(reference), size=None, digests=True)
            return str(storage.fetch_folder(model_key(reference), cached).resolve())
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


def clear(folder: Path, *, keep: Container[str] = ()) -> None:
    """Remove all but the log, and what has one of the names in `keep`."""
    for path in folder.iterdir():
        if path.name in keep:
            continue
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        elif path.name not in ("log.txt", "lock"):
            path.unlink(missing_ok=True)


def keep_for_resuming(folder: Path, settings: Settings) -> None:
    """Clear the folder of a run that failed or was cancelled, but keep what it takes to go on, for some time."""
    clear(folder, keep=_TO_RESUME if settings.checkpoint_keep_hours else ())


def clear_leftovers(settings: Settings) -> None:
    """Clear the folders of runs that have ended, once nobody is to take them up again; old logs go, too.

    What failed or was cancelled keeps its checkpoints for the hours that the settings say, and less where the
    disk is short: then the oldest go first.
    """
    root = settings.work_dir / "runs"
    # Listed before the query: a run that starts in between has no folder in the list.
    folders = [path for path in root.iterdir() if path.is_dir()] if root.is_dir() else []
    states = _states([path.name for path in folders])
    ended = [path for path in folders if states.get(path.name) not in ACTIVE_STATES]
    kept = []
    for folder in sorted(ended, key=_ended_at):
        age = time.time() - _ended_at(folder)
        resumable = states.get(folder.name) in ("failed", "cancelled")
        if resumable and age < settings.checkpoint_keep_hours * 3600:
            kept.append(folder)
        else:
            _clear_ended(folder)
        if age > _KEEP_LOG_SECONDS:
            remove(folder)
    for folder in kept:
        if shutil.disk_usage(root).free > _LEAST_FREE:
            break
        _clear_ended(folder)


def _clear_ended(folder: Path) -> None:
    """Clear it, unless its run has just been taken up again."""
    if _states([folder.name]).get(folder.name) not in ACTIVE_STATES:
        with suppress(FileNotFoundError):  # whoever ended the run removes it as well
            clear(folder)


def _states(run_ids: list[str]) -> dict[str, str]:
    """The states of the runs that there are."""
    query = select(Run.id, Job.state).join(Job, Job.id == Run.job_id).where(Run.id.in_(run_ids))
    with session_scope(read_only=True) as session:
        return {run_id: state for run_id, state in session.execute(query)}  # noqa: C416 (rows)


def _ended_at(folder: Path) -> float:
    """When something was last written there, as a time of the system's clock."""
    log = folder / "log.txt"
    with suppress(FileNotFoundError):
        return (log if log.exists() else folder).stat().st_mtime
    return 0.0
