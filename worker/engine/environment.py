"""The machine a run happens on: device, threads, precision, versions; and the one seed."""

import os
import platform
import random
import subprocess
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
import transformers

from worker.engine.errors import DeviceError, ModelError

_ROOT = Path(__file__).parents[2]
PACKAGES = ("annotune", "numpy", "safetensors", "tokenizers", "torch", "transformers")


@dataclass(frozen=True, slots=True)
class Device:
    """Where tensors live and in which precision matrices are multiplied."""

    torch: torch.device
    bf16: bool
    fp16: bool = False
    """Never together with bf16. Gradients as small as fp16 cannot hold are lost unless the loss is scaled."""

    def autocast(self) -> AbstractContextManager[Any]:
        """Sixteen bits inside, where they are used; weights stay float32."""
        half = torch.float16 if self.fp16 else torch.bfloat16
        return torch.autocast(self.torch.type, dtype=half, enabled=self.bf16 or self.fp16)

    def of(self, rank: int) -> "Device":
        """The same kind of device for the process of that number on this machine."""
        if self.torch.type != "cuda":
            return self
        return replace(self, torch=torch.device(f"cuda:{rank}"))

    @property
    def precision(self) -> str:
        return "bf16" if self.bf16 else "fp16" if self.fp16 else "fp32"

    @property
    def name(self) -> str:
        if self.torch.type == "cuda":
            return f"{self.torch} {torch.cuda.get_device_name(self.torch)}"
        return str(self.torch)


def choose_device(precision: str = "auto", *, pinned: str | None = None) -> Device:
    """The first GPU, else the processor. `auto` is bf16 where that is fast, else fp16 where that is.

    Pinned to "cpu" it is the processor; pinned to "cuda" it raises DeviceError where there is no GPU. Raises
    ModelError where the device cannot do what is asked for.
    """
    has_gpu = pinned != "cpu" and torch.cuda.is_available()
    if pinned == "cuda" and not has_gpu:
        raise DeviceError(
            "The run is pinned to a GPU, and PyTorch of this worker finds none that it can use. Check the "
            "driver and the installation of PyTorch (annotune doctor), or start the run without the pin."
        )
    device = torch.device("cuda:0" if has_gpu else "cpu")
    if precision == "auto":
        precision = "bf16" if _fast_bf16(device) else "fp16" if _fast_fp16(device) else "fp32"
    elif precision == "fp16" and device.type != "cuda":
        raise ModelError(
            "The precision fp16 needs a GPU, and this worker has none. Set the precision to auto or fp32, or "
            "start a worker on a machine with a GPU."
        )
    elif precision == "bf16" and device.type == "cuda" and not _fast_bf16(device):
        raise ModelError(
            f"The GPU of this worker ({torch.cuda.get_device_name(device)}) does not have bf16. Set the "
            "precision to auto, fp16 or fp32."
        )
    return Device(device, bf16=precision == "bf16", fp16=precision == "fp16")


def _fast_fp16(device: torch.device) -> bool:
    """From compute capability 7.0 on there are tensor cores; before, fp16 is hardly quicker than fp32."""
    return device.type == "cuda" and torch.cuda.get_device_capability(device) >= (7, 0)


def _fast_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    # Emulated bfloat16 is slower than float32, so only with instructions of its own.
    flags = Path("/proc/cpuinfo")
    words = flags.read_text(errors="ignore").split("processor", 2)[1:2] if flags.exists() else []
    return any(flag in word.split() for word in words for flag in ("avx512_bf16", "amx_bf16"))


def use_threads(processes: int = 1) -> int:
    """Give torch the physical cores, or this process's part of them where several train; how many.

    ANNOTUNE_TRAIN_THREADS or OMP_NUM_THREADS, where they are set, say how many each process has.
    """
    wanted = os.environ.get("ANNOTUNE_TRAIN_THREADS") or os.environ.get("OMP_NUM_THREADS") or ""
    is_told = wanted.isdigit() and int(wanted) > 0
    torch.set_num_threads(int(wanted) if is_told else max(1, _cores() // processes))
    return torch.get_num_threads()


def _cores() -> int:
    """Physical cores, or fewer where the process may use fewer (affinity, container quota)."""
    cores = [psutil.cpu_count(logical=False) or 1]
    if hasattr(os, "sched_getaffinity"):
        cores.append(len(os.sched_getaffinity(0)))
    quota = Path("/sys/fs/cgroup/cpu.max")
    if quota.exists():
        limit, _, period = quota.read_text().strip().partition(" ")
        if limit.isdigit() and period.isdigit():
            cores.append(int(limit) // int(period))
    return max(1, min(cores))


def quieten_libraries() -> None:
    """No bars and reports of the libraries in the log that people read; errors stay."""
    transformers.utils.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]


def seed_everything(seed: int, device: Device) -> None:
    """One seed for initial weights, order and dropout; on a GPU also deterministic kernels."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)
    # The moments of rows of the embedding that no text touches shrink into denormal numbers, which
    # processors multiply a hundred times slower.
    torch.set_flush_denormal(True)
    if device.torch.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True, warn_only=True)
        # That is for finding mistakes, and slow.
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def describe(device: Device, *, processes: int = 1) -> dict[str, Any]:
    """What a run is repeated with: the code, packages, device, processes, threads, precision."""
    return {
        "commit": _commit(),
        "packages": {name: _version(name) for name in PACKAGES},
        "python": platform.python_version(),
        "platform": platform.platform(),
        "device": device.name,
        "processes": processes,
        "threads": torch.get_num_threads(),
        "precision": device.precision,
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except Exception:  # a source checkout without metadata
        return None


def _commit() -> str | None:
    """The commit of the code, with a word where it was changed since; None where it is no checkout."""
    if not (
        _ROOT / ".git"
    ).exists():  # not the repository that an installed package happens to lie in
        return None
    commit = _git("rev-parse", "HEAD")
    changed = commit and _git("status", "--porcelain", "--untracked-files=no")
    return f"{commit} (changed)" if changed else commit


def _git(*words: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(_ROOT), *words], capture_output=True, text=True, check=True, timeout=5
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None
