"""What this machine computes with: GPUs or the processor. Asked of nvidia-smi, since torch takes seconds."""

import os
import platform
import shutil
import subprocess
from dataclasses import dataclass
from typing import Literal

import psutil

_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU that this process may use; memory in bytes."""

    name: str
    memory_total: int
    memory_available: int


def gpus() -> list[Gpu]:
    """The GPUs that this process may use: all, or those that CUDA_VISIBLE_DEVICES names."""
    tool, chosen = shutil.which("nvidia-smi"), os.environ.get("CUDA_VISIBLE_DEVICES")
    if tool is None or chosen in ("", "-1"):
        return []
    words = [tool, "--query-gpu=name,memory.total,memory.free", "--format=csv,noheader,nounits"]
    if chosen is not None:
        words += ["--id", chosen]
    try:
        asked = subprocess.run(words, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return read_answer(asked.stdout) if asked.returncode == 0 else []


def read_answer(text: str) -> list[Gpu]:
    """The GPUs of nvidia-smi's lines `name, MiB, MiB`; what a GPU does not tell counts as 0."""
    found = []
    for line in text.splitlines():
        name, *sizes = (part.strip() for part in line.rsplit(",", 2))
        if name and len(sizes) == 2:
            total, free = (int(size) * _MIB if size.isdigit() else 0 for size in sizes)
            found.append(Gpu(name, total, free))
    return found


def kind_of(found: list[Gpu]) -> Literal["cuda", "cpu"]:
    """The kind of device that a training uses where there are these GPUs."""
    return "cuda" if found else "cpu"


def describe(found: list[Gpu]) -> str:
    """The GPUs by name, else the processor's cores."""
    names = ", ".join(gpu.name for gpu in found)
    return names[:200] or f"{platform.machine()}, {psutil.cpu_count() or 1} cores"
