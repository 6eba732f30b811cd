"""The wish to shut down, as every process of a worker sees it.

One byte of memory that the main process shares with the children it forks: no lock that a killed child
could take with it.
"""

import mmap

_flag = mmap.mmap(-1, 1)


def request() -> None:
    """Ask every process of this worker to hand its work back."""
    _flag[0] = 1


def requested() -> bool:
    """Whether the worker is about to shut down."""
    return _flag[0] == 1
