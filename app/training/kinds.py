"""The kinds of runs: what each is told, and what it leaves."""

from dataclasses import dataclass
from typing import Literal

from app.i18n import mark
from app.training.base import ModelParams
from app.training.crossvalidate import CrossValidateParams
from app.training.evaluate import EvaluateParams
from app.training.finetune import FineTuneParams
from app.training.pretrain import PretrainParams
from app.training.push import PushParams


@dataclass(frozen=True, slots=True)
class RunKind:
    """A kind of run. Its name is also its job's kind, and names its function in the worker's engine and
    its part of the run page (`templates/partials/run/<name>.html`)."""

    name: str
    title: str
    """What it is called on pages, to be translated."""
    params: type[ModelParams]
    leaves_model: bool
    """Whether it succeeds only with a model."""
    model_labels: bool = True
    """Whether its model says labels of texts, so that it can be tried, scored and compared."""
    queue: Literal["cpu", "gpu"] = "gpu"
    """Which workers do it."""
    reads_data: bool = True
    """Whether it is over examples."""
    online: bool = False
    """Whether it reaches for the hub whatever its base model is."""


RUN_KINDS: dict[str, RunKind] = {
    kind.name: kind
    for kind in (
        RunKind("finetune", mark("fine-tuning"), FineTuneParams, leaves_model=True),
        RunKind(
            "pretrain",
            mark("pre-training"),
            PretrainParams,
            leaves_model=True,
            model_labels=False,
        ),
        RunKind("crossvalidate", mark("cross-validation"), CrossValidateParams, leaves_model=False),
        RunKind("evaluate", mark("evaluation"), EvaluateParams, leaves_model=False),
        RunKind(
            "push",
            mark("push to a hub"),
            PushParams,
            leaves_model=False,
            queue="cpu",
            reads_data=False,
            online=True,
        ),
    )
}
