"""Checkpoints: everything a stopped run needs to go on as if it had never stopped.

A folder `step-00000120` holds the weights (safetensors), the optimiser's moments, the random states and, for
fp16, the scale of the loss (tensors, read back with weights_only), and state.json with the position and a
checksum of each file. It takes its name only when it is whole. The learning rate is a function of the step, so
it needs no state.
"""

import json
import logging
import random
import shutil
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_model, save_model
from torch import Tensor, nn

from worker.engine.files import new_folder, require_space

log = logging.getLogger(__name__)

WEIGHTS, TENSORS, STATE = "model.safetensors", "training.pt", "state.json"


@dataclass(slots=True)
class Position:
    """How far a run has come."""

    epoch: int = 0
    batch: int = 0
    """Batches done in this epoch."""
    step: int = 0
    seconds: float = 0.0
    """Training time of all attempts."""
    best_step: int | None = None
    best_score: list[float] | None = None
    """Primary score of the best epoch, then minus its loss, which decides between equal scores."""


class Checkpoints:
    """The checkpoints of one run: the last and the best are kept."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def require_space(self, parameters: int) -> None:
        """Raises DiskError unless there is room for a training of so many weights."""
        # Three checkpoints at worst (last, best, the one being written), each with two moments; the model.
        require_space(self.folder, parameters * 4 * (3 * 3 + 1))

    def path(self, step: int) -> Path:
        return self.folder / f"step-{step:08d}"

    def save(
        self,
        position: Position,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        *,
        states: Sequence[dict[str, Tensor]],
        scaler: torch.amp.GradScaler | None = None,
    ) -> None:
        """Write a checkpoint, then remove those that are neither last nor best. `states`: the random states
        of each process that trains."""
        with new_folder(self.path(position.step)) as folder:
            save_model(model, str(folder / WEIGHTS))
            tensors: dict[str, Any] = {
                "optimizer": optimizer.state_dict(),
                "random": list(states),
                "scaler": scaler.state_dict() if scaler is not None else {},
            }
            torch.save(tensors, folder / TENSORS)
            version, words, gauss = random.getstate()
            state = {
                "position": asdict(position),
                "python_random": [version, list(words), gauss],
                "files": {name: _checksum(folder / name) for name in (WEIGHTS, TENSORS)},
            }
            (folder / STATE).write_text(json.dumps(state), encoding="utf-8")
        kept = {self.path(position.step)}
        if position.best_step is not None:
            kept.add(self.path(position.best_step))
        for old in self.folder.iterdir():
            if old not in kept:
                shutil.rmtree(old, ignore_errors=True)

    def newest(self) -> Path | None:
        """The newest checkpoint that is whole; a damaged one is passed over with a word in the log."""
        for folder in sorted(self.folder.glob("step-*"), reverse=True):
            if is_whole(folder):
                return folder
            log.warning("The checkpoint %s is damaged and is passed over.", folder.name)
        return None

    def restore(
        self,
        folder: Path,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        *,
        device: torch.device,
        scaler: torch.amp.GradScaler | None = None,
        rank: int = 0,
    ) -> Position:
        """Put a run, or the process of that rank, back to where the checkpoint was written."""
        load_model(model, str(folder / WEIGHTS))
        tensors = torch.load(folder / TENSORS, weights_only=True, map_location="cpu")
        optimizer.load_state_dict(tensors["optimizer"])
        if scaler is not None and scaler.is_enabled() and tensors.get("scaler"):
            scaler.load_state_dict(tensors["scaler"])
        if rank < len(tensors["random"]):  # else more processes train now than did
            set_random_states(tensors["random"][rank], device)
        state = json.loads((folder / STATE).read_text(encoding="utf-8"))
        version, words, gauss = state["python_random"]
        random.setstate((version, tuple(words), gauss))
        position = Position(**state["position"])
        if position.best_step is not None and not is_whole(self.path(position.best_step)):
            log.warning("The best checkpoint so far is damaged; the best is sought anew from here.")
            position.best_step = position.best_score = None
        return position

    def load_best(self, position: Position, model: nn.Module) -> None:
        """Give the model the best weights seen, where they are not those it has."""
        if position.best_step is not None and position.best_step != position.step:
            load_model(model, str(self.path(position.best_step) / WEIGHTS))


def random_states(device: torch.device) -> dict[str, Tensor]:
    """The states of torch's random generators in this process, by kind of device."""
    states = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    return states


def set_random_states(states: dict[str, Tensor], device: torch.device) -> None:
    """Have torch's generators go on from such states."""
    torch.set_rng_state(states["cpu"])
    if device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"], device)


def is_whole(folder: Path) -> bool:
    """Whether a checkpoint's files are the ones that were written."""
    try:
        state = json.loads((folder / STATE).read_text(encoding="utf-8"))
        Position(**state["position"])
        return all(_checksum(folder / name) == known for name, known in state["files"].items())
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _checksum(path: Path) -> list[int]:
    """Size and CRC-32 of a file: quick, and enough against torn writes and bad disks."""
    crc = 0
    with path.open("rb") as file:
        while block := file.read(1 << 22):
            crc = zlib.crc32(block, crc)
    return [path.stat().st_size, crc]
