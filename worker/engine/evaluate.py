"""Evaluating a model that another run left: on a split of a version, or on the rows of a file."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

from app.evaluation import glue
from app.tasks import get_task
from app.training import EvaluateParams
from worker.engine.errors import DataError, ModelError
from worker.engine.examine import examine, write_predictions
from worker.engine.files import write_json
from worker.engine.finetune import surroundings
from worker.engine.job import SPLITS, Folder, Item, Job, read_items
from worker.engine.predict import Predictor
from worker.recipes.base import Evaluation


def evaluate(folder: Folder, *, stop: Callable[[], bool] = lambda: False) -> dict[str, Any]:
    """Do the folder's job; the content of result.json, whose reports have the form of a fine-tuning's.

    A stopped evaluation begins anew: it takes minutes. Raises Stopped, EngineError, or what torch raises.
    """
    started = time.monotonic()
    job = Job.read(folder.job)
    params = cast("EvaluateParams", job.params)
    with surroundings(folder, job, stop) as around:
        around.progress.status("loading", "Reading the data and the model")
        splits = read_items(job.data, to_train=False)
        chosen = SPLITS if params.split == "all" else (params.split,)
        parts = {split: splits[split] for split in chosen if splits[split]}
        items = [item for part in parts.values() for item in part]
        if not items:
            raise DataError(f"There are no examples to evaluate on ({params.split}).")
        model = _open(job, params)
        _check_labels(job, model, items)
        around.progress.status("evaluating", f"Evaluating on {len(items):,} examples")
        evaluation = model.evaluate(items, check=around.check)
        report = examine(job.task, items, evaluation, seed=params.seed)
        _write(folder.predictions, parts, evaluation)
        metrics = {"loss": evaluation.loss, **evaluation.report.scores}
        around.progress.write(
            "evaluation",
            step=0,
            split=params.split,
            metrics={name: round(value, 6) for name, value in metrics.items() if value is not None},
        )
        around.progress.status("measuring", "Measuring the model's speed")
        speed = model.latency(items)
    result = {
        "primary": model.primary,
        "metrics": {params.split: report},
        "counts": {split: len(part) for split, part in parts.items()},
        "seconds": round(time.monotonic() - started, 3),
        "parameters": model.parameters,
        "speed": speed,
    }
    if params.glue is not None:
        result["glue"] = {
            name: round(value, 6)
            for name, value in glue.scores(
                params.glue,
                [item.annotation["labels"][0] for item in items],
                [prediction.annotation["labels"][0] for prediction in evaluation.predictions],
            ).items()
        }
    write_json(folder.result, result)
    return result


def _open(job: Job, params: EvaluateParams) -> Predictor:
    model = Predictor(Path(job.base_model or ""), precision=params.precision)
    if model.card["task"] != job.task:
        raise ModelError(
            f"The model is for the task {model.card['task']}, but the data is for {job.task}."
        )
    return model


def _check_labels(job: Job, model: Predictor, items: Sequence[Item]) -> None:
    """Raises DataError where gold has labels that the model has never heard of."""
    task = get_task(job.task)
    known = {label.name for label in task.labels(task.parse_schema(model.card["schema"]))}
    known |= set(model.card["labels"]) | {label[2:] for label in model.card["labels"]}
    used = {
        name for item in items for name in task.label_names(task.parse_payload(item.annotation))
    }
    if unknown := sorted(used - known):
        raise DataError(
            f"The model does not know these labels of the data: {', '.join(unknown[:10])}. Evaluate it on "
            "data with the labels that it was trained on."
        )


def _write(path: Path, parts: dict[str, list[Item]], evaluation: Evaluation) -> None:
    """The predictions of each split, which stand one after the other in the evaluation."""
    start = 0
    with path.open("w", encoding="utf-8") as sink:
        for split, part in parts.items():
            end = start + len(part)
            write_predictions(sink, split, part, evaluation.predictions[start:end])
            start = end
