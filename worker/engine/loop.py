"""Fine-tuning, start to end: data, model, optimiser, steps, evaluation, checkpoints, test, saving."""

import logging
from collections.abc import Callable
from typing import Any

import torch

from app.tasks import get_task
from worker.engine import batches
from worker.engine.checkpoint import Checkpoints, Position
from worker.engine.environment import choose_device, describe, seed_everything, use_threads
from worker.engine.errors import ModelError, Stopped
from worker.engine.files import require_space, write_json
from worker.engine.heads import TaskModel
from worker.engine.job import Folder, Job, read_items
from worker.engine.models import build_network, open_base
from worker.engine.prepare import encode_splits, sample
from worker.engine.progress import Progress
from worker.engine.save import save_model_folder
from worker.engine.schedule import CLIP, build_optimizer, factor, set_rates
from worker.engine.scoring import Runner
from worker.engine.speed import Speed
from worker.engine.windows import Frame
from worker.recipes import RECIPES, Encoder

log = logging.getLogger(__name__)


def fine_tune(folder: Folder, *, stop: Callable[[], bool] = lambda: False) -> dict[str, Any]:
    """Do the folder's job, from its newest checkpoint if it has one; the content of result.json.

    `stop` is asked after every step and between batches of an evaluation: once it says yes, a checkpoint is
    written and Stopped is raised. Raises EngineError, or what torch raises.
    """
    job = Job.read(folder.job)
    with Progress(folder.progress) as progress:
        return _fine_tune(job, folder, progress, stop)


