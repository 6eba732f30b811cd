"""A run's working folder: nothing works in it unwatched, and what a run goes on from stays there."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from app.settings import Settings
from worker import trainer, workplace


def test_a_resumed_cross_validation_has_its_finished_folds(
    tmp_path: Path, settings: Settings
) -> None:
    kept = tmp_path / "folds" / "01" / "result.json"
    kept.parent.mkdir(parents=True)
    kept.write_text("{}")
    (tmp_path / "model").mkdir()
    workplace.keep_for_resuming(tmp_path, settings)
    assert kept.exists()
    assert not (tmp_path / "model").exists()


def test_a_resumed_pre_training_goes_on_with_the_texts_and_the_measure_it_began_with(
    tmp_path: Path, settings: Settings
) -> None:
    names = {"texts.jsonl", "texts.json", "before.json"}
    for name in (*names, "result.json"):
        (tmp_path / name).write_text("{}")
    workplace.keep_for_resuming(tmp_path, settings)
    assert {path.name for path in tmp_path.iterdir()} == names


def trainers(folder: Path) -> Iterator[psutil.Process]:
    for process in psutil.process_iter(["cmdline"]):
        if str(folder) in (process.info["cmdline"] or []):
            yield process


def test_a_training_that_nobody_can_find_again_is_not_started(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def is_full(path: Path, *_: Any, **__: Any) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", is_full)
    with pytest.raises(OSError, match="No space"):
        trainer.Trainer.start(tmp_path, trainer.environment(settings, online=False))
    left = list(trainers(tmp_path))
    for process in left:
        process.kill()
    assert not left
