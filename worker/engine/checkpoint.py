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
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_model, save_model
from torch import nn

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
        device: torch.device,
        scaler: torch.amp.GradScaler | None = None,
    ) -> None:
        """Write a checkpoint, then remove those that are neither last nor best."""
        with new_folder(self.path(position.step)) as folder:
            save_model(model, str(folder / WEIGHTS))
            tensors: dict[str, Any] = {
                "optimizer": optimizer.state_dict(),
                "random": torch.get_rng_state(),
                "scaler": scaler.state_dict() if scaler is not None else {},
            }
            if device.type == "cuda":
                tensors["random_cuda"] = torch.cuda.get_rng_state(device)
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
    ) -> Position:
        """Put a run back to where the checkpoint was written."""
        load_model(model, str(folder / WEIGHTS))
        tensors = torch.load(folder / TENSORS, weights_only=True, map_location="cpu")
        optimizer.load_state_dict(tensors["optimizer"])
        if scaler is not None and scaler.is_enabled() and tensors.get("scaler"):
            scaler.load_state_dict(tensors["scaler"])
        torch.set_rng_state(tensors["random"])
        if device.type == "cuda" and "random_cuda" in tensors:
            torch.cuda.set_rng_state(tensors["random_cuda"], device)
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
