"""What the engine does for each kind of run."""

from collections.abc import Callable
from typing import Any, Protocol

from worker.engine.crossvalidate import cross_validate
from worker.engine.evaluate import evaluate
from worker.engine.finetune import fine_tune
from worker.engine.job import Folder, Job
from worker.engine.pretrain import pretrain
from worker.engine.push import push


class Doing(Protocol):
    """Does the folder's job and writes its result.json; the content of that. `stop` is asked now and then:
    once it says yes, what the run needs to go on is written, and Stopped is raised."""

    def __call__(self, folder: Folder, *, stop: Callable[[], bool]) -> dict[str, Any]: ...


DOINGS: dict[str, Doing] = {
    "finetune": fine_tune,
    "crossvalidate": cross_validate,
    "pretrain": pretrain,
    "evaluate": evaluate,
    "push": push,
}


def carry_out(folder: Folder, *, stop: Callable[[], bool]) -> dict[str, Any]:
    """Do the folder's job, whatever kind of run it is."""
    return DOINGS[Job.read(folder.job).kind](folder, stop=stop)
