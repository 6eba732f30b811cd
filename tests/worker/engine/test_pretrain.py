"""Pre-training: perplexity falls, a stopped run ends the same, and what is left can be fine-tuned."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    AutoModelForMaskedLM,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    AutoTokenizer,
    BertConfig,
    DistilBertConfig,
    ElectraConfig,
    GPT2Config,
    GPT2LMHeadModel,
    ModernBertConfig,
    RobertaConfig,
)

from app.training import PretrainParams
from tests.worker.engine.conftest import CPU, TINY, events, write_job
from worker.engine.batches import collate
from worker.engine.errors import DataError, ModelError, Stopped
from worker.engine.finetune import fine_tune
from worker.engine.heads import MaskedModel
from worker.engine.job import Folder
from worker.engine.predict import Predictor
from worker.engine.pretrain import pretrain
from worker.engine.windows import Window
from worker.engine.wordpiece import train_wordpiece

PEOPLE, PLACES = ("Ada", "Bo", "Cleo", "Dora"), ("Rome", "Oslo", "Paris", "上海")
TEXTS = [
    f"{PEOPLE[n % 4]} was seen in {PLACES[n % 4]} on day {n % 7}, and so on" for n in range(88)
]


def job(
    folder: Path, texts: Sequence[str] = TEXTS, *, base_model: str | None = None, **params: Any
) -> Folder:
    """A working folder as the worker lays it out before it starts a pre-training."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [
        {"split": "train" if n >= 8 else "validation", "inputs": {"text": text, "tokens": None}}
        for n, text in enumerate(texts)
    ]
    data = folder / "texts.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    data.with_suffix(".json").write_text(json.dumps({"train": len(rows) - 8, "validation": 8}))
    content = {
        "run_id": "a-run",
        "kind": "pretrain",
        "task": "ner",
        "language": "en",
        "schema": {"labels": []},
        "params": PretrainParams(**(TINY | {"learning_rate": 1e-2} | params)).model_dump(),
        "data": str(data),
        "base_model": base_model,
    }
    (folder / "job.json").write_text(json.dumps(content))
    return Folder(folder)


def outcome(folder: Folder) -> tuple[bytes, dict[str, Any]]:
    """The final weights, and the result without its times."""
    result = json.loads(folder.result.read_text())
    return (folder.model / "model.safetensors").read_bytes(), result | {"seconds": 0}


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    folder = job(tmp_path_factory.mktemp("whole"), epochs=8)
    pretrain(folder)
    return folder


def test_perplexity_falls_and_the_best_epoch_is_kept(uninterrupted: Folder) -> None:
    result = json.loads(uninterrupted.result.read_text())
    assert result["after"]["perplexity"] < result["before"]["perplexity"] / 3
    points = [event["metrics"]["perplexity"] for event in events(uninterrupted, "evaluation")]
    assert len(points) == 9, "one before the training, one after each epoch"
    assert points[0] == result["before"]["perplexity"]
    assert min(points) == result["after"]["perplexity"]
    assert result["counts"]["rows"] == 80


def test_a_stopped_pre_training_goes_on_to_the_very_same_weights(
    tmp_path: Path, uninterrupted: Folder
) -> None:
    folder = job(tmp_path, epochs=8)
    for asked in (9, 13, 25):  # in an epoch, in an evaluation, ...
        with pytest.raises(Stopped):
            pretrain(folder, stop=after(asked))
    pretrain(folder)
    assert outcome(folder) == outcome(uninterrupted)
    assert len([e for e in events(folder, "evaluation") if e["step"] == 0]) == 1


def after(asked: int) -> Callable[[], bool]:
    """A question that is answered with yes once it was asked some times."""
    left = iter([False] * asked)
    return lambda: next(left, True)


