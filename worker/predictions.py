"""Predicting a few texts now, with models kept in memory between calls."""

from collections import OrderedDict
from typing import Any

import structlog

from app.errors import AnnotuneError
from app.services.runs import model_key
from app.settings import get_settings
from app.storage import get_storage

MODELS_IN_MEMORY = 2
"""Per process of the worker; a base-size model takes about half a gigabyte."""

log = structlog.get_logger()
_predictors: OrderedDict[str, Any] = OrderedDict()


def predict(run_id: str, texts: list[str]) -> dict[str, Any]:
    """{"predictions": [one per text]}, or {"error": a sentence}: an answer either way.

    Exceptions would be pickled on their way through the broker, and lose their words there.
    """
    try:
        return {"predictions": _predictor(run_id).predict(texts)}
    except AnnotuneError as error:
        return {"error": error.message}
    except Exception:
        log.exception("prediction_failed", run=run_id)
        return {"error": "The model could not be used. The log of the worker has the details."}


def _predictor(run_id: str) -> Any:
    """The run's predictor; the one that was used longest ago makes room for a new one."""
    if run_id not in _predictors:
        # Imported here: torch takes seconds and much memory, which only predictions should cost.
        from worker.engine.predict import Predictor

        storage, key = get_storage(), model_key(run_id)
        storage.verify_folder(key, size=None)  # a damaged model may answer, too, but wrongly
        folder = storage.fetch_folder(key, get_settings().work_dir / "models" / run_id)
        while len(_predictors) >= MODELS_IN_MEMORY:
            _predictors.popitem(last=False)
        _predictors[run_id] = Predictor(folder)
    _predictors.move_to_end(run_id)
    return _predictors[run_id]
