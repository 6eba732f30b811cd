"""How many rows the transactions of long work touch."""

import time

from app.services.batches import MAX_ROWS, MIN_ROWS, Batches


def test_a_slow_beginning_or_a_busy_machine_makes_no_batch_small(database: str) -> None:
    batches = Batches()
    sizes = []
    for _ in range(8):
        with batches.transaction():
            time.sleep(0.1 if "sqlite" in database else 0.001)  # others have the processor
        sizes.append(batches.rows)
    assert min(sizes) >= MIN_ROWS
    assert sizes[-1] == MAX_ROWS


def test_work_that_is_really_slow_is_done_in_smaller_parts(sqlite: str) -> None:
    batches = Batches()
    batches.rows = MAX_ROWS
    for _ in range(3):
        with batches.transaction():
            until = time.thread_time() + 0.06
            while time.thread_time() < until:
                pass
    assert MIN_ROWS <= batches.rows < MAX_ROWS
