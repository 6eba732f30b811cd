"""What runs are told: one model of parameters for each kind, shared by pages, API, database and engine."""

from app.training.base import Base, TrainingParams
from app.training.crossvalidate import CrossValidateParams
from app.training.finetune import FineTuneParams, Head, Tuning
from app.training.kinds import RUN_KINDS, RunKind
from app.training.pretrain import LEAST_TEXTS, PretrainParams

__all__ = [
    "LEAST_TEXTS",
    "RUN_KINDS",
    "Base",
    "CrossValidateParams",
    "FineTuneParams",
    "Head",
    "PretrainParams",
    "RunKind",
    "TrainingParams",
    "Tuning",
]
