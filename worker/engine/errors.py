"""Why a run failed, in a category that programs read and a sentence that says what to do."""

import errno
from typing import Literal

import torch

Category = Literal["out_of_memory", "data", "model", "device", "disk", "hub", "internal"]


class EngineError(Exception):
    """Base of the failures whose cause is known; `message` says what is wrong and what to do."""

    category: Category = "internal"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class DataError(EngineError):
    """The version cannot be trained on."""

    category: Category = "data"


class ModelError(EngineError):
    """The base model cannot be used, or training it went astray."""

    category: Category = "model"


class DeviceError(EngineError):
    """The device that the run is pinned to is not to be had."""

    category: Category = "device"


class DiskError(EngineError):
    """There is no room, or no right, to write."""

    category: Category = "disk"


class HubError(EngineError):
    """The hub cannot be reached, or says no."""

    category: Category = "hub"


class Stopped(Exception):
    """The run was asked to stop; what it needs to go on is on disk."""


_MEMORY_SIGNS = (
    "out of memory",
    "can't allocate memory",
    "cannot allocate memory",
    "bad allocation",
    "could not create a primitive",  # oneDNN, when it gets no memory for its kernels
)
_DISK_SIGNS = (
    "no space left",
    "file write failed",
    "failed writing file",
    "quota exceeded",
    "unexpected pos",
    "file too large",
)
_DISK_NUMBERS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO}

_MEMORY_ADVICE = (
    "There was not enough memory, even for one example at a time. Turn on gradient checkpointing, or lower "
    "the maximum length or the size of the model."
)
_DISK_ADVICE = "The disk of the worker is full or cannot be written. Free some space there and start the run again."


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a processor or a GPU has said that it has no more memory."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    if getattr(error, "errno", None) == errno.ENOMEM:
        return True
    # Libraries in Rust and C++ have exceptions of their own for it.
    words = str(error).lower()
    return any(sign in words for sign in _MEMORY_SIGNS)


def explain(error: BaseException) -> tuple[Category, str]:
    """The category of an exception and the sentences for the person who started the run."""
    if isinstance(error, EngineError):
        return error.category, error.message
    if is_out_of_memory(error):
        return "out_of_memory", _MEMORY_ADVICE
    words = str(error).lower()
    if getattr(error, "errno", None) in _DISK_NUMBERS or any(sign in words for sign in _DISK_SIGNS):
        return "disk", _DISK_ADVICE
    return (
        "internal",
        f"Training ended with an error that is not foreseen ({type(error).__name__}: {error}). "
        "The log has the details.",
    )
