"""This worker: its name among all workers, and what it has to offer."""

import socket
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import psutil

from app import devices
from app.models import now
from app.services.jobs import Device

_facts: dict[str, Any] = {}
_name = socket.gethostname()


def identify(name: str, queues: Sequence[str], concurrency: int) -> None:
    """Say who this worker is, before it forks."""
    global _name
    _name = name
    gpus = devices.gpus()
    _facts.update(
        host=socket.gethostname(),
        queues=sorted(queues),
        concurrency=concurrency,
        device_kind=devices.kind_of(gpus),
        device=devices.describe(gpus),
        version=version("annotune"),
        started_at=now(),
    )


def name() -> str:
    """The node's name."""
    return _name


def device_kind() -> Device:
    """What its trainings use: the jobs that it may take are those pinned to this, or to nothing."""
    kind: Device = _facts["device_kind"] if _facts else devices.kind_of(devices.gpus())
    return kind


def facts() -> dict[str, Any]:
    """What is told of it, with the memory as it is now."""
    memory = psutil.virtual_memory()
    free: dict[str, Any] = {"memory_total": memory.total, "memory_available": memory.available}
    if device_kind() == "cuda" and (gpus := devices.gpus()):
        free["gpu_memory_total"] = sum(gpu.memory_total for gpu in gpus)
        free["gpu_memory_available"] = sum(gpu.memory_available for gpu in gpus)
    return _facts | free
