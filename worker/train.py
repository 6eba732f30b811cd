"""The training process: `python -m worker.train WORKDIR` does the job of a working folder.

Exit codes: 0 with result.json; 1 with error.json; 75 when it was asked to stop (SIGTERM) and can go on; where
not even error.json can be written, 74 for a full disk and 71 for a full memory (as in sysexits.h).
"""

import logging
import os
import signal
import sys
import traceback
from contextlib import suppress
from pathlib import Path
from types import FrameType

STOPPED = 75
_CODES = {"disk": 74, "out_of_memory": 71}


def main(arguments: list[str]) -> int:
    """Train in the folder named; the exit code."""
    if len(arguments) != 1:
        print("usage: python -m worker.train WORKDIR", file=sys.stderr)
        return 2
    asked: list[int] = []

    def on_signal(number: int, _frame: FrameType | None) -> None:
        asked.append(number)

    # Before torch is imported: that takes seconds, and a stop may come meanwhile.
    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    logging.basicConfig(
        stream=sys.stdout, level=logging.WARNING, format="%(levelname)s %(message)s"
    )
    logging.getLogger("worker").setLevel(logging.INFO)

    try:
        from worker.engine.environment import quieten_libraries
        from worker.engine.errors import Stopped, explain
        from worker.engine.files import write_json
        from worker.engine.job import Folder
        from worker.engine.kinds import carry_out
        from worker.engine.team import place
    except (ImportError, MemoryError, OSError) as error:
        traceback.print_exc(file=sys.stdout)
        # The libraries are large: a tight bound on memory is met here first.
        return _CODES["out_of_memory"] if "memory" in f"{error} {error!r}".lower() else 1

    quieten_libraries()
    folder = Folder(Path(arguments[0]).resolve())
    leads = place() is None
    if not leads:  # the leader says it all
        logging.getLogger("worker").setLevel(logging.ERROR)
    if folder.result.exists():
        print("The run has its result already.")
        return 0
    try:
        if leads:
            folder.error.unlink(missing_ok=True)
        result = carry_out(folder, stop=lambda: bool(asked))
    except Stopped:
        if not leads:
            return 0
        with suppress(OSError):
            print("Stopped; the run can go on from its last checkpoint.")
        return STOPPED
    except Exception as error:
        category, message = explain(error)
        with suppress(OSError):  # the log lies on the disk that may be full
            traceback.print_exc(file=sys.stdout)
            print(f"[failed] {category}: {message}")
        try:
            if leads or not folder.error.exists():  # the others fail because the first one did
                write_json(folder.error, {"category": category, "message": message})
        except OSError:
            return _CODES.get(category, 1)
        return 1
    if leads:
        with suppress(OSError):
            print(f"[done] {result['seconds']:.0f} s")
    return 0


if __name__ == "__main__":
    code = main(sys.argv[1:])
    with suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    # At once: of a team that failed, a process whose libraries tidy up waits for those that are gone.
    os._exit(code)
