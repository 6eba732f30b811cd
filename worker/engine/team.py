"""Several processes for one training, one on each GPU of a machine: each learns from a part of every batch.

All have the same weights and take the same steps. The gradients are added up once a step, when all have done
their parts, and not while they are computed, as DistributedDataParallel does it: a process whose memory runs
out can try again with smaller parts, and nobody waits for a message that never comes. The leader is the process
that the supervisor has started; it alone evaluates, writes, and hears of the wish to stop.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import psutil
import torch
import torch.distributed as dist
from torch import Tensor, nn

from app.processes import die_with
from worker.engine.errors import Stopped

PLACE = "ANNOTUNE_TRAINER_PLACE"
"""Environment variable that tells a process which it is, as "rank/size"; the leader has none."""
STOPPED = 75
"""Exit code of a training that was asked to stop and can go on."""
BUCKET = 1 << 23
"""Numbers that are added up at once: few messages, and little memory for them."""
_PATIENCE = timedelta(days=30)
"""The others wait while the leader evaluates. Whoever has died is noticed otherwise, within a second."""
_WATCH_SECONDS = 0.2
_END_SECONDS = 60.0

T = TypeVar("T")


class Team:
    """The processes of a training as one of them sees them; alone it does everything itself.

    What has the word "all" in its description must be called by all of them, in the same order.
    """

    def __init__(self, rank: int = 0, size: int = 1) -> None:
        self.rank, self.size = rank, size

    @property
    def leads(self) -> bool:
        """Whether this is the process that evaluates and writes."""
        return self.rank == 0

    def share(self, rows: Sequence[T]) -> Sequence[T]:
        """This process's part of a batch; it is empty where there are more processes than rows."""
        return rows[self.rank :: self.size]

    def add_up(self, tensors: Sequence[Tensor]) -> None:
        """Replace each tensor by its sum over all; their shapes and types are the same everywhere."""
        if self.size == 1:
            return
        for bucket in _buckets(tensors):
            if len(bucket) == 1 and bucket[0].is_contiguous():  # an embedding, which is large
                dist.all_reduce(bucket[0])
                continue
            flat = torch.cat([tensor.reshape(-1) for tensor in bucket])
            dist.all_reduce(flat)
            for tensor, part in zip(
                bucket, torch.split(flat, [t.numel() for t in bucket]), strict=True
            ):
                tensor.copy_(part.view_as(tensor))

    def add_up_gradients(self, parameters: Iterable[nn.Parameter], *others: Tensor) -> None:
        """Replace the gradients of all, and other tensors, by their sums over all.

        What a process has left out by chance (LayerDrop) has no gradient there, but all need the same ones:
        they get one that is nothing where another process has some.
        """
        learned = list(parameters)
        if self.size > 1:
            has = torch.tensor([int(parameter.grad is not None) for parameter in learned])
            dist.all_reduce(has, op=dist.ReduceOp.MAX)
            for parameter, some in zip(learned, has.tolist(), strict=True):
                if some and parameter.grad is None:
                    parameter.grad = torch.zeros_like(parameter)
        self.add_up([*(p.grad for p in learned if p.grad is not None), *others])

    def told(self, action: Callable[[], T]) -> T:
        """What the action gives the leader, who alone does it, told to all. Where it raises Stopped, all do."""
        if self.size == 1:
            return action()
        message: list[Any] = [None, None]
        stopped: Stopped | None = None
        if self.leads:
            try:
                message = ["told", action()]
            except Stopped as error:
                message, stopped = ["stopped", None], error
        dist.broadcast_object_list(message, src=0, device=torch.device("cpu"))
        if message[0] == "stopped":
            raise stopped or Stopped
        told: T = message[1]
        return told

    def in_turn(self, action: Callable[[], T]) -> T:
        """All do it, the leader first: what it has downloaded or written is there for the others."""
        if self.leads:
            found = action()
            self.told(lambda: None)
            return found
        self.told(lambda: None)
        return action()

    def gathered(self, value: T) -> list[T]:
        """The values of all, by rank."""
        if self.size == 1:
            return [value]
        values: list[Any] = [None] * self.size
        dist.all_gather_object(values, value)
        return values


def place() -> tuple[int, int] | None:
    """Rank and size of the team, in a process that another one has started for its training; else None."""
    told = os.environ.get(PLACE)
    if not told:
        return None
    rank, _, size = told.partition("/")
    return int(rank), int(size)


