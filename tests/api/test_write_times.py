"""No request holds a write transaction for long, whatever the size of the project."""

from fastapi import FastAPI

from tests.write_times import CALLS, ELSEWHERE, call_all, routes

MAX_SECONDS = 0.05
"""Of processor time between BEGIN and COMMIT; SQLite does its work in this process."""
MAX_WAIT = 1.0
"""On the clock: nothing waits for a network inside a transaction. Generous, for machines with other work."""
SIZE = 100_000


def test_no_request_holds_a_write_transaction_for_long(sqlite: str, application: FastAPI) -> None:
    call_all(application, 20)  # imports and caches are nothing that a project's size decides
    results = call_all(application, SIZE)
    wrong = [
        f"{result.call.method} {result.call.path}: {result.status}, not {result.call.status}"
        for result in results
        if result.status != result.call.status
    ]
    assert not wrong, "\n".join(wrong)
    slow = [
        f"{result.call.method} {result.call.path} ({result.status}): {result.held.cpu * 1000:.0f} ms of work, "
        f"{result.held.clock * 1000:.0f} ms in all, {result.held.statements} statements"
        for result in results
        if result.held.cpu > MAX_SECONDS or result.held.clock > MAX_WAIT
    ]
    assert not slow, "\n".join(slow)


def test_every_route_that_changes_something_is_measured() -> None:
    measured = {call.path.replace("versions/1/", "versions/{number}/") for call in CALLS}
    missing = {path for _method, path in routes()} - measured - set(ELSEWHERE)
    assert not missing, f"call these in tests/write_times.py: {sorted(missing)}"
