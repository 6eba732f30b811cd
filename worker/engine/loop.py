"""Fine-tuning, start to end: data, model, optimiser, steps, evaluation, checkpoints, test, saving."""

import logging
from collections.abc import Callable
from typing import Any

import torch

from app.tasks import get_task
from worker.engine import batches
from worker.engine.checkpoint import Checkpoints, Position
from worker.engine.environment import choose_device, describe, seed_everything, use_threads
from worker.engine.errors import ModelError, Stopped, is_out_of_memory
from worker.engine.examine import examine, write_predictions
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
from worker.engine.tuning import choose_weights, merge_adapters
from worker.engine.windows import Frame, Window
from worker.recipes import RECIPES, Encoder
from worker.recipes.base import Evaluation

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
    choose_weights(network, params)
    if params.gradient_checkpointing:
        network.activation_checkpointing_enable()
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

    micro_size = params.batch_size // params.gradient_accumulation
    gradient_norm = torch.zeros(())

    def save() -> None:
        position.seconds = speed.seconds
        checkpoints.save(position, model, optimizer, device=device.torch)
        speed.saved()

    def train_step(rows: list[int]) -> torch.Tensor:
        """One optimiser step over the rows; the mean loss."""
        nonlocal gradient_norm
        model.train()
        set_rates(optimizer, factor(position.step, total=total_steps, warmup=params.warmup_ratio))
        chosen = [windows[row] for row in rows]
        loss = backward(chosen)
        gradient_norm = torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return loss

    def backward(chosen: list[Window]) -> torch.Tensor:
        """The gradient of the mean loss, in micro-batches as large as the memory allows; the loss."""
        nonlocal micro_size
        while True:
            try:
                return accumulate(chosen)
            except Exception as error:
                if micro_size == 1 or not is_out_of_memory(error):
                    raise
            # Out of the handler, whose error holds the tensors of the failed attempt.
            optimizer.zero_grad(set_to_none=True)
            if device.torch.type == "cuda":
                torch.cuda.empty_cache()
            micro_size = -(-micro_size // 2)
            log.warning("Out of memory: going on with %d examples at a time.", micro_size)

    def accumulate(chosen: list[Window]) -> torch.Tensor:
        weight = max(sum(window.weight for window in chosen), 1e-12)
        loss = torch.zeros((), device=device.torch)
        for start in range(0, len(chosen), micro_size):
            micro = chosen[start : start + micro_size]
            batch = batches.collate(micro, pad=run.pad, device=device.torch)
            with device.autocast():
                logits = model.logits(batch)
            part = model.loss(logits, batch) / weight
            part.backward()  # type: ignore[no-untyped-call]
            loss += part.detach()
        return loss

    def is_done() -> bool:
        """Whether all epochs are through, or enough of them brought nothing."""
        patience, best = params.early_stopping, position.best_step
        is_stale = patience and best is not None and position.step - best >= patience * steps
        return bool(is_stale) or position.epoch >= params.epochs

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
            gradient_norm=round(float(gradient_norm), 6),
            learning_rate=optimizer.param_groups[0]["lr"],
            **speed.rates(),
        )

    def evaluate(split: str, *, detailed: bool = False) -> Evaluation:
        """Evaluate on a split, and say so as progress."""
        progress.status("evaluating", f"Evaluating on {split}: {len(splits[split]):,} examples")
        evaluation = recipe.evaluate(splits[split], encoded[split], run, detailed=detailed)
        metrics = {"loss": evaluation.loss, **evaluation.report.scores}
        metrics = {k: round(v, 6) for k, v in metrics.items() if v is not None}
        if split == "test" or not detailed:  # validation has its point at the best step already
            epoch = round(position.step / steps, 4)
            progress.write(
                "evaluation", step=position.step, epoch=epoch, split=split, metrics=metrics
            )
        print("  " + "  ".join(f"{k} {v:.4f}" for k, v in metrics.items()), flush=True)
        return evaluation

    def final_reports() -> dict[str, Any]:
        """The reports of the model that is kept, with its predictions in a file beside."""
        reports = {}
        with folder.predictions.open("w", encoding="utf-8") as sink:
            for split in ("validation", "test"):
                if splits[split]:
                    evaluation = evaluate(split, detailed=True)
                    reports[split] = examine(job.task, splits[split], evaluation, seed=params.seed)
                    write_predictions(sink, split, splits[split], evaluation)
        return reports

    try:
        # The loop.
        while not is_done():
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
                score = [outcome.report.scores[recipe.primary], -(outcome.loss or 0.0)]
                if position.best_score is None or score > position.best_score:
                    position.best_score, position.best_step = score, position.step
            position.epoch, position.batch = position.epoch + 1, 0
            save()

        # The best epoch's weights, the test, the model's folder.
        if position.epoch < params.epochs:
            log.info("No better score for %d epochs: stopping early.", params.early_stopping)
        checkpoints.load_best(position, model)
        merge_adapters(network)
        reports = final_reports()
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
        if not is_done():
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
