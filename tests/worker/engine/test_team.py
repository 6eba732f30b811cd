"""Several processes train one model: as one would, to the end, and through a stop."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from app.settings import Settings
from tests.worker.engine import test_crossvalidation, test_pretrain
from tests.worker.engine.conftest import CPU, events, write_job
from tests.worker.engine.test_checkpoint import after
from tests.worker.engine.test_training import ner, split
from worker import trainer
from worker.engine.crossvalidate import cross_validate
from worker.engine.errors import Stopped
from worker.engine.finetune import fine_tune, team_size
from worker.engine.job import Folder, Job
from worker.engine.pretrain import pretrain
from worker.engine.team import Team


def together(folder: Folder, processes: int = 2) -> Folder:
    """The same job for a team."""
    content = json.loads(folder.job.read_text()) | {"processes": processes}
    folder.job.write_text(json.dumps(content))
    return folder


def job(folder: Path, **params: Any) -> Folder:
    schema, rows = ner()
    return write_job(folder, "ner", schema, split(rows), **params)


def test_a_team_takes_the_steps_that_one_process_takes(tmp_path: Path) -> None:
    """The 52 examples end with a batch of one, of which the second process gets nothing."""
    start = job(tmp_path / "start", epochs=1)
    fine_tune(start)
    config = json.loads((start.model / "config.json").read_text())
    config |= {"hidden_dropout_prob": 0, "attention_probs_dropout_prob": 0}
    (start.model / "config.json").write_text(json.dumps(config))
    wanted = {"base": "run", "base_ref": "start", "base_model": str(start.model)}
    wanted |= {"epochs": 2, "batch_size": 17}

    alone = job(tmp_path / "alone", **wanted)
    fine_tune(alone)
    team = together(job(tmp_path / "team", **wanted))
    fine_tune(team)

    assert events(team, "environment")[0]["processes"] == 2
    one, two = events(alone, "step"), events(team, "step")
    assert [step["step"] for step in two] == list(range(1, 9))
    for name in ("loss", "gradient_norm", "learning_rate"):
        assert [s[name] for s in two] == pytest.approx([s[name] for s in one], rel=1e-4)
    scores = [
        json.loads(folder.result.read_text())["metrics"]["test"]["scores"]
        for folder in (alone, team)
    ]
    assert scores[0] == pytest.approx(scores[1])


def test_a_stopped_team_goes_on_to_the_very_same_weights(tmp_path: Path) -> None:
    whole = together(test_pretrain.job(tmp_path / "whole"))
    pretrain(whole)
    stopped = together(test_pretrain.job(tmp_path / "stopped"))
    with pytest.raises(Stopped):
        pretrain(stopped, stop=after(11, lambda: True))
    assert not stopped.result.exists()
    pretrain(stopped)
    assert 0 < events(stopped, "resumed")[0]["step"] < events(whole, "step")[-1]["step"]
    assert test_pretrain.outcome(stopped) == test_pretrain.outcome(whole)


def test_a_team_goes_from_fold_to_fold(tmp_path: Path) -> None:
    alone = test_crossvalidation.job(tmp_path / "alone", epochs=1)
    team = together(test_crossvalidation.job(tmp_path / "team", epochs=1))
    cross_validate(alone)
    result = cross_validate(team)
    assert json.loads(team.result.read_text()) == result
    numbers = [[event["step"] for event in events(folder, "step")] for folder in (alone, team)]
    assert numbers[0] == numbers[1]
    assert len(events(team, "evaluation")) == len(events(alone, "evaluation"))


def test_a_training_ends_as_the_first_of_its_processes_that_is_killed(
    tmp_path: Path, settings: Settings
) -> None:
    """So the supervisor hears of it, and has the run go on from its checkpoint."""
    folder = together(job(tmp_path, epochs=1000))
    leader = subprocess.Popen(
        [sys.executable, "-m", "worker.train", str(folder.root)],
        env=trainer.environment(settings, online=False),
        stdout=subprocess.PIPE,
    )
    try:
        deadline = time.monotonic() + 120
        while not (folder.progress.exists() and events(folder, "step")):
            assert leader.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)
        (helper,) = psutil.Process(leader.pid).children()
        os.kill(helper.pid, signal.SIGKILL)
        assert leader.wait(20) == -signal.SIGKILL
        assert not folder.error.exists()
    finally:
        leader.kill()
        leader.communicate()


@pytest.mark.parametrize(
    ("processes", "batch_size", "expected"), [(None, 64, 1), (4, 64, 4), (4, 2, 2), (1, 64, 1)]
)
def test_the_settings_say_how_many_share_a_batch(
    tmp_path: Path, processes: int | None, batch_size: int, expected: int
) -> None:
    folder = together(job(tmp_path, batch_size=batch_size), processes or 0)
    assert team_size(Job.read(folder.job), CPU) == expected


@pytest.mark.parametrize("size", [1, 2, 3, 8])
def test_each_row_of_a_batch_is_learned_by_one_process(size: int) -> None:
    shares = [Team(rank, size).share(list(range(7))) for rank in range(size)]
    assert sorted(row for share in shares for row in share) == list(range(7))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
