"""A full disk, a full memory, base models that cannot be used: a training says what to do, or goes on later."""

import contextlib
import errno
import json
import logging
import os
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from transformers import WhisperConfig

from tests.conftest import wait_for
from tests.worker.engine.conftest import events
from tests.worker.engine.test_checkpoint import EPOCH, crashed, job, outcome, steps
from worker import train, trainer
from worker.engine.errors import ModelError, explain
from worker.engine.finetune import fine_tune
from worker.engine.job import Folder

MANY = 1000  # epochs: longer than any test waits


class Child:
    """`python -m worker.train FOLDER`, forked off this process: torch need not be loaded once more."""

    def __init__(self, folder: Folder, before: Callable[[], None] = lambda: None) -> None:
        self.log = folder.root / "log.txt"
        self.pid = os.fork()
        if self.pid == 0:
            code = 99
            with contextlib.suppress(BaseException):
                output = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
                os.dup2(output, 1)
                os.dup2(output, 2)
                before()
                with (
                    open(1, "w", buffering=1, closefd=False) as stdout,
                    contextlib.redirect_stdout(stdout),
                ):
                    code = train.main([str(folder.root)])
            os._exit(code)

    def code(self) -> int:
        """Its exit code, once it has ended."""
        ended: list[int] = []

        def has_ended() -> bool:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                ended.append(os.waitstatus_to_exitcode(status))
            return bool(pid)

        try:
            wait_for(has_ended, within=60, message="the training does not end")
        finally:
            if not ended:
                os.kill(self.pid, 9)
                os.waitpid(self.pid, 0)
        return ended[0]


