"""A run's working folder: what a run goes on from stays there."""

from pathlib import Path

from app.settings import Settings
from worker import workplace


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
