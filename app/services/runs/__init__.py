"""Runs: starting them, what they report, what they leave."""

from app.services.runs.curves import MAX_CURVE_POINTS, curves, log_chunks, log_tail, points
from app.services.runs.keys import model_key, predictions_key
from app.services.runs.predicting import MAX_PREDICT_CHARACTERS, MAX_PREDICT_TEXTS, predict
from app.services.runs.reading import (
    RunView,
    cancel,
    get,
    get_many,
    label_schema,
    list_runs,
    queued_before,
    remove,
    require_model,
)
from app.services.runs.reporting import RunSpec, complete, prepare, record
from app.services.runs.starting import (
    base_folders,
    base_runs,
    create,
    params_from,
    suggested_params,
)

__all__ = [
    "MAX_CURVE_POINTS",
    "MAX_PREDICT_CHARACTERS",
    "MAX_PREDICT_TEXTS",
    "RunSpec",
    "RunView",
    "base_folders",
    "base_runs",
    "cancel",
    "complete",
    "create",
    "curves",
    "get",
    "get_many",
    "label_schema",
    "list_runs",
    "log_chunks",
    "log_tail",
    "model_key",
    "params_from",
    "points",
    "predict",
    "predictions_key",
    "prepare",
    "queued_before",
    "record",
    "remove",
    "require_model",
    "suggested_params",
]
