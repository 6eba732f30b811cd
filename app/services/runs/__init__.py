"""Runs: starting them, what they report, what they leave."""

from app.services.runs.curves import MAX_CURVE_POINTS, log_chunks, log_tail, points
from app.services.runs.evaluating import (
    evaluable,
    evaluate_file,
    evaluate_version,
    model_labels,
    suggested_labels,
)
from app.services.runs.keys import model_key, predictions_key
from app.services.runs.predicting import MAX_PREDICT_CHARACTERS, MAX_PREDICT_TEXTS, predict
from app.services.runs.pretraining import (
    create_pretraining,
    pretraining_params,
    suggested_pretraining,
)
from app.services.runs.pushing import push
from app.services.runs.reading import (
    RunView,
    cancel,
    get,
    label_schema,
    list_runs,
    queued_before,
    remove,
    require_labels,
    require_model,
    require_scored,
)
from app.services.runs.reporting import RunSpec, complete, prepare, record
from app.services.runs.starting import (
    base_folders,
    base_runs,
    create,
    cross_validate,
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
    "create_pretraining",
    "cross_validate",
    "evaluable",
    "evaluate_file",
    "evaluate_version",
    "get",
    "label_schema",
    "list_runs",
    "log_chunks",
    "log_tail",
    "model_key",
    "model_labels",
    "params_from",
    "points",
    "predict",
    "predictions_key",
    "prepare",
    "pretraining_params",
    "push",
    "queued_before",
    "record",
    "remove",
    "require_labels",
    "require_model",
    "require_scored",
    "suggested_labels",
    "suggested_params",
    "suggested_pretraining",
]