@contextmanager
def assembled(folder: Path, size: int) -> Iterator[Team]:
    """The team that trains in a working folder, which the leader gathers: `size` processes.

    The leader ends as the first of the others does that fails, and its own failure ends them.
    """
    mine = place()
    meeting = folder / "meeting"
    if mine is not None:
        with joined(*mine, meeting) as team:
            yield team
            team.told(lambda: None)  # until the leader is through: then all leave at once
    elif size == 1:
        yield Team()
    else:
        meeting.unlink(missing_ok=True)
        with _helpers(folder, size) as watch, joined(0, size, meeting) as team:
            try:
                yield team
            except BaseException as error:
                if not isinstance(error, Stopped):
                    watch.end_as_the_first_that_failed(within=2.0)
                # First of all: when the leader is gone, they would take that for their own failure.
                watch.dismiss()
                raise
            team.told(lambda: None)


@contextmanager
def joined(rank: int, size: int, meeting: Path) -> Iterator[Team]:
    """A team whose processes find each other by a file, which must not be there before.

    Who fails does not leave the group: between GPUs that waits until all do, and they may wait for this one.
    The end of the process is the end of its part in it.
    """
    if dist.is_initialized():  # by an earlier team, the others of which are gone
        dist.destroy_process_group()
    for library in ("GLOO", "NCCL"):  # whoever calls is heard, and words are unpickled
        os.environ.setdefault(f"{library}_SOCKET_IFNAME", _loopback())
    # Objects and words go through the processor; only tensors of a GPU need NCCL.
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    if torch.cuda.is_available():
        torch.cuda.set_device(rank)
    dist.init_process_group(
        backend, init_method=meeting.as_uri(), rank=rank, world_size=size, timeout=_PATIENCE
    )
    yield Team(rank, size)
    dist.destroy_process_group()


class _Watch:
    """The processes that the leader has started, and what it does when one of them fails."""

    def __init__(self, processes: Sequence["subprocess.Popen[bytes]"]) -> None:
        self.processes = processes
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="team", daemon=True)
        self._thread.start()

    def end_as_the_first_that_failed(self, *, within: float) -> None:
        """End this process as one of the others has ended, if one fails in the given seconds: what went
        wrong there is why nothing works here."""
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            self._end_if_failed()
            time.sleep(_WATCH_SECONDS)

    def close(self) -> None:
        """Watch no more."""
        self._over.set()
        self._thread.join()

    def dismiss(self) -> None:
        """Watch no more, and end all of them."""
        self.close()
        for process in self.processes:
            process.kill()
            process.wait()

    def _watch(self) -> None:
        while not self._over.wait(_WATCH_SECONDS):
            self._end_if_failed()

    def _end_if_failed(self) -> None:
        for process in self.processes:
            code = process.poll()
            if code in (-signal.SIGTERM, -signal.SIGINT):
                # Asked to stop, like this one, before it could hear that: nobody has begun.
                os._exit(STOPPED)
            elif code is not None and code < 0:
                os.kill(os.getpid(), -code)
            elif code:
                os._exit(code)


@contextmanager
def _helpers(folder: Path, size: int) -> Iterator[_Watch]:
    """The other processes of a team, until the leader leaves the block."""
    leader = os.getpid()
    processes = [
        subprocess.Popen(
            [sys.executable, "-P", "-m", "worker.train", str(folder)],
            env=os.environ | {PLACE: f"{rank}/{size}"},
            # The lock of the working folder is theirs, too.
            close_fds=False,
            # A GPU that waits for another one's numbers would wait for ever.
            preexec_fn=lambda: die_with(leader),
        )
        for rank in range(1, size)
    ]
    watch = _Watch(processes)
    try:
        yield watch
        watch.close()
        for process in processes:
            with suppress(subprocess.TimeoutExpired):
                process.wait(_END_SECONDS)
    finally:
        watch.dismiss()


def _loopback() -> str:
    """The name of the network that does not leave the machine."""
    networks = psutil.net_if_addrs().items()
    return next((n for n, found in networks if any(a.address == "127.0.0.1" for a in found)), "lo")


def _buckets(tensors: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    bucket: list[Tensor] = []
    for tensor in tensors:
        bucket.append(tensor)
        if sum(t.numel() for t in bucket) >= BUCKET:
            yield bucket
            bucket = []
    if bucket:
        yield bucket
