"""How long does each route hold a write transaction, and how does that grow with the project?

    python benchmarks/write_times.py [--sizes 1000 100000] [--top 25]

Calls every route that changes something once, on a fresh SQLite site of each size, and prints the processor time
between BEGIN and COMMIT of its longest write transaction. Processor time, since SQLite works in the process: other
load on the machine does not count. `tests/api/test_write_times.py` bounds the same numbers.
"""

import argparse
import os
import platform
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import structlog

from app import db
from app.main import create_app
from app.migrate import migrate
from app.settings import get_settings
from app.storage import get_storage
from tests.write_times import Result, call_all


def measure(size: int) -> list[Result]:
    """All calls on a site of this size, in a folder that is removed again."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["ANNOTUNE_DATA_DIR"] = folder
        for cached in (get_settings, get_storage):
            cached.cache_clear()
        migrate()
        try:
            return call_all(create_app(), size)
        finally:
            db.dispose()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 100_000])
    parser.add_argument("--top", type=int, default=25, help="Routes to print, the longest first.")
    options = parser.parse_args()
    measure(20)  # imports and caches are nothing that a project's size decides
    found = {size: measure(size) for size in options.sizes}
    # The logs of create_app go to the standard output as well.
    structlog.reset_defaults()
    print(f"\n{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print("| route | answer | " + " | ".join(f"{size:,} examples, ms" for size in found) + " |")
    print("|---|---|" + "---|" * len(found))
    rows = list(zip(*found.values(), strict=True))
    for row in sorted(rows, key=lambda row: -row[-1].held.cpu)[: options.top]:
        call = row[0].call
        times = " | ".join(f"{result.held.cpu * 1000:.1f}" for result in row)
        print(f"| {call.method} {call.path} | {row[-1].status} | {times} |")


if __name__ == "__main__":
    main()
