"""Scoring a file of predictions against a labelled file, as GLUE does it."""

from dataclasses import dataclass
from typing import IO

from app.errors import InvalidInput
from app.evaluation import glue
from app.formats.glue import TASKS, read_gold, read_predictions
from app.i18n import gettext as _


@dataclass(frozen=True, slots=True)
class GlueScores:
    """What came out."""

    examples: int
    scores: dict[str, float]

    @property
    def mean(self) -> float:
        """What counts on the leaderboard."""
        return sum(self.scores.values()) / len(self.scores)


def score_files(task: str, gold: IO[bytes], predictions: IO[bytes]) -> GlueScores:
    """The scores of predictions against gold. Raises InvalidInput: an unknown task, a wrong row, or rows that
    only one side has."""
    if task not in TASKS:
        raise InvalidInput.at(
            "task", _("GLUE has no task “%(name)s”: %(known)s.", name=task, known=", ".join(TASKS))
        )
    said = read_predictions(predictions, TASKS[task])
    truth: dict[int, str] = {}
    for row in read_gold(gold, TASKS[task]):
        if row.index in truth:
            raise InvalidInput.at(
                f"row {row.row}", _("The index %(n)s is in the labelled file twice.", n=row.index)
            )
        if row.index not in said:
            raise InvalidInput.at(
                f"row {row.row}",
                _("There is no prediction for the index %(n)s.", n=row.index),
            )
        truth[row.index] = row.label
    extra = said.keys() - truth.keys()
    if extra:
        raise InvalidInput.at(
            "predictions",
            _(
                "There are predictions for %(n)s indices that the labelled file has not, such as %(index)s.",
                n=len(extra),
                index=min(extra),
            ),
        )
    if not truth:
        raise InvalidInput.at("file", _("The file holds no rows."))
    order = list(truth)
    found = glue.scores(task, [truth[i] for i in order], [said[i] for i in order])
    return GlueScores(len(truth), found)
