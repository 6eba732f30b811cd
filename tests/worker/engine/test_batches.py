"""The order of training: every example once, alike in length, and the same each time."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.engine.batches import by_tokens, count, epoch_batches
from worker.engine.windows import Window

LENGTHS = st.lists(st.integers(1, 60), min_size=1, max_size=300)


@given(lengths=LENGTHS, size=st.integers(1, 40), seed=st.integers(0, 99), epoch=st.integers(0, 5))
@settings(max_examples=60, deadline=None)
def test_an_epoch_has_every_example_exactly_once(
    lengths: list[int], size: int, seed: int, epoch: int
) -> None:
    plan = epoch_batches(lengths, size, seed=seed, epoch=epoch)
    assert sorted(row for batch in plan for row in batch) == list(range(len(lengths)))
    assert len(plan) == count(len(lengths), size)
    assert max(map(len, plan)) <= size


def test_the_order_follows_from_seed_and_epoch_alone() -> None:
    lengths = [1 + n * 7 % 50 for n in range(500)]

    def plan(seed: int, epoch: int) -> list[list[int]]:
        np.random.default_rng().random()  # nothing drawn elsewhere plays a part
        return epoch_batches(lengths, 8, seed=seed, epoch=epoch)

    assert plan(1, 0) == plan(1, 0)
    assert plan(1, 0) != plan(1, 1)
    assert plan(1, 0) != plan(2, 0)


def test_little_is_padding() -> None:
    lengths = np.random.default_rng(0).integers(5, 100, size=5000).tolist()
    plan = epoch_batches(lengths, 32, seed=0, epoch=1)
    padded = sum(len(batch) * max(lengths[row] for row in batch) for batch in plan)
    assert sum(lengths) / padded > 0.9


def test_the_longest_batch_comes_first_so_that_too_little_memory_shows_at_once() -> None:
    lengths = [10] * 400 + [60] * 8
    first = epoch_batches(lengths, 8, seed=3, epoch=0)[0]
    assert max(lengths[row] for row in first) == 60


@given(lengths=LENGTHS, budget=st.integers(60, 500))
@settings(max_examples=60, deadline=None)
def test_evaluation_takes_every_window_once_and_keeps_to_its_budget(
    lengths: list[int], budget: int
) -> None:
    windows = [Window(i, [1] * n, [0] * n) for i, n in enumerate(lengths)]
    rows = list(by_tokens(windows, budget))
    assert sorted(w.unit for row in rows for w in row) == list(range(len(lengths)))
    assert all(len(row) * max(map(len, row)) <= budget for row in rows)


@pytest.mark.parametrize("size", [1, 7, 32])
def test_a_batch_larger_than_the_data_is_one_batch(size: int) -> None:
    assert len(epoch_batches([3] * size, 32, seed=0, epoch=0)) == 1
