"""Pre-training, start to end: a model learns a language from texts by guessing masked words (MLM)."""

import json
import logging
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from transformers import AutoModelForMaskedLM, AutoTokenizer

from app.tasks import get_task
from app.training import PretrainParams
from worker.engine.checkpoint import Checkpoints
from worker.engine.corpus import Corpus, Texts
from worker.engine.environment import seed_everything
from worker.engine.errors import DataError, EngineError
from worker.engine.files import new_folder, write_json
from worker.engine.finetune import surroundings
from worker.engine.heads import MaskedModel
from worker.engine.job import Folder, Job
from worker.engine.loop import Loop, Rows, astray
from worker.engine.masking import Masker
from worker.engine.models import build_masked, open_base
from worker.engine.schedule import build_optimizer
from worker.engine.scoring import Runner
from worker.engine.windows import Window
from worker.recipes import RECIPES

log = logging.getLogger(__name__)


def pretrain(folder: Folder, *, stop: Callable[[], bool] = lambda: False) -> dict[str, Any]:
    """Do the folder's job, from its newest checkpoint if it has one; the content of result.json.

    The model is an ordinary one with a head for masked words; fine-tunings start from it. `stop` is that of
    `fine_tune`. Raises Stopped, EngineError, or what torch raises.
    """
    job = Job.read(folder.job)
    params = cast("PretrainParams", job.params)
    with surroundings(folder, job, stop) as around:
        device, progress = around.device, around.progress
        seed_everything(params.seed, device)
        progress.status("loading", "Loading the base model")
        train, validation = Texts(job.data, "train"), Texts(job.data, "validation")
        base = around.team.in_turn(
            lambda: open_base(
                job.base_model,
                params,
                texts=train,
                cased=RECIPES[get_task(job.task).recipe].cased,
                scratch_folder=folder.scratch,
            )
        )
        network = build_masked(base)
        if params.gradient_checkpointing:
            network.activation_checkpointing_enable()
        model = MaskedModel(network).to(device.torch)
        parameters = sum(p.numel() for p in model.parameters())
        checkpoints = Checkpoints(folder.checkpoints)
        checkpoints.require_space(parameters)

        progress.status("tokenising", "Tokenising the texts")
        masker = Masker.of(
            base.tokenizer, share=params.mask_probability, vocabulary=network.config.vocab_size
        )
        room = min(params.max_length, base.longest) - masker.frame.size
        corpus, held_out = (
            Corpus.of(texts.items(), base.tokenizer, room=room, check=around.check)
            for texts in (train, validation)
        )
        if not len(corpus) or not len(held_out):
            raise DataError(
                f"There are {corpus.texts:,} texts with words to train on and {held_out.texts:,} to measure "
                "on, and each needs some. Import more texts, or give validation a larger share."
            )
        pad = base.tokenizer.pad_token_id or 0
        run = Runner(model, device, pad=pad, check=around.check)
        measured = [masker.fixed(held_out[row], row) for row in range(len(held_out))]

        def measure(step: int, epoch: float) -> float:
            progress.status("evaluating", f"Evaluating on {held_out.texts:,} texts")
            loss = run.loss(measured)
            if not math.isfinite(loss):
                raise astray(step)
            metrics = perplexity(loss)
            print("  " + "  ".join(f"{k} {v:.4f}" for k, v in metrics.items()), flush=True)
            progress.write(
                "evaluation", step=step, epoch=epoch, split="validation", metrics=metrics
            )
            return loss

        def windows(epoch: int, rows: Sequence[int]) -> list[Window]:
            return [masker.window(corpus[row], row, seed=params.seed, epoch=epoch) for row in rows]

        before = around.team.told(
            lambda: _once(folder.root / "before.json", lambda: measure(0, 0.0))
        )
        loop = Loop(
            model,
            build_optimizer(model, params),
            params,
            Rows((corpus.lengths + masker.frame.size).tolist(), windows, pad),
            around,
            checkpoints,
            loss=run.batch_loss,
            evaluate=lambda: [-measure(loop.step, loop.epoch)],
        )
        position = loop.run()
        if not around.team.leads:
            return {}
        best = position.best_score
        after = -best[0] if best else measure(loop.step, loop.epoch)
        progress.status("saving", "Saving the model")
        _save(folder.model, network, base.tokenizer)
    result = {
        "before": perplexity(before),
        "after": perplexity(after),
        "texts": json.loads(job.data.with_suffix(".json").read_text()),
        "counts": {
            "rows": len(corpus),
            "pieces": len(corpus.ids),
            "windowed": corpus.windowed + held_out.windowed,
            "measured_pieces": sum(len(window.positions) for window in measured),
        },
        "seconds": round(position.seconds, 3),
        "best_step": position.best_step if position.best_step is not None else position.step,
        "parameters": parameters,
    }
    write_json(folder.result, result)
    return result


def perplexity(loss: float) -> dict[str, float]:
    """The mean loss of masked pieces, and e to its power: between how many equally likely pieces the model
    hesitates."""
    return {"loss": round(loss, 6), "perplexity": round(math.exp(min(loss, 700)), 4)}


def _once(path: Path, measure: Callable[[], float]) -> float:
    """What is measured by a run's first attempt, and read from the file by later ones."""
    if path.exists():
        return float(json.loads(path.read_text()))
    found = measure()
    write_json(path, found)
    return found


def _save(path: Path, network: Any, tokenizer: Any) -> None:
    """Write the model's folder and load it again: only when nothing differs it gets its name.

    Raises EngineError when what was loaded is not what was trained.
    """
    with new_folder(path) as folder:
        network.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        loaded = AutoModelForMaskedLM.from_pretrained(
            folder, dtype=torch.float32, use_safetensors=True, trust_remote_code=False
        ).state_dict()
        for name, tensor in network.state_dict().items():
            if not torch.equal(tensor.cpu(), loaded[name]):
                raise EngineError(
                    f"The weights {name} of the saved model are not those that were trained, so it was not "
                    "kept. This is a defect of Annotune or of the transformers library."
                )
