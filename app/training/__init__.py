"""What runs are told: one model of parameters for each kind, shared by pages, API, database and engine."""

from app.training.base import Base, ModelParams, TrainingParams
from app.training.evaluate import EvaluatedSplit, EvaluateParams
from app.training.finetune import FineTuneParams, Head, Tuning
from app.training.kinds import RUN_KINDS, RunKind
from app.training.push import PushParams

__all__ = [
    "RUN_KINDS",
    "Base",
    "EvaluateParams",
    "EvaluatedSplit",
    "FineTuneParams",
    "Head",
    "ModelParams",
    "PushParams",
    "RunKind",
    "TrainingParams",
    "Tuning",
]
