"""Cross-validation: every example is predicted once, by a model that has not seen it.

It is over the training and the validation split together; the test split stays untouched. Each fold is a
fine-tuning of its own. What it left is kept in the working folder, so that a run which was stopped goes on
in the fold that it was in.
"""

import json
import shutil
from collections.abc import Callable, Sequence
from statistics import fmean, stdev
from typing import Any, cast

from app.tasks.content import content_hash
from app.training import CrossValidateParams
from worker.engine.checkpoint import Checkpoints
from worker.engine.examine import examine, write_predictions
from worker.engine.files import write_json
from worker.engine.finetune import surroundings, train
from worker.engine.folds import assign_folds
from worker.engine.job import Folder, Item, Job, read_items
from worker.engine.label_issues import find_label_issues, write_label_issues
from worker.engine.loop import Surroundings
from worker.engine.pooling import pooled_report
from worker.engine.prepare import sample
from worker.recipes.base import Evaluation, Prediction

OUT_OF_FOLD = "out_of_fold"
_INNER_FOLDS = 10
"""With early stopping, one in so many of a fold's training examples says when to stop."""


def cross_validate(folder: Folder, *, stop: Callable[[], bool] = lambda: False) -> dict[str, Any]:
    """Do the folder's job, from the fold it was in; the content of result.json.

    `stop` is asked as in `fine_tune`. Raises Stopped, EngineError, or what torch raises.
    """
    job = Job.read(folder.job)
    params = cast("CrossValidateParams", job.params)
    with surroundings(folder, job, stop) as around:
        around.progress.status("loading", "Reading the version's data")
        splits = read_items(job.data)
        items = splits["train"] + splits["validation"]
        numbers = assign_folds(items, params.folds, seed=params.seed)
        parts = [Folder(folder.root / "folds" / f"{n + 1:02d}") for n in range(params.folds)]
        begins = next((n for n, part in enumerate(parts) if not part.result.exists()), None)
        folds: list[dict[str, Any]] = []
        predictions: list[Prediction | None] = [None] * len(items)
        for fold, part in enumerate(parts):
            held = [n for n, number in enumerate(numbers) if number == fold]
            done = _fold(
                job,
                params,
                around,
                part,
                number=fold,
                learned=[item for item, n in zip(items, numbers, strict=True) if n != fold],
                held=[items[n] for n in held],
                first_step=sum(row["steps"] for row in folds),
                goes_on=around.progress.had_earlier_attempt and fold == begins,
            )
            for n, said in zip(held, done.pop("predictions"), strict=True):
                predictions[n] = Prediction(**said)
            folds.append(done)
        if not around.team.leads:
            return {}
        around.progress.status("evaluating", "Putting the folds together")
        all_said = [prediction for prediction in predictions if prediction is not None]
        report = pooled_report(job.task, job.schema, items, all_said)
        evaluation = Evaluation(report, None, all_said)
        pooled = examine(job.task, items, evaluation, seed=params.seed)
        with folder.predictions.open("w", encoding="utf-8") as sink:
            write_predictions(sink, OUT_OF_FOLD, items, all_said)
        around.progress.status("evaluating", "Looking for label errors")
        suspects = find_label_issues(job.task, job.schema, items, all_said)
        listed = write_label_issues(folder.label_issues, suspects)
    names = [name for name in folds[0]["scores"] if all(name in row["scores"] for row in folds)]
    result = {
        "primary": folds[0]["primary"],
        "metrics": {OUT_OF_FOLD: pooled},
        "folds": [{k: v for k, v in row.items() if k != "primary"} for row in folds],
        "mean": {name: round(fmean(_column(folds, name)), 6) for name in names},
        "deviation": {name: round(stdev(_column(folds, name)), 6) for name in names},
        "label_issues": {"found": len(suspects), "listed": listed},
        "counts": {OUT_OF_FOLD: len(items), "test": len(splits["test"])},
        "seconds": round(sum(row["seconds"] for row in folds), 3),
    }
    write_json(folder.result, result)
    return result


def _fold(
    job: Job,
    params: CrossValidateParams,
    around: Surroundings,
    part: Folder,
    *,
    number: int,
    learned: list[Item],
    held: list[Item],
    first_step: int,
    goes_on: bool,
) -> dict[str, Any]:
    """Train on all folds but one and evaluate on that one; what is kept of it.

    The epoch is chosen without the fold that is held out: it is the last one, or, with early stopping, the
    one that is best on a part of the others. `goes_on`: an earlier attempt has been in this fold.
    """
    progress = around.progress
    progress.write("fold", number=number + 1, folds=params.folds)
    if not part.result.exists():
        part.root.mkdir(parents=True, exist_ok=True)
        inner: list[Item] = []
        if params.early_stopping is not None:
            learned, inner = _inner_validation(learned, params)
        splits = sample({"train": learned, "validation": inner, "test": []}, params)
        splits[OUT_OF_FOLD] = held
        progress.status(
            "loading",
            f"Fold {number + 1} of {params.folds}: {len(splits['train']):,} examples to learn from, "
            f"{len(held):,} held out",
        )
        if goes_on and first_step and Checkpoints(part.checkpoints).newest() is None:
            progress.write("resumed", step=first_step)
        trained = train(
            job,
            params,
            splits,
            around,
            checkpoints=part.checkpoints,
            scratch=part.scratch,
            first_step=first_step,
            later=params.folds - number - 1,
        )

        def conclude() -> None:
            evaluation = trained.evaluate(OUT_OF_FOLD, progress)
            report = evaluation.report.as_json()
            write_json(
                part.result,
                {
                    "train": len(splits["train"]),
                    "examples": len(held),
                    "primary": trained.recipe.primary,
                    "scores": report["scores"],
                    "steps": trained.position.step,
                    "seconds": round(trained.position.seconds, 3),
                    "predictions": [said.as_json() for said in evaluation.predictions],
                },
            )

        around.team.told(conclude)
    for leftover in (part.checkpoints, part.scratch):
        shutil.rmtree(leftover, ignore_errors=True)
    # Read back also where it was just written: a resumed run reads it, too.
    found: dict[str, Any] = json.loads(part.result.read_text(encoding="utf-8"))
    return found


def _inner_validation(
    items: list[Item], params: CrossValidateParams
) -> tuple[list[Item], list[Item]]:
    """The items to learn from, and a tenth that says when to stop (half, where there are very few)."""
    texts = len({content_hash(item.text) for item in items})
    numbers = assign_folds(items, max(2, min(_INNER_FOLDS, texts // 2)), seed=params.seed)
    return (
        [item for item, n in zip(items, numbers, strict=True) if n],
        [item for item, n in zip(items, numbers, strict=True) if not n],
    )


def _column(folds: Sequence[dict[str, Any]], name: str) -> list[float]:
    return [row["scores"][name] for row in folds]
