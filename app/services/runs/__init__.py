"""Runs: starting them, what they report, what they leave, what people say of them."""

from app.services.runs.curves import MAX_CURVE_POINTS, curves, log_chunks, log_tail, points
from app.services.runs.describing import MAX_NOTE, MAX_TAG, describe, tags_of_project
from app.services.runs.figures import figures_csv, figures_json
from app.services.runs.keys import model_key, predictions_key
from app.services.runs.leaderboard import (
    LEADERBOARD_COLUMNS,
    MOST,
    Leaderboard,
    Sort,
    leaderboard,
    leaderboard_rows,
    versions_with_runs,
)
from app.services.runs.news import GONE, News, joined, look, of_lists, of_runs
from app.services.runs.predicting import MAX_PREDICT_CHARACTERS, MAX_PREDICT_TEXTS, predict
from app.services.runs.reading import (
    RunFilter,
    RunPage,
    RunView,
    cancel,
    get,
    label_schema,
    list_runs,
    page_of_runs,
    queued_before,
    remove,
    require_model,
    resume,
    version_of,
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
    "GONE",
    "LEADERBOARD_COLUMNS",
    "MAX_CURVE_POINTS",
    "MAX_NOTE",
    "MAX_PREDICT_CHARACTERS",
    "MAX_PREDICT_TEXTS",
    "MAX_TAG",
    "MOST",
    "Leaderboard",
    "News",
    "RunFilter",
    "RunPage",
    "RunSpec",
    "RunView",
    "Sort",
    "base_folders",
    "base_runs",
    "cancel",
    "complete",
    "create",
    "curves",
    "describe",
    "figures_csv",
    "figures_json",
    "get",
    "joined",
    "label_schema",
    "leaderboard",
    "leaderboard_rows",
    "list_runs",
    "log_chunks",
    "log_tail",
    "look",
    "model_key",
    "of_lists",
    "of_runs",
    "page_of_runs",
    "params_from",
    "points",
    "predict",
    "predictions_key",
    "prepare",
    "queued_before",
    "record",
    "remove",
    "require_model",
    "resume",
    "suggested_params",
    "tags_of_project",
    "version_of",
    "versions_with_runs",
]
