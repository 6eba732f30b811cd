"""The training process: one at a time in a working folder, in a process group of its own.

A trainer inherits a locked file, and the lock ends with the last process of its group. So whoever gets
the lock knows that nothing of an earlier attempt still writes into the folder.
"""

import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

import structlog

from app.errors import Unavailable
from app.processes import kill_group, signal_group, start
from app.settings import Settings

_HUB_TOKENS = frozenset({"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH"})
STOPPED = 75
"""Exit code of a trainer that was asked to stop and has written a checkpoint."""
DISK_FULL, MEMORY_FULL = 74, 71
"""Exit codes of one that could not even write down its error."""
_FORMER_GROUP_SECONDS = 10.0

log = structlog.get_logger()


class Trainer:
    """A running `python -m worker.train FOLDER`."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self.group = process.pid

    @classmethod
    def start(cls, folder: Path, environment: dict[str, str]) -> Self:
        """Start one, after ending what an earlier attempt may have left running in the folder.

        Raises Unavailable when that will not end.
        """
        with (folder / "lock").open("a+") as lock, (folder / "log.txt").open("ab") as output:
            _acquire(lock.fileno(), folder)
            process = start(
                [sys.executable, "-P", "-m", "worker.train", str(folder)],
                output=output,
                env=environment,
                keep=[lock.fileno()],
                # People label on the same machine, perhaps: pages go before training.
                niceness=5,
            )
            started = cls(process)
            try:
                (folder / "group").write_text(str(process.pid))
            except OSError:  # nobody would watch it, nor find it
                started.kill()
                raise
        return started

    def wait(self, seconds: float) -> int | None:
        """The exit code once the process has ended (negative: the signal that ended it), else None."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def ask_to_stop(self) -> None:
        """Have it finish its step, write a checkpoint and end with the code STOPPED."""
        signal_group(self.group, signal.SIGTERM)

    def kill(self) -> None:
        """End the whole group now, and wait until it is gone."""
        if not kill_group(self.group):
            log.error("training_group_survives", group=self.group)
        self._process.wait()


def environment(
    settings: Settings, *, online: bool, token: str | None = None, device: str | None = None
) -> dict[str, str]:
    """A trainer's environment: ours without Annotune's secrets and without what this machine's owner may
    have for the hub; with the hub's access where it is wanted, by the token given or by none.

    A run that is pinned to the processor sees no GPU, whatever part of it looks for one.
    """
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("ANNOTUNE_") and name not in _HUB_TOKENS
    }
    # GPUs are counted as nvidia-smi counts them, in which CUDA_VISIBLE_DEVICES was meant.
    inherited.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
    chosen = {"PYTHONUNBUFFERED": "1", "TOKENIZERS_PARALLELISM": "false"}
    if settings.train_threads:
        chosen["OMP_NUM_THREADS"] = str(settings.train_threads)
    if device == "cpu":
        chosen["CUDA_VISIBLE_DEVICES"] = ""
    if not online:
        chosen["HF_HUB_OFFLINE"] = "1"
    else:
        if token:
            chosen["HF_TOKEN"] = token
        else:  # nor one that somebody left in a file when logging in to the hub
            chosen |= {"HF_HUB_DISABLE_IMPLICIT_TOKEN": "1"}
        if settings.hub_url:
            chosen["HF_ENDPOINT"] = settings.hub_url.rstrip("/")
            # Hubs of one's own take files over plain HTTP; the Xet storage is Hugging Face's.
            chosen["HF_HUB_DISABLE_XET"] = "1"
    return inherited | chosen


def _acquire(descriptor: int, folder: Path) -> None:
    deadline = time.monotonic() + _FORMER_GROUP_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise Unavailable(
                    f"An earlier attempt of this run still works in {folder} and cannot be ended."
                ) from None
            # The lock is held, so the group that the file names is alive and no other's.
            group = _former_group(folder)
            if group is None or not kill_group(group, within=1):
                time.sleep(0.1)
        else:
            return


def _former_group(folder: Path) -> int | None:
    try:
        return int((folder / "group").read_text())
    except (FileNotFoundError, ValueError):
        return None
