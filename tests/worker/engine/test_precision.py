"""In how many bits matrices are multiplied: what is chosen for which device, and that fp16 still learns."""

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.worker.engine.conftest import events, write_job
from tests.worker.engine.test_training import sentiment, split
from worker.engine import environment, finetune, predict
from worker.engine.environment import Device, choose_device
from worker.engine.errors import ModelError, Stopped
from worker.engine.finetune import fine_tune


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """A machine that says it has a GPU of the given generation."""
    capability, has_bf16 = request.param
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _device: capability)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: has_bf16)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _device: "Some GPU")


PASCAL, TURING, AMPERE = ((6, 1), False), ((7, 5), False), ((8, 0), True)


@pytest.mark.parametrize(
    ("gpu", "asked", "precision"),
    [
        (AMPERE, "auto", "bf16"),
        (AMPERE, "fp16", "fp16"),
        (AMPERE, "bf16", "bf16"),
        (AMPERE, "fp32", "fp32"),
        (TURING, "auto", "fp16"),
        (TURING, "fp32", "fp32"),
        (PASCAL, "auto", "fp32"),
    ],
    indirect=["gpu"],
)
@pytest.mark.usefixtures("gpu")
def test_each_gpu_gets_the_precision_that_it_is_fast_with(asked: str, precision: str) -> None:
    assert choose_device(asked).precision == precision


@pytest.mark.parametrize("gpu", [TURING], indirect=True)
@pytest.mark.usefixtures("gpu")
def test_bf16_on_a_gpu_without_it_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(ModelError, match=r"Some GPU\) does not have bf16.*fp16 or fp32"):
        choose_device("bf16")


@pytest.mark.parametrize("has_instructions", [True, False])
def test_a_processor_does_bf16_where_it_has_instructions_for_it_and_never_fp16(
    monkeypatch: pytest.MonkeyPatch, has_instructions: bool
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(environment, "_fast_bf16", lambda _device: has_instructions)
    assert choose_device("auto").precision == ("bf16" if has_instructions else "fp32")
    assert choose_device("bf16").precision == "bf16"
    with pytest.raises(ModelError, match="fp16 needs a GPU"):
        choose_device("fp16")


def job(root: Path, **params: Any) -> Any:
    schema, rows = sentiment()
    return write_job(root, "sentiment", schema, split(rows), epochs=1, **params)


def use(monkeypatch: pytest.MonkeyPatch, device: Device) -> None:
    for module in (finetune, predict):
        monkeypatch.setattr(module, "choose_device", lambda _precision, **_: device)


def test_fp16_takes_the_steps_of_fp32_and_a_stopped_run_goes_on_with_its_scale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scaled gradients on the processor, which can do fp16, only slowly."""
    cpu = torch.device("cpu")
    plain = job(tmp_path / "plain")
    fine_tune(plain)
    use(monkeypatch, Device(cpu, bf16=False, fp16=True))
    half = job(tmp_path / "half")
    fine_tune(half)
    ours, theirs = events(half, "step"), events(plain, "step")
    assert events(half, "environment")[0]["precision"] == "fp16"
    assert [s["loss"] for s in ours] == pytest.approx([s["loss"] for s in theirs], rel=1e-2)
    # The scale starts at 65536; what is told is the gradient without it.
    norms = [
        [s["gradient_norm"] for s in steps if "gradient_norm" in s] for steps in (ours, theirs)
    ]
    assert norms[0][-1] == pytest.approx(norms[1][-1], rel=0.1)

    stopped = job(tmp_path / "stopped")
    with pytest.raises(Stopped):
        fine_tune(stopped, stop=lambda: len(events(stopped, "step")) >= 5)
    (checkpoint,) = stopped.checkpoints.iterdir()
    state = torch.load(checkpoint / "training.pt", weights_only=True)
    assert state["scaler"]["scale"] >= 1
    assert state["scaler"]["_growth_tracker"] > 0
    fine_tune(stopped)
    assert events(stopped, "step")[-1]["loss"] == ours[-1]["loss"]


def test_a_step_whose_gradients_overflow_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, Device(torch.device("cpu"), bf16=False, fp16=True))
    scaler = torch.amp.GradScaler

    def huge(device: str, *, enabled: bool) -> Any:
        return scaler(device, init_scale=2.0**120, growth_interval=10**6, enabled=enabled)

    monkeypatch.setattr(torch.amp, "GradScaler", huge)
    folder = job(tmp_path)
    fine_tune(folder)
    steps = events(folder, "step")
    assert "gradient_norm" not in steps[0]
    assert all(torch.isfinite(torch.tensor(step["loss"])) for step in steps)
