"""Child processes that never outlive their parent, and whole groups that end together."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import psutil

_PR_SET_PDEATHSIG = 1
# Loaded here, not after the fork: there only the one system call is made.
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def die_with(parent: int, sign: int = signal.SIGKILL) -> None:
    """Have the system send this process a signal when its parent (given by its id) ends.

    Linux only; elsewhere nothing happens, and leases and locks catch what is left over. To the system
    the parent is the *thread* that forked, so start children from threads that live on.
    """
    if _libc is None:
        return
    _libc.prctl(_PR_SET_PDEATHSIG, sign, 0, 0, 0)
    if os.getppid() != parent:  # it ended before the call
        os._exit(1)


def start(
    command: Sequence[str],
    *,
    output: IO[Any] | int | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    keep: Sequence[int] = (),
    niceness: int = 0,
) -> subprocess.Popen[bytes]:
    """Start a child in its own session and process group that is killed when this process dies.

    `output` takes both standard streams (None: ours), `keep` names file descriptors it inherits.
    """
    parent = os.getpid()

    def before_exec() -> None:
        die_with(parent)
        if niceness:
            os.nice(niceness)

    return subprocess.Popen(
        list(command),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT if output is not None else None,
        env=dict(env) if env is not None else None,
        cwd=cwd,
        pass_fds=tuple(keep),
        start_new_session=True,
        preexec_fn=before_exec,
    )


def signal_group(group: int, sign: int) -> None:
    """Send a signal to a process group; one that is gone is fine."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, sign)


def group_members(group: int) -> list[int]:
    """The ids of a group's processes that still run (the dead whom nobody has waited for do not count)."""
    members = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, ProcessLookupError):
            if os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE:
                members.append(process.pid)
    return members


def kill_group(group: int, *, within: float = 10.0) -> bool:
    """Kill a group and wait until it is gone. False when something of it still runs afterwards."""
    deadline = time.monotonic() + within
    while group_members(group):
        signal_group(group, signal.SIGKILL)
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def wait_until(condition: Callable[[], bool], *, within: float, every: float = 0.05) -> bool:
    """Whether the condition came true in so many seconds."""
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(every)
    return True
