"""`/healthz` and `/readyz`, for load balancers, containers and people who watch.

Neither takes a thread of the pool that requests use, so that they answer when that is full.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from threading import Thread
from typing import Any

import structlog
from fastapi import APIRouter, FastAPI, Request
from starlette.responses import JSONResponse

from app.services import health

CACHE_SECONDS = 1.0

router = APIRouter(include_in_schema=False)
log = structlog.get_logger()


@dataclass
class Check:
    """One thing that is asked again and again, by a thread of its own; never twice at once."""

    name: str
    call: Callable[[], None]
    essential: bool
    ok: bool = True
    ms: float = 0.0
    _answer: "asyncio.Future[str | None] | None" = None

    async def run(self) -> None:
        """Ask, and wait for the answer for a bounded time. One that hangs is not asked anew, and fails."""
        started = time.perf_counter()
        if self._answer is None or self._answer.done():
            self._answer = self._ask()
        await asyncio.wait([self._answer], timeout=health.SECONDS)
        self.ms = round((time.perf_counter() - started) * 1000, 1)
        self._note(
            self._answer.result() if self._answer.done() else f"no answer in {health.SECONDS:g} s"
        )

    def _ask(self) -> "asyncio.Future[str | None]":
        """What is wrong, if anything."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[str | None] = loop.create_future()

        def ask() -> None:
            problem = None
            try:
                self.call()
            except Exception as error:  # whatever it is, it is what is wrong
                problem = f"{type(error).__name__}: {error}".splitlines()[0]
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(answer.set_result, problem)

        # A daemon: one that hangs must not keep the process from ending.
        Thread(target=ask, name=f"health-{self.name}", daemon=True).start()
        return answer

    def _note(self, problem: str | None) -> None:
        """The log says what is wrong, once; the answer does not, since anybody may ask."""
        if self.ok and problem:
            log.warning("check_failed", check=self.name, problem=problem)
        elif not self.ok and not problem:
            log.info("check_passed", check=self.name)
        self.ok = problem is None


class Readiness:
    """What the last checks have found, asked anew when it is older than a second."""

    def __init__(self) -> None:
        self.checks = [
            *(Check(name, call, essential=True) for name, call in health.ESSENTIAL.items()),
            *(Check(name, call, essential=False) for name, call in health.OPTIONAL.items()),
        ]
        self._checked_at = float("-inf")
        self._round: asyncio.Task[None] | None = None

    async def answer(self) -> tuple[int, dict[str, Any]]:
        """A status and its document."""
        if time.monotonic() - self._checked_at > CACHE_SECONDS:
            if self._round is None or self._round.done():
                self._round = asyncio.create_task(self._check())
            await asyncio.shield(self._round)
        failed = [check for check in self.checks if not check.ok]
        unready = any(check.essential for check in failed)
        state = "unavailable" if unready else "degraded" if failed else "ready"
        checks = {check.name: {"ok": check.ok, "ms": check.ms} for check in self.checks}
        return 503 if unready else 200, {"status": state, "checks": checks}

    async def _check(self) -> None:
        await asyncio.gather(*(check.run() for check in self.checks))
        self._checked_at = time.monotonic()


def install(app: FastAPI) -> None:
    """Add both."""
    app.state.readiness = Readiness()
    app.include_router(router)


@router.get("/healthz")
async def live() -> JSONResponse:
    """The process answers."""
    return JSONResponse({"status": "alive"})


@router.get("/readyz")
async def ready(request: Request) -> JSONResponse:
    """Whether it can do its work: 503 when something essential is away, "degraded" when jobs must wait."""
    status, document = await request.app.state.readiness.answer()
    headers = {"Retry-After": "5"} if status == 503 else None
    return JSONResponse(document, status_code=status, headers=headers)
