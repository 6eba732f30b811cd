"""No request holds a write transaction for long, whatever the size of the project."""

import pytest
from fastapi import FastAPI

from app.settings import Settings
from tests.conftest import forget_everything
from tests.write_times import CALLS, ELSEWHERE, call_all, routes

MAX_SECONDS = 0.05
"""Of processor time between BEGIN and COMMIT; SQLite does its work in this process."""
MAX_WAIT = 1.0
"""On the clock: nothing waits for a network inside a transaction. Generous, for machines with other work."""
SIZE = 100_000


@pytest.fixture
def empty(sqlite: str, settings: Settings) -> bytes:
    """The file of a database without rows."""
    return (settings.data_dir / "annotune.sqlite3").read_bytes()


def test_no_request_holds_a_write_transaction_for_long(
    sqlite: str, settings: Settings, application: FastAPI, empty: bytes
) -> None:
    call_all(application, 20)  # imports and caches are nothing that a project's size decides
    slow: dict[str, str] = {}
    for attempt in range(3):
        forget_everything()
        (settings.data_dir / "annotune.sqlite3").write_bytes(empty)
        results = call_all(application, SIZE)
        wrong = [
            f"{result.call.method} {result.call.path}: {result.status}, not {result.call.status}"
            for result in results
            if result.status != result.call.status
        ]
        assert not wrong, "\n".join(wrong)
        # The machine may take its time for something else within any call (a page fault, say), but not
        # within the same one each time; a scan takes its time each time.
        found = {
            f"{result.call.method} {result.call.path}": (
                f"({result.status}): {result.held.cpu * 1000:.0f} ms of work, "
                f"{result.held.clock * 1000:.0f} ms in all, {result.held.statements} statements"
            )
            for result in results
            if result.held.cpu > MAX_SECONDS or result.held.clock > MAX_WAIT
        }
        slow = found if not attempt else {name: found[name] for name in slow.keys() & found.keys()}
        if not slow:
            break
    assert not slow, slow


def test_every_route_that_changes_something_is_measured() -> None:
    measured = {call.path.replace("versions/1/", "versions/{number}/") for call in CALLS}
    missing = {path for _method, path in routes()} - measured - set(ELSEWHERE)
    assert not missing, f"call these in tests/write_times.py: {sorted(missing)}"
