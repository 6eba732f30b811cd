"""What a cross-validation is told."""

from typing import Annotated

from pydantic import Field

from app.i18n import mark
from app.training.finetune import FineTuneParams


class CrossValidateParams(FineTuneParams):
    """Parameters of a cross-validation: those of the fine-tuning that each fold is, and how many there are."""

    folds: Annotated[
        int,
        Field(
            title=mark("Folds"),
            ge=2,
            le=20,
            description=mark(
                "Parts that the examples are cut into; each is predicted by a model trained on the others."
            ),
        ),
    ] = 5
