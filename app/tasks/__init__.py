"""The task types: what can be labelled. Everything that differs between tasks is asked of them."""

from typing import Any

from app.errors import InvalidInput
from app.i18n import gettext as _
from app.tasks.base import TaskType
from app.tasks.ner import Ner
from app.tasks.sentiment import Sentiment
from app.tasks.srl import Srl

TASKS: dict[str, TaskType[Any, Any]] = {task.name: task for task in (Sentiment(), Ner(), Srl())}
"""Every task type by name, in the order the pages show them."""


def get_task(name: str) -> TaskType[Any, Any]:
    """The task type of that name. Raises InvalidInput naming the choices."""
    try:
        return TASKS[name]
    except KeyError:
        raise InvalidInput.at(
            "task",
            _(
                "There is no task “%(name)s”. Choose one of: %(names)s.",
                name=name,
                names=", ".join(TASKS),
            ),
        ) from None


__all__ = ["TASKS", "TaskType", "get_task"]
