"""What runs are told: one model of parameters for each kind, shared by pages, API, database and engine."""

from app.training.base import HUB_ID, Base, ModelParams, TrainingParams
from app.training.crossvalidate import CrossValidateParams
from app.training.evaluate import EvaluatedSplit, EvaluateParams
from app.training.finetune import FineTuneParams, Head, Tuning
from app.training.kinds import RUN_KINDS, RunKind
from app.training.pretrain import LEAST_TEXTS, PretrainParams
from app.training.push import PushParams

__all__ = [
    "HUB_ID",
    "LEAST_TEXTS",
    "RUN_KINDS",
    "Base",
    "CrossValidateParams",
    "EvaluateParams",
    "EvaluatedSplit",
    "FineTuneParams",
    "Head",
    "ModelParams",
    "PretrainParams",
    "PushParams",
    "RunKind",
    "TrainingParams",
    "Tuning",
]
