"""What a request asks a worker and waits for."""

import asyncio

from app.services import dispatch, rpc
from tests.conftest import Services


def test_a_worker_answers_calls_side_by_side(sqlite: str, services: Services) -> None:
    services.start_broker()
    services.start_worker("cpu")

    async def ask() -> list[dict[str, str]]:
        calls = [
            rpc.call(dispatch.PREDICT, [f"no run {n}", ["A text."]], queue="cpu", within=120)
            for n in range(3)
        ]
        return await asyncio.gather(*calls)

    # There are no such models; that it says so is an answer, too.
    assert [set(answer) for answer in asyncio.run(ask())] == [{"error"}] * 3
