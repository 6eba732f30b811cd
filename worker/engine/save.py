"""The model's folder: what `from_pretrained` loads, with a card of what Annotune needs to predict with it."""

import json
from collections.abc import Sequence
from pathlib import Path

from safetensors.torch import save_file

from worker.engine.errors import EngineError
from worker.engine.files import new_folder
from worker.engine.job import Item, Job
from worker.engine.predict import CARD, CRF_WEIGHTS, Predictor
from worker.engine.scoring import Runner
from worker.recipes.base import Encoder, Recipe


def save_model_folder(
    path: Path,
    *,
    job: Job,
    recipe: Recipe,
    encoder: Encoder,
    run: Runner,
    items: Sequence[Item],
) -> None:
    """Write the folder, load it again and compare its predictions for `items`: only then it gets its name.

    Raises EngineError when what was loaded is not what was trained.
    """
    with new_folder(path) as folder:
        run.model.network.save_pretrained(folder)
        encoder.tokenizer.save_pretrained(folder)
        if run.model.crf is not None:
            tensors = {
                name: tensor.detach().cpu().contiguous()
                for name, tensor in run.model.crf.state_dict().items()
            }
            save_file(tensors, str(folder / CRF_WEIGHTS))
        card = {
            "format": 1,
            "task": job.task,
            "language": job.language,
            "recipe": recipe.name,
            "head": "softmax" if run.model.crf is None else "crf",
            "max_length": encoder.max_length,
            "labels": recipe.labels,
            "schema": recipe.schema,
            "state": recipe.state(),
        }
        (folder / CARD).write_text(json.dumps(card, ensure_ascii=False, indent=1), encoding="utf-8")

        trained = recipe.predict(items, encoder, run)
        loaded = Predictor(folder, precision=run.device.precision).predict_items(items)
        if [p.annotation for p in trained] != [p.annotation for p in loaded]:
            raise EngineError(
                "The saved model does not predict what the trained one does, so it was not kept. "
                "This is a defect of Annotune or of the base model's tokenizer; the log has the details."
            )
