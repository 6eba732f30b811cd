"""The kinds of runs: what each is told, and what it leaves."""

from dataclasses import dataclass
from typing import Literal

from app.i18n import mark
from app.training.base import ModelParams
from app.training.evaluate import EvaluateParams
from app.training.finetune import FineTuneParams
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
