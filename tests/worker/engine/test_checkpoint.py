"""A training that was interrupted ends as if it had not been."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.worker.engine.conftest import events, write_job
from worker.engine import progress
from worker.engine.errors import ModelError, Stopped
from worker.engine.finetune import fine_tune
from worker.engine.job import Folder
from worker.engine.loop import Loop

SCHEMA = {"mode": "single", "labels": [{"name": "good"}, {"name": "bad"}]}
WORDS = {"good": ("lovely", "warm", "funny"), "bad": ("dull", "clumsy", "dreary")}
EXAMPLES = [
    (f"a {WORDS[label][n % 3]} film, the {n % 7}th " + "and so on " * (n % 4), {"labels": [label]})
    for n in range(48)
    for label in ("good", "bad")
]
SPLITS = {"train": EXAMPLES[:64], "validation": EXAMPLES[64:80], "test": EXAMPLES[80:]}
EPOCH = 8  # steps


def job(folder: Path, **params: Any) -> Folder:
    return write_job(
        folder,
        "sentiment",
        SCHEMA,
        SPLITS,
        **{"epochs": 3, "learning_rate": 1e-2, "warmup_ratio": 0.2} | params,
    )


def outcome(folder: Folder) -> tuple[bytes, dict[str, Any]]:
    """The final weights, and the result without its times."""
    result = json.loads(folder.result.read_text())
    return (folder.model / "model.safetensors").read_bytes(), result | {"seconds": 0, "speed": None}


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, dict[str, Any]]:
    folder = job(tmp_path_factory.mktemp("whole"))
    fine_tune(folder)
    return outcome(folder)


def after(asked: int, then: Callable[[], bool]) -> Callable[[], bool]:
    """A question that is answered with no some times, and then as given."""
    left = iter([False] * asked)
    return lambda: next(left, None) is None and then()


def steps(folder: Folder) -> list[int]:
    return sorted(
        int(path.name.removeprefix("step-")) for path in folder.checkpoints.glob("step-*")
    )


@pytest.mark.parametrize("asked", [5, 11, 12, 20], ids=lambda n: f"after {n} questions")
def test_a_stopped_training_goes_on_to_the_very_same_weights(
    tmp_path: Path, uninterrupted: tuple[bytes, dict[str, Any]], asked: int
) -> None:
    folder = job(tmp_path)
    with pytest.raises(Stopped):
        fine_tune(folder, stop=after(asked, lambda: True))
    assert not folder.result.exists()
    (stopped_at,) = steps(folder)[-1:]
    fine_tune(folder)
    assert [event["step"] for event in events(folder, "resumed")] == [stopped_at]
    assert outcome(folder) == uninterrupted


def test_a_training_stopped_again_and_again_still_ends_the_same(
    tmp_path: Path, uninterrupted: tuple[bytes, dict[str, Any]]
) -> None:
    folder = job(tmp_path)
    for _ in range(4):
        with pytest.raises(Stopped):
            fine_tune(folder, stop=after(9, lambda: True))
    fine_tune(folder)
    assert outcome(folder) == uninterrupted


class Crash(Exception):
    """The power fails."""


def crash() -> bool:
    raise Crash


def crashed(folder: Folder, asked: int) -> None:
    with pytest.raises(Crash):
        fine_tune(folder, stop=after(asked, crash))


def test_a_killed_training_goes_on_from_its_last_checkpoint(
    tmp_path: Path, uninterrupted: tuple[bytes, dict[str, Any]]
) -> None:
    folder = job(tmp_path, checkpoint_seconds=1e-6)  # after every step
    crashed(folder, 10)
    last = steps(folder)[-1]
    assert last % EPOCH
    fine_tune(folder)
    assert events(folder, "resumed")[0]["step"] == last
    assert outcome(folder) == uninterrupted


@pytest.mark.parametrize("name", ["model.safetensors", "training.pt", "state.json"])
def test_a_damaged_checkpoint_is_passed_over_for_the_earlier_one(
    tmp_path: Path, uninterrupted: tuple[bytes, dict[str, Any]], name: str
) -> None:
    folder = job(tmp_path, checkpoint_seconds=1e-6)
    crashed(folder, 17)
    *_, earlier, last = steps(folder)
    path = folder.checkpoints / f"step-{last:08d}" / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    fine_tune(folder)
    assert events(folder, "resumed")[0]["step"] == earlier
    assert outcome(folder) == uninterrupted


def test_without_any_whole_checkpoint_it_begins_anew(
    tmp_path: Path, uninterrupted: tuple[bytes, dict[str, Any]]
) -> None:
    folder = job(tmp_path)
    with pytest.raises(Stopped):
        fine_tune(folder, stop=after(6, lambda: True))
    for path in folder.checkpoints.rglob("*.safetensors"):
        path.write_bytes(path.read_bytes()[:-10])
    fine_tune(folder)
    assert events(folder, "resumed")[0]["step"] == 0
    assert outcome(folder) == uninterrupted


def test_only_the_last_checkpoints_and_the_best_are_kept(tmp_path: Path) -> None:
    folder = job(tmp_path, checkpoint_seconds=1e-6)
    result = fine_tune(folder)
    assert len(steps(folder)) <= 3
    assert result["best_step"] in steps(folder)
    assert not list(folder.checkpoints.glob(".*"))


def test_weights_that_are_no_numbers_are_never_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = job(tmp_path, checkpoint_seconds=1e-6)
    accumulate, calls = Loop._accumulate, []

    def astray_at_the_fourth(loop: Loop, windows: Any) -> Any:
        loss = accumulate(loop, windows)
        calls.append(loss)
        if len(calls) == 4:
            for parameter in loop.model.parameters():
                parameter.grad = torch.full_like(parameter, float("nan"))
        return loss

    monkeypatch.setattr(Loop, "_accumulate", astray_at_the_fourth)
    monkeypatch.setattr(progress, "STEP_INTERVAL", 3600.0)  # nothing is reported in between
    with pytest.raises(ModelError, match="no longer a number at step 4"):
        fine_tune(folder)
    assert steps(folder) == [3]