def test_the_model_is_an_ordinary_one_and_its_weights_are_tied(uninterrupted: Folder) -> None:
    network, info = AutoModelForMaskedLM.from_pretrained(
        uninterrupted.model, output_loading_info=True
    )
    assert not info["missing_keys"]
    assert network.get_output_embeddings().weight is network.get_input_embeddings().weight
    tokenizer = AutoTokenizer.from_pretrained(uninterrupted.model)
    given = tokenizer(f"Ada was {tokenizer.mask_token} in Rome on day 0", return_tensors="pt")
    (place,) = (given["input_ids"][0] == tokenizer.mask_token_id).nonzero()[0].tolist()
    with torch.no_grad():
        best = network.eval()(**given).logits[0, place].argmax()
    assert tokenizer.decode(best) == "seen"
    for auto in (AutoModelForSequenceClassification, AutoModelForTokenClassification):
        body = auto.from_pretrained(uninterrupted.model).base_model
        learned = network.base_model.embeddings.word_embeddings.weight
        assert torch.equal(body.embeddings.word_embeddings.weight, learned)


def test_a_fine_tuning_starts_from_it(tmp_path: Path, uninterrupted: Folder) -> None:
    rows = [
        (text, {"spans": [{"start": 0, "end": text.index(" "), "label": "PER"}]}) for text in TEXTS
    ]
    splits = {"train": rows[8:], "validation": rows[:4], "test": rows[4:8]}
    folder = write_job(
        tmp_path,
        "ner",
        {"mode": "flat", "labels": [{"name": "PER"}]},
        splits,
        base="run",
        base_ref="a-run",
        base_model=str(uninterrupted.model),
        learning_rate=5e-3,
    )
    result = fine_tune(folder)
    assert result["metrics"]["test"]["scores"]["f1"] == 1.0
    with pytest.raises(ModelError, match="not a model of Annotune"):
        Predictor(uninterrupted.model)


SIZES = {
    "vocab_size": 90,
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 32,
}


@pytest.mark.parametrize(
    "config",
    [
        BertConfig(**SIZES),
        RobertaConfig(**SIZES),
        ElectraConfig(**SIZES, embedding_size=16),
        ModernBertConfig(**SIZES, pad_token_id=0, bos_token_id=1, eos_token_id=2, cls_token_id=1, sep_token_id=2),
        DistilBertConfig(vocab_size=90, dim=32, n_layers=1, n_heads=2, hidden_dim=32),
    ],
    ids=lambda config: config.model_type,
)  # fmt: skip
def test_the_head_sees_the_masked_pieces_alone_and_says_the_same(config: Any) -> None:
    network = AutoModelForMaskedLM.from_config(config).eval()
    windows = [
        Window(0, [5, 6, 7, 8, 9], [0] * 5, positions=[1, 3], targets=[10, 11]),
        Window(1, [5, 6, 7], [0] * 3, positions=[2], targets=[12]),
    ]
    batch = collate(windows, pad=0, device=CPU.torch)
    with torch.no_grad():
        whole = network(input_ids=batch.input_ids, attention_mask=batch.attention_mask).logits
        few = MaskedModel(network).logits(batch)
    torch.testing.assert_close(few, torch.stack([whole[0, 1], whole[0, 3], whole[1, 2]]))


def test_a_model_that_reads_in_one_direction_is_refused(tmp_path: Path) -> None:
    base = tmp_path / "gpt"
    sizes = {"n_embd": 32, "n_layer": 1, "n_head": 2, "vocab_size": 300}
    GPT2LMHeadModel(GPT2Config(**sizes)).save_pretrained(base)
    train_wordpiece(TEXTS, size=300, lowercase=True, max_length=512).save_pretrained(base)
    folder = job(
        tmp_path / "run", base="folder", base_ref="gpt", base_model=str(base), max_length=16
    )
    with pytest.raises(ModelError, match=r"gpt \(gpt2\) cannot guess masked words"):
        pretrain(folder)


def test_texts_without_words_teach_nothing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="0 texts with words to train on"):
        pretrain(job(tmp_path, [*TEXTS[:8], *["\u3000"] * 20]))
