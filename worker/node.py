"""This worker: its name among all workers, and what it has to offer."""

import os
import platform
import shutil
import socket
import subprocess
from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from typing import Any

import psutil

_facts: dict[str, Any] = {}
_name = socket.gethostname()


def identify(name: str, queues: Sequence[str], concurrency: int) -> None:
    """Say who this worker is, before it forks."""
    global _name
    _name = name
    _facts.update(
        host=socket.gethostname(),
        queues=sorted(queues),
        concurrency=concurrency,
        device=_device(),
        version=version("annotune"),
    )


def name() -> str:
    """The node's name."""
    return _name


def facts() -> dict[str, Any]:
    """What is told of it, with the memory as it is now."""
    memory = psutil.virtual_memory()
    return _facts | {"memory_total": memory.total, "memory_available": memory.available}


@cache
def _device() -> str:
    """The GPUs by name, else the processor's cores. Without torch, which would cost this process seconds."""
    tool = shutil.which("nvidia-smi")
    if tool and os.environ.get("CUDA_VISIBLE_DEVICES") != "":
        words = [tool, "--query-gpu=name", "--format=csv,noheader"]
        asked = subprocess.run(words, capture_output=True, text=True, timeout=20, check=False)
        names = [line.strip() for line in asked.stdout.splitlines() if line.strip()]
        if asked.returncode == 0 and names:
            return ", ".join(names)[:200]
    return f"{platform.machine()}, {psutil.cpu_count() or 1} cores"
