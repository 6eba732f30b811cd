"""Training parts of a model, stopping early, and going on when memory runs out."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForSequenceClassification

from tests.worker.engine.conftest import events, write_job
from tests.worker.engine.test_training import sentiment, split
from worker.engine.finetune import fine_tune
from worker.engine.heads import TaskModel
from worker.engine.predict import Predictor


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A model that has learnt a little, without dropout, so that numbers can be compared."""
    schema, rows = sentiment()
    folder = write_job(
        tmp_path / "base", "sentiment", schema, split(rows), epochs=6, learning_rate=1e-2
    )
    fine_tune(folder)
    config = json.loads((folder.model / "config.json").read_text())
    config |= {"hidden_dropout_prob": 0, "attention_probs_dropout_prob": 0}
    (folder.model / "config.json").write_text(json.dumps(config))
    return folder.model


def job(root: Path, base: Path, **params: Any) -> Any:
    schema, rows = sentiment()
    return write_job(
        root,
        "sentiment",
        schema,
        split(rows),
        base="run",
        base_ref="base",
        base_model=str(base),
        **params,
    )


@pytest.mark.parametrize("tuning", ["lora", "head"])
def test_only_the_chosen_weights_learn_and_the_model_is_an_ordinary_one(
    tmp_path: Path, base: Path, tuning: str
) -> None:
    folder = job(tmp_path / "run", base, tuning=tuning, epochs=8, learning_rate=1e-2, lora_rank=4)
    result = fine_tune(folder)
    before = load_file(base / "model.safetensors")
    after = load_file(folder.model / "model.safetensors")
    assert after.keys() == before.keys()
    changed = {name for name in after if not torch.equal(before[name], after[name])}
    assert "classifier.weight" in changed
    assert "bert.embeddings.word_embeddings.weight" not in changed
    in_body = {name for name in changed if name.startswith("bert.encoder")}
    assert bool(in_body) == (tuning == "lora")
    assert all(name.endswith("weight") for name in in_body)
    network = AutoModelForSequenceClassification.from_pretrained(folder.model)
    assert set(network.config.id2label.values()) == {"good", "bad"}
    texts = [text for text, _ in sentiment()[1][:6]]
    assert len(Predictor(folder.model).predict(texts)) == 6
    assert result["metrics"]["test"]["scores"]["accuracy"] > 0.5


def test_gradient_checkpointing_changes_nothing_but_the_memory(tmp_path: Path, base: Path) -> None:
    norms = []
    for wanted in (False, True):
        folder = job(tmp_path / str(wanted), base, epochs=1, gradient_checkpointing=wanted)
        fine_tune(folder)
        norms.append([event["gradient_norm"] for event in events(folder, "step")])
    assert norms[0] == pytest.approx(norms[1], rel=1e-4)


def test_batches_of_16_in_1_2_or_4_parts_have_the_same_loss_and_gradient(
    tmp_path: Path, base: Path
) -> None:
    steps = []
    for parts in (1, 2, 4):
        folder = job(
            tmp_path / str(parts), base, epochs=1, batch_size=16, gradient_accumulation=parts
        )
        fine_tune(folder)
        first = events(folder, "step")[0]
        steps.append([first["loss"], first["gradient_norm"]])
    assert steps[0] == pytest.approx(steps[1], rel=1e-4)
    assert steps[0] == pytest.approx(steps[2], rel=1e-4)


def test_early_stopping_ends_what_gets_no_better(tmp_path: Path, base: Path) -> None:
    folder = job(tmp_path / "run", base, epochs=50, learning_rate=1e-9, early_stopping=2)
    result = fine_tune(folder)
    rounds = [e for e in events(folder, "evaluation") if e["split"] == "validation"]
    assert 3 <= len(rounds) < 50
    per_epoch = rounds[0]["step"]
    assert rounds[-1]["step"] - result["best_step"] == 2 * per_epoch


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA out of memory."), MemoryError()])
def test_when_memory_runs_out_smaller_parts_give_the_same_model(
    tmp_path: Path, base: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    plain = job(tmp_path / "plain", base, epochs=2, batch_size=16)
    fine_tune(plain)
    logits = TaskModel.logits

    def little_memory(self: TaskModel, batch: Any) -> torch.Tensor:
        if len(batch.input_ids) > 5:
            raise error
        return logits(self, batch)

    monkeypatch.setattr(TaskModel, "logits", little_memory)
    tight = job(tmp_path / "tight", base, epochs=2, batch_size=16)
    result = fine_tune(tight)
    monkeypatch.undo()
    # How many steps are told of follows the clock; the first and the last always are.
    ours, theirs = (events(folder, "step") for folder in (plain, tight))
    first = [(step["loss"], step["gradient_norm"]) for step in (ours[0], theirs[0])]
    assert first[0] == pytest.approx(first[1], rel=1e-3)
    assert ours[-1]["step"] == theirs[-1]["step"] == ours[-1]["total_steps"]
    assert result["metrics"]["test"]["examples"] == 4


def test_memory_that_is_too_small_for_one_example_says_what_to_do(
    tmp_path: Path, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_memory(self: TaskModel, batch: Any) -> torch.Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(TaskModel, "logits", no_memory)
    with pytest.raises(torch.OutOfMemoryError):
        fine_tune(job(tmp_path / "run", base, epochs=1))
