"""Fine-tuning, start to end: data, model, loop, test, the model's folder."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch

from app.tasks import get_task
from app.training import FineTuneParams, TrainingParams
from worker.engine.batches import count
from worker.engine.checkpoint import Checkpoints, Position
from worker.engine.environment import Device, choose_device, describe, seed_everything, use_threads
from worker.engine.errors import Stopped
from worker.engine.examine import examine, write_predictions
from worker.engine.files import write_json
from worker.engine.heads import TaskModel
from worker.engine.job import Folder, Item, Job, read_items
from worker.engine.latency import latency
from worker.engine.loop import Loop, Rows, Surroundings
from worker.engine.models import build_network, open_base
from worker.engine.prepare import encode_splits, sample
from worker.engine.progress import Progress, Silence
from worker.engine.save import save_model_folder
from worker.engine.schedule import build_optimizer
from worker.engine.scoring import Runner
from worker.engine.team import assembled
from worker.engine.tuning import choose_weights, merge_adapters
from worker.engine.windows import Frame
from worker.recipes import RECIPES, Encoder
from worker.recipes.base import Encoded, Evaluation, Recipe

LEAST_SHARE = 8
"""Examples that each GPU gets of a batch, at least: with fewer it waits more than it computes."""


def fine_tune(folder: Folder, *, stop: Callable[[], bool] = lambda: False) -> dict[str, Any]:
    """Do the folder's job, from its newest checkpoint if it has one; the content of result.json.

    `stop` is asked after every step and between batches of an evaluation: once it says yes, a checkpoint is
    written and Stopped is raised. Raises EngineError, or what torch raises.
    """
    job = Job.read(folder.job)
    params = cast("FineTuneParams", job.params)
    with surroundings(folder, job, stop) as around:
        around.progress.status("loading", "Reading the version's data")
        splits = sample(read_items(job.data), params)
        trained = train(
            job, params, splits, around, checkpoints=folder.checkpoints, scratch=folder.scratch
        )
        if not around.team.leads:
            return {}
        reports = {}
        with folder.predictions.open("w", encoding="utf-8") as sink:
            for split in ("validation", "test"):
                if splits[split]:
                    evaluation = trained.evaluate(split, around.progress)
                    reports[split] = examine(job.task, splits[split], evaluation, seed=params.seed)
                    write_predictions(sink, split, splits[split], evaluation.predictions)
        around.progress.status("saving", "Saving the model")
        save_model_folder(
            folder.model,
            job=job,
            recipe=trained.recipe,
            encoder=trained.encoder,
            run=trained.run,
            items=splits["train"][:4],
        )
        around.progress.status("measuring", "Measuring the model's speed")
        speed = latency(
            trained.recipe,
            trained.encoder,
            trained.run,
            splits["test"] or splits["validation"] or splits["train"],
        )
    position = trained.position
    result = {
        "primary": trained.recipe.primary,
        "metrics": reports,
        "counts": trained.counts,
        "seconds": round(position.seconds, 3),
        "best_step": position.best_step if position.best_step is not None else position.step,
        "parameters": trained.parameters,
        "speed": speed,
    }
    write_json(folder.result, result)
    return result


@contextmanager
def surroundings(folder: Folder, job: Job, stop: Callable[[], bool]) -> Iterator[Surroundings]:
    """The team, the device, the progress file and the wish to stop, for a run of any kind; says where it runs.

    Only the leader of a team may go on when the training is through: the others return nothing.
    """

    device = choose_device(job.params.precision, pinned=job.device)
    with assembled(folder.root, team_size(job, device)) as team:

        def check() -> None:
            if team.leads and stop():
                raise Stopped

        device = device.of(team.rank)
        use_threads(team.size)
        with Progress(folder.progress) if team.leads else Silence() as progress:
            progress.write("environment", **describe(device, processes=team.size))
            yield Surroundings(device, progress, check, team)


def team_size(job: Job, device: Device) -> int:
    """How many processes train together: one for each GPU, unless the batches are too small to share or the
    worker's settings name a number."""
    if not isinstance(job.params, TrainingParams):
        return 1
    gpus = torch.cuda.device_count() if device.torch.type == "cuda" else None
    wanted = job.processes or min(gpus or 1, job.params.batch_size // LEAST_SHARE)
    return max(1, min(wanted, gpus or wanted, job.params.batch_size))


@dataclass(frozen=True, slots=True)
class Trained:
    """A trained model with what it takes to use it."""

    recipe: Recipe
    encoder: Encoder
    run: Runner
    splits: Mapping[str, Sequence[Item]]
    encoded: Mapping[str, Encoded]
    counts: dict[str, int]
    position: Position
    parameters: int
    first_step: int

    def evaluate(self, split: str, progress: Progress) -> Evaluation:
        """How good it is on a split, in detail."""
        items = self.splits[split]
        progress.status("evaluating", f"Evaluating on {split}: {len(items):,} examples")
        evaluation = self.recipe.evaluate(items, self.encoded[split], self.run, detailed=True)
        metrics = _rounded(evaluation)
        if split != "validation":  # that has its point at the best step already
            progress.write(
                "evaluation",
                step=self.first_step + self.position.step,
                epoch=self.position.epoch,
                split=split,
                metrics=metrics,
            )
        return evaluation


def train(
    job: Job,
    params: FineTuneParams,
    splits: Mapping[str, Sequence[Item]],
    around: Surroundings,
    *,
    checkpoints: Path,
    scratch: Path,
    first_step: int = 0,
    all_steps: int | None = None,
    later: int = 0,
) -> Trained:
    """Train a model on the training split, and take the epoch that is best on validation.

    `first_step` and `all_steps` are those of `Loop`. Where nobody knows all steps beforehand, `later` says
    how many more trainings make the same curve: each is taken to be as long as this one. Raises Stopped,
    EngineError, or what torch raises.
    """
    device, progress = around.device, around.progress
    seed_everything(params.seed, device)
    recipe = RECIPES[get_task(job.task).recipe].prepare(job.schema, splits)
    progress.status("loading", "Loading the base model")
    base = around.team.in_turn(
        lambda: open_base(
            job.base_model,
            params,
            texts=[item.text for item in splits["train"]],
            cased=recipe.cased,
            scratch_folder=scratch,
        )
    )
    network = build_network(base, recipe.family, labels=recipe.labels, problem=recipe.problem)
    choose_weights(network, params)
    if params.gradient_checkpointing:
        network.activation_checkpointing_enable()
    model = TaskModel(network, crf=recipe.crf() if params.head == "crf" else None)
    model.to(device.torch)
    parameters = sum(p.numel() for p in model.parameters())
    kept = Checkpoints(checkpoints)
    kept.require_space(parameters)
    encoder = Encoder(
        base.tokenizer,
        Frame.of(base.tokenizer),
        max_length=min(params.max_length, base.longest),
        two_segments=model.takes_segments,
    )
    progress.status("tokenising", f"Tokenising {sum(map(len, splits.values())):,} examples")
    encoded, counts = encode_splits(recipe, splits, encoder, around.check)
    run = Runner(model, device, pad=base.tokenizer.pad_token_id or 0, check=around.check)

    def evaluate() -> list[float] | None:
        items = splits["validation"]
        if not items:
            return None
        progress.status("evaluating", f"Evaluating on validation: {len(items):,} examples")
        evaluation = recipe.evaluate(items, encoded["validation"], run)
        metrics = _rounded(evaluation)
        progress.write(
            "evaluation", step=loop.step, epoch=loop.epoch, split="validation", metrics=metrics
        )
        return [evaluation.report.scores[recipe.primary], -(evaluation.loss or 0.0)]

    rows = Rows.of(encoded["train"].windows, run.pad)
    if all_steps is None:
        steps = count(len(rows.lengths), params.batch_size) * params.epochs
        all_steps = first_step + steps * (1 + later)
    loop = Loop(
        model,
        build_optimizer(model, params, head_learning_rate=params.head_learning_rate),
        params,
        rows,
        around,
        kept,
        loss=run.batch_loss,
        evaluate=evaluate,
        patience=params.early_stopping,
        first_step=first_step,
        all_steps=all_steps,
    )
    position = loop.run()
    if around.team.leads:
        merge_adapters(network)
    return Trained(recipe, encoder, run, splits, encoded, counts, position, parameters, first_step)


def _rounded(evaluation: Evaluation) -> dict[str, float]:
    """The loss and the scores of an evaluation, which are printed, too."""
    metrics = {"loss": evaluation.loss, **evaluation.report.scores}
    found = {k: round(v, 6) for k, v in metrics.items() if v is not None}
    print("  " + "  ".join(f"{k} {v:.4f}" for k, v in found.items()), flush=True)
    return found
