"""How long a model takes to answer: what a person waits for one text, and what many cost together."""

import time
from collections.abc import Sequence
from statistics import median
from typing import TYPE_CHECKING, Any

import torch

from worker.engine.job import Item
from worker.engine.scoring import Runner

if TYPE_CHECKING:  # the recipes import the engine
    from worker.recipes.base import Encoder, Recipe

TOGETHER = (1, 32)
SECONDS = 0.5
"""For each number of texts."""
_MOST_ROUNDS = 20


def latency(
    recipe: "Recipe", encoder: "Encoder", run: Runner, items: Sequence[Item]
) -> dict[str, Any]:
    """Milliseconds a text, from the text to its annotation, for one text at a time and for 32 together:
    the median over rounds within a second in all, on texts from the data, after one round to warm up."""
    spread = _spread(items, max(TOGETHER))
    milliseconds = {}
    for number in TOGETHER:
        texts, until = spread[:number], time.monotonic() + SECONDS
        taken: list[float] = []
        recipe.predict(texts, encoder, run)
        while not taken or (len(taken) < _MOST_ROUNDS and time.monotonic() < until):
            # Another single text each time, since texts differ in length.
            texts = [spread[len(taken) % len(spread)]] if number == 1 else texts
            start = time.perf_counter()
            recipe.predict(texts, encoder, run)
            taken.append(time.perf_counter() - start)
        milliseconds[str(number)] = round(1000 * median(taken) / number, 3)
    return {
        "ms_per_text": milliseconds,
        "device": run.device.name,
        "precision": run.device.precision,
        "threads": torch.get_num_threads(),
        "characters": round(sum(len(item.text) for item in spread) / len(spread)),
    }


def _spread(items: Sequence[Item], number: int) -> list[Item]:
    """So many items from all over the data; few ones are taken again and again."""
    step = max(1, len(items) // number)
    chosen = list(items[::step])[:number]
    return [chosen[i % len(chosen)] for i in range(number)]
