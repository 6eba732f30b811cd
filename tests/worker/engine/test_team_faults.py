"""What goes wrong in one process of a team ends all of them, with its own words, and none is left behind."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from transformers import AutoTokenizer, OPTConfig, OPTForSequenceClassification

from app.settings import Settings
from tests.conftest import wait_for
from tests.worker.engine.conftest import events
from tests.worker.engine.test_checkpoint import job
from tests.worker.engine.test_team import together
from worker import trainer
from worker.engine.finetune import fine_tune
from worker.engine.job import Folder

FAULT = """
import os, time
import torch.distributed
from worker.engine.errors import ModelError
from worker.engine.loop import Loop

rank = int(os.environ.get("ANNOTUNE_TRAINER_PLACE", "0/1").partition("/")[0])
"""
"""What each process of a training does before all else, in these tests."""

LONG = 120.0
"""Seconds that several processes may take to start on a slow machine."""

Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def start(tmp_path: Path, settings: Settings) -> Iterator[Start]:
    """Starts a training whose processes have a fault."""
    started = []

    def start(folder: Folder, fault: str = "") -> subprocess.Popen[bytes]:
        (tmp_path / "fault").mkdir()
        (tmp_path / "fault" / "sitecustomize.py").write_text(FAULT + fault)
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "worker.train", str(folder.root)],
            env=trainer.environment(settings, online=False)
            | {"PYTHONPATH": str(tmp_path / "fault")},
            start_new_session=True,
            stdout=subprocess.DEVNULL,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        trainer.kill_group(process.pid)
        process.wait()


@pytest.mark.parametrize(("rank", "size"), [(0, 2), (1, 3)])
def test_all_end_with_the_words_of_the_one_that_failed(
    tmp_path: Path, start: Start, rank: int, size: int
) -> None:
    """Between GPUs a process that leaves the group waits for the others to leave it, too."""
    folder = together(job(tmp_path / "run"), size)
    training = start(
        folder,
        f"""
def fail(loop, windows):
    raise ModelError("This one went astray.")

torch.distributed.destroy_process_group = lambda: time.sleep(1000)
if rank == {rank}:
    Loop._accumulate = fail
""",
    )
    assert training.wait(LONG) == 1
    assert json.loads(folder.error.read_text())["message"] == "This one went astray."


def test_no_process_outlives_the_leader(tmp_path: Path, start: Start) -> None:
    """A GPU that waits for the other's gradients does not hear that nobody is there any more."""
    folder = together(job(tmp_path / "run"))
    training = start(
        folder,
        """
accumulate = Loop._accumulate

def wait(loop, windows):
    if loop.position.step:
        time.sleep(1000)
    return accumulate(loop, windows)

if rank:
    Loop._accumulate = wait
""",
    )
    wait_for(lambda: folder.progress.exists() and events(folder, "step"), within=LONG)
    (helper,) = psutil.Process(training.pid).children()
    os.kill(training.pid, signal.SIGKILL)
    psutil.wait_procs([helper], timeout=10)
    assert not helper.is_running()


def test_a_wish_to_stop_that_comes_before_all_can_hear_it_is_granted(
    tmp_path: Path, start: Start
) -> None:
    folder = together(job(tmp_path / "run"))
    training = start(folder, "if rank: os.kill(os.getpid(), 15)")
    assert training.wait(LONG) == trainer.STOPPED


def test_a_layer_that_one_process_skips_is_learned_by_the_other(
    tmp_path: Path, start: Start
) -> None:
    """LayerDrop leaves layers out by chance, and each process throws its own dice."""
    first = job(tmp_path / "first", epochs=1)
    fine_tune(first)
    base = tmp_path / "base"
    tokenizer = AutoTokenizer.from_pretrained(first.model)
    tokenizer.save_pretrained(base)
    config = OPTConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        word_embed_proj_dim=32,
        ffn_dim=64,
        num_hidden_layers=3,
        num_attention_heads=2,
        layerdrop=0.5,
        pad_token_id=tokenizer.pad_token_id,
    )
    OPTForSequenceClassification(config).save_pretrained(base)
    wanted = {"base": "folder", "base_ref": "base", "base_model": str(base), "epochs": 2}
    folder = together(job(tmp_path / "run", **wanted))
    assert start(folder).wait(LONG) == 0


LISTENING = """
import sys
from pathlib import Path

import psutil

from worker.engine.team import joined

with joined(0, 1, Path(sys.argv[1])):
    print(*[found.laddr.ip for found in psutil.Process().net_connections()])
"""


def test_processes_hear_each_other_inside_the_machine_only(tmp_path: Path) -> None:
    """Else they would listen at the address that the machine's name stands for."""
    found = [each.address for other in psutil.net_if_addrs().values() for each in other]
    own = [ip for ip in found if ip.count(".") == 3 and not ip.startswith("127.")]
    named = ["unshare", "--uts", "sh", "-c", 'hostname "$0" && exec "$@"', *own[:1]]
    if not own or not shutil.which("unshare") or subprocess.run([*named, "true"]).returncode:
        pytest.skip("this user may not name the machine by its address")
    words = [*named, sys.executable, "-c", LISTENING, str(tmp_path / "meeting")]
    told = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
    assert set(told.stdout.split()) == {"127.0.0.1"}
