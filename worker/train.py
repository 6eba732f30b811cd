"""The training process: `python -m worker.train WORKDIR` does the job of a working folder.

Exit codes: 0 with result.json; 1 with error.json; 75 when it was asked to stop (SIGTERM) and can go on.
"""

import logging
import signal
import sys
import traceback
from pathlib import Path
from types import FrameType

STOPPED = 75


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

    from worker.engine.errors import Stopped, explain
    from worker.engine.files import write_json
    from worker.engine.job import Folder
    from worker.engine.kinds import carry_out

    folder = Folder(Path(arguments[0]).resolve())
    if folder.result.exists():
        print("The run has its result already.")
        return 0
    folder.error.unlink(missing_ok=True)
    try:
        result = carry_out(folder, stop=lambda: bool(asked))
    except Stopped:
        print("Stopped; the run can go on from its last checkpoint.")
        return STOPPED
    except Exception as error:
        traceback.print_exc(file=sys.stdout)
        category, message = explain(error)
        print(f"[failed] {category}: {message}")
        try:
            write_json(folder.error, {"category": category, "message": message})
        except OSError:
            traceback.print_exc(file=sys.stdout)
        return 1
    print(f"[done] {result['seconds']:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
