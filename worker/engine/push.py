"""Pushing a model's folder to a hub: a repository, private when it is new, and one commit."""

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import httpx2
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

from app.training import PushParams
from worker.engine.errors import HubError, ModelError, Stopped
from worker.engine.files import write_json
from worker.engine.job import Folder, Job
from worker.engine.progress import Progress

SUFFIXES = {".safetensors", ".json", ".txt", ".model"}
"""What a model of Annotune consists of; weights as safetensors only, so that nobody loads a pickle."""


def push(folder: Folder, *, stop: Callable[[], bool] = lambda: False) -> dict[str, Any]:
    """Do the folder's job; the content of result.json. The token is read from HF_TOKEN, the hub's address
    from HF_ENDPOINT, the card from the folder's README.md.

    Raises HubError with what the hub says no to, ModelError for a folder without weights, Stopped.
    """
    started = time.monotonic()
    job = Job.read(folder.job)
    params = cast("PushParams", job.params)
    token = os.environ.get("HF_TOKEN")
    if not token:
        raise HubError(
            "The token that was typed did not reach the worker. Start the push again."
            if params.own_token
            else "The worker has no token that may be used for this. Type one of your own for this push, or have "
            "ANNOTUNE_HUB_TOKEN and ANNOTUNE_HUB_PUSH set where the worker runs."
        )
    with Progress(folder.progress) as progress:
        progress.status("loading", "Gathering the model's files")
        chosen = _gather(folder, Path(job.base_model or ""))
        size = sum(file.stat().st_size for file in chosen.iterdir())
        if stop():
            raise Stopped
        api = HfApi(token=token)
        try:
            progress.status("pushing", f"Making sure of the repository {params.repo_id}")
            repo = api.create_repo(params.repo_id, private=params.private, exist_ok=True)
            if stop():
                raise Stopped
            progress.status("pushing", f"Sending {size / 1e6:,.1f} MB")
            commit = api.upload_folder(
                repo_id=repo.repo_id, folder_path=chosen, commit_message="Push from Annotune"
            )
        except (HfHubHTTPError, httpx2.HTTPError, OfflineModeIsEnabled) as error:
            raise HubError(_explain(error, params.repo_id, str(api.endpoint))) from error
    result = {
        "repo_id": repo.repo_id,
        "url": f"{api.endpoint}/{repo.repo_id}",
        "commit": commit.oid,
        "bytes": size,
        "seconds": round(time.monotonic() - started, 3),
    }
    write_json(folder.result, result)
    return result


def _gather(folder: Folder, model: Path) -> Path:
    """The files that go to the hub, in a folder of their own: the model's and its card."""
    target = folder.root / "pushed"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    files = [p for p in sorted(model.iterdir()) if p.is_file() and p.suffix in SUFFIXES]
    if not any(file.suffix == ".safetensors" for file in files):
        raise ModelError("The model's folder holds no safetensors weights, so it is not pushed.")
    for file in files:
        try:
            os.link(file.resolve(), target / file.name)
        except OSError:  # another disk
            shutil.copyfile(file, target / file.name)
    card = folder.root / "README.md"
    if card.is_file():
        shutil.copyfile(card, target / card.name)
    return target


def _explain(error: Exception, repo_id: str, endpoint: str) -> str:
    """What went wrong and what to do, in words."""
    if isinstance(error, OfflineModeIsEnabled):
        return (
            "This worker may not use the internet (HF_HUB_OFFLINE is set), so nothing was pushed."
        )
    status = error.response.status_code if isinstance(error, HfHubHTTPError) else None
    match status:
        case None:
            return (
                f"The hub at {endpoint} cannot be reached from this worker. Check its network, or "
                "ANNOTUNE_HUB_URL, and push again."
            )
        case 401:
            return "The hub does not accept the token: it is wrong, or no longer valid. Make a new one."
        case 403:
            return (
                f"The token may not write to {repo_id}. Take one with the right to write there, or another "
                "owner."
            )
        case 404:
            return f"The hub knows no owner for {repo_id}, or the token does not see it."
        case 429:
            return "The hub asks to wait: too many requests. Push again later."
    return f"The hub answered with the error {status} and took nothing. Push again later."