def _fine_tune(
    job: Job, folder: Folder, progress: Progress, stop: Callable[[], bool]
) -> dict[str, Any]:
    def check() -> None:
        if stop():
            raise Stopped

    params = job.params
    device = choose_device(params.precision)
    use_threads()
    seed_everything(params.seed, device)
    progress.write("environment", **describe(device))

    # Data and model.
    progress.status("loading", "Reading the version's data")
    splits = sample(read_items(job.data), params)
    recipe = RECIPES[get_task(job.task).recipe].prepare(job.schema, splits)
    progress.status("loading", "Loading the base model")
    base = open_base(
        job.base_model,
        params,
        texts=[item.text for item in splits["train"]],
        cased=recipe.cased,
        scratch_folder=folder.scratch,
    )
    network = build_network(base, recipe.family, labels=recipe.labels, problem=recipe.problem)
    model = TaskModel(network, crf=recipe.crf() if params.head == "crf" else None)
    model.to(device.torch)
    parameters = sum(p.numel() for p in model.parameters())
    # Three checkpoints at worst (last, best, the one being written), each with two moments; the model.
    require_space(folder.root, parameters * 4 * (3 * 3 + 1))
    encoder = Encoder(
        base.tokenizer,
        Frame.of(base.tokenizer),
        max_length=min(params.max_length, base.longest),
        two_segments=model.takes_segments,
    )
    progress.status("tokenising", f"Tokenising {sum(map(len, splits.values())):,} examples")
    encoded, counts = encode_splits(recipe, splits, encoder, check)
    run = Runner(model, device, pad=base.tokenizer.pad_token_id or 0, check=check)

    # Optimiser and where to go on.
    windows = encoded["train"].windows
    lengths = [len(window) for window in windows]
    steps = batches.count(len(windows), params.batch_size)
    total_steps = steps * params.epochs
    optimizer = build_optimizer(model, params)
    checkpoints = Checkpoints(folder.checkpoints)
    position = Position()
    newest = checkpoints.newest()
    if newest is not None:
        position = checkpoints.restore(newest, model, optimizer, device=device.torch)
    if newest is not None or progress.had_earlier_attempt:
        progress.write("resumed", step=position.step)
        log.info("Going on from step %d", position.step)
    speed = Speed(total_steps - position.step, before=position.seconds)

    def save() -> None:
        position.seconds = speed.seconds
        checkpoints.save(position, model, optimizer, device=device.torch)
        speed.saved()

    def train_step(rows: list[int]) -> torch.Tensor:
        """One optimiser step over the rows, in micro-batches; the mean loss."""
        model.train()
        set_rates(optimizer, factor(position.step, total=total_steps, warmup=params.warmup_ratio))
        chosen = [windows[row] for row in rows]
        weight = max(sum(window.weight for window in chosen), 1e-12)
        loss = torch.zeros((), device=device.torch)
        size = params.batch_size // params.gradient_accumulation
        for start in range(0, len(chosen), size):
            micro = chosen[start : start + size]
            batch = batches.collate(micro, pad=run.pad, device=device.torch)
            with device.autocast():
                logits = model.logits(batch)
            part = model.loss(logits, batch) / weight
            part.backward()  # type: ignore[no-untyped-call]
            loss += part.detach()
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return loss

    def report_step() -> None:
        loss = speed.mean_loss()
        if loss != loss or loss == float("inf"):
            raise ModelError(
                f"The loss is no longer a number at step {position.step}: training went astray. Lower the "
                "learning rate, lengthen the warm-up, or set the precision to fp32."
            )
        progress.write(
            "step",
            step=position.step,
            total_steps=total_steps,
            epoch=round(position.step / steps, 4),
            loss=round(loss, 6),
            learning_rate=optimizer.param_groups[0]["lr"],
            **speed.rates(),
        )

    def evaluate(split: str) -> dict[str, Any]:
        """The report of a split, written as progress."""
        progress.status("evaluating", f"Evaluating on {split}: {len(splits[split]):,} examples")
        report, loss = recipe.evaluate(splits[split], encoded[split], run)
        metrics = {"loss": loss, **report.scores}
        metrics = {k: round(v, 6) for k, v in metrics.items() if v is not None}
        epoch = round(position.step / steps, 4)
        progress.write("evaluation", step=position.step, epoch=epoch, split=split, metrics=metrics)
        print("  " + "  ".join(f"{k} {v:.4f}" for k, v in metrics.items()), flush=True)
        return {"report": report.as_json(), "loss": metrics.get("loss", 0.0)}

    try:
        # The loop.
        while position.epoch < params.epochs:
            progress.status("training", f"Epoch {position.epoch + 1} of {params.epochs}")
            plan = batches.epoch_batches(
                lengths, params.batch_size, seed=params.seed, epoch=position.epoch
            )
            for rows in plan[position.batch :]:
                loss = train_step(rows)
                position.batch += 1
                position.step += 1
                speed.step(loss, rows=len(rows), pieces=sum(lengths[row] for row in rows))
                if progress.step_is_due() or position.batch == steps:
                    report_step()
                check()
                if speed.since_saved > params.checkpoint_seconds and position.batch < steps:
                    save()
            if splits["validation"]:
                with speed.pause():
                    outcome = evaluate("validation")
                score = [outcome["report"]["scores"][recipe.primary], -outcome["loss"]]
                if position.best_score is None or score > position.best_score:
                    position.best_score, position.best_step = score, position.step
                    position.best_report = outcome["report"]
            position.epoch, position.batch = position.epoch + 1, 0
            save()

        # The best epoch's weights, the test, the model's folder.
        checkpoints.load_best(position, model)
        reports = {"validation": position.best_report} if position.best_report else {}
        if splits["test"]:
            reports["test"] = evaluate("test")["report"]
        progress.status("saving", "Saving the model")
        save_model_folder(
            folder.model,
            job=job,
            recipe=recipe,
            encoder=encoder,
            run=run,
            items=splits["train"][:4],
        )
    except Stopped:
        progress.status("saving", f"Stopping after step {position.step}")
        if position.epoch < params.epochs:
            save()
        raise

    result = {
        "primary": recipe.primary,
        "metrics": reports,
        "counts": counts,
        "seconds": round(speed.seconds, 3),
        "best_step": position.best_step if position.best_step is not None else position.step,
        "parameters": parameters,
    }
    write_json(folder.result, result)
    return result