def said(folder: Folder) -> tuple[str, str]:
    error = json.loads(folder.error.read_text())
    return error["category"], error["message"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 8 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(words, capture_output=True, check=False).returncode == 0
    except OSError:
        mounted = False
    if not mounted:
        pytest.skip("this user may not mount a small disk")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(disk: Path) -> Path:
    """Write until there is no room left, as any other program might."""
    ballast = disk / "ballast"
    with ballast.open("ab", buffering=0) as sink, contextlib.suppress(OSError):
        while True:
            sink.write(bytes(4096))
    return ballast


def test_a_disk_that_fills_up_ends_the_training_which_goes_on_once_there_is_room(
    small_disk: Path, tmp_path: Path
) -> None:
    folder = job(small_disk / "run", checkpoint_seconds=1e-6, epochs=MANY)
    child = Child(folder)
    wait_for(lambda: len(steps(folder)) > 1, message="no checkpoint is written")
    ballast = fill(small_disk)
    code = child.code()
    # Half a checkpoint's room may have sufficed for error.json, once that half was given up.
    assert code == trainer.DISK_FULL or (code == 1 and said(folder)[0] == "disk")
    at = steps(folder)[-1]
    ballast.unlink()
    shorter = json.loads(folder.job.read_text())
    shorter["params"] |= {"epochs": at // EPOCH + 1, "checkpoint_seconds": 3600}
    folder.job.write_text(json.dumps(shorter))
    fine_tune(folder)
    assert events(folder, "resumed")[0]["step"] == at
    assert folder.result.exists()


def limit_files(size: int) -> Callable[[], None]:
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def test_a_disk_without_room_for_the_error_itself_is_told_by_the_exit_code(tmp_path: Path) -> None:
    folder = job(tmp_path)
    assert Child(folder, limit_files(0)).code() == trainer.DISK_FULL
    assert not folder.error.exists() or folder.error.read_text() == ""


def test_a_checkpoint_that_cannot_be_written_is_said_to_be_so(tmp_path: Path) -> None:
    folder = job(tmp_path)
    assert Child(folder, limit_files(200_000)).code() == 1
    category, message = said(folder)
    assert category == "disk"
    assert "Free some space" in message
    assert steps(folder) == []
    assert not list(folder.checkpoints.glob(".*")), "half a checkpoint takes room"


def test_a_model_that_cannot_be_saved_is_said_to_be_so_and_saved_once_there_is_room(
    tmp_path: Path,
) -> None:
    folder = job(tmp_path)
    fine_tune(folder)
    whole = outcome(folder)
    folder.result.unlink()
    shutil.rmtree(folder.model)
    assert Child(folder, limit_files(100_000)).code() == 1
    assert said(folder)[0] == "disk"
    assert not folder.model.exists()
    fine_tune(folder)
    assert outcome(folder) == whole


def test_memory_that_runs_out_is_said_to_be_so(tmp_path: Path) -> None:
    folder = job(tmp_path, epochs=1, scratch_hidden=512, scratch_layers=6)

    def limit() -> None:
        size = psutil.Process().memory_info().vms + (16 << 20)
        resource.setrlimit(resource.RLIMIT_AS, (size, size))

    assert Child(folder, limit).code() == 1, (tmp_path / "log.txt").read_text()
    category, message = said(folder)
    assert category == "out_of_memory", message
    assert "smaller" in message or "lower" in message


@pytest.mark.parametrize(
    ("error", "category"),
    [
        (torch.OutOfMemoryError("CUDA out of memory."), "out_of_memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), "out_of_memory"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "out_of_memory"),
        (OSError(errno.ENOSPC, "No space left on device"), "disk"),
        (OSError(errno.EFBIG, "File too large"), "disk"),
        (RuntimeError("[enforce fail] . file write failed"), "disk"),
        (ValueError("?"), "internal"),
    ],
    ids=str,
)
def test_what_the_machine_lacks_is_told_apart(error: Exception, category: str) -> None:
    assert explain(error)[0] == category


def test_a_damaged_checkpoint_has_a_word_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = job(tmp_path, checkpoint_seconds=1e-6, epochs=1)
    crashed(folder, 6)
    newest = folder.checkpoints / f"step-{steps(folder)[-1]:08d}"
    (newest / "training.pt").write_bytes(b"")
    with caplog.at_level(logging.WARNING):
        fine_tune(folder)
    assert f"The checkpoint {newest.name} is damaged and is passed over." in caplog.text


# -- base models -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model's folder."""
    folder = job(tmp_path_factory.mktemp("base"))
    fine_tune(folder)
    return folder.model


def only_pickles(model: Path) -> None:
    (model / "model.safetensors").unlink()
    torch.save({"weight": torch.zeros(1)}, model / "pytorch_model.bin")


def half_of_the_weights(model: Path) -> None:
    weights = model / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[: weights.stat().st_size // 2])


def configured(**changes: Any) -> Callable[[Path], None]:
    def change(model: Path) -> None:
        config = json.loads((model / "config.json").read_text()) | changes
        (model / "config.json").write_text(json.dumps(config))

    return change


def code_of_its_own(model: Path) -> None:
    configured(model_type="strange", auto_map={"AutoConfig": "strange.Config"})(model)
    (model / "strange.py").write_text("open('ran', 'w')\n")


def another_architecture(model: Path) -> None:
    (model / "config.json").write_text(json.dumps(WhisperConfig().to_dict()))


def no_tokenizer(model: Path) -> None:
    (model / "tokenizer.json").unlink()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (only_pickles, "has no weights in safetensors"),
        (half_of_the_weights, "are damaged"),
        (code_of_its_own, "needs program code of its author"),
        (another_architecture, "cannot label texts here"),
        (configured(model_type="strange"), "cannot label texts here"),
        (configured(hidden_size=64), "not those that its config.json describes"),
        (configured(num_hidden_layers=9), "not those that its config.json describes"),
        (no_tokenizer, "has no tokenizer"),
    ],
    ids=lambda value: getattr(value, "__name__", value).replace("_", " "),
)
def test_a_base_model_that_cannot_be_used_is_named_with_what_to_do(
    tmp_path: Path,
    small_model: Path,
    monkeypatch: pytest.MonkeyPatch,
    spoil: Callable[[Path], None],
    message: str,
) -> None:
    model = tmp_path / "spoilt"
    shutil.copytree(small_model, model)
    spoil(model)
    monkeypatch.chdir(tmp_path)
    run = job(tmp_path / "run", base="folder", base_ref="spoilt", base_model=str(model))
    with pytest.raises(ModelError) as caught:
        fine_tune(run)
    assert message in caught.value.message
    assert "spoilt" in caught.value.message
    assert str(tmp_path) not in caught.value.message
    assert not (tmp_path / "ran").exists(), "the author's program has run"
