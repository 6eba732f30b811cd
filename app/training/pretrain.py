"""What a pre-training is told: a model learns a language from texts alone, by guessing masked words."""

import math
from typing import Annotated, Self

from pydantic import Field

from app.i18n import mark
from app.training.base import Base, TrainingParams

LEAST_TEXTS = 20
"""With fewer there is nothing to learn from, and nothing to measure on."""

# A model from scratch begins with nothing, so it needs several times the steps of one that knows a language.
_STEPS_FROM_SCRATCH, _STEPS_FROM_A_MODEL = 4000, 1000
_LEAST_BATCH, _LEAST_STEPS_AN_EPOCH, _MOST_EPOCHS = 8, 16, 40


class PretrainParams(TrainingParams):
    """Parameters of a pre-training by masked words (MLM)."""

    mask_probability: Annotated[
        float,
        Field(
            title=mark("Share of masked words"),
            ge=0.01,
            le=0.6,
            description=mark("Share of the words that are masked, anew in each epoch."),
        ),
    ] = 0.15
    validation_percent: Annotated[
        int,
        Field(
            title=mark("Validation, per cent"),
            ge=1,
            le=50,
            description=mark(
                "Per cent of the texts that perplexity is measured on, by their hash."
            ),
        ),
    ] = 5

    def for_base(self, base: Base) -> Self:
        """The same for another base model: one from scratch needs larger steps, and more of them."""
        rate = {"learning_rate": 1e-3} if base == "scratch" else {}
        return self.model_copy(update={"base": base, **rate})

    def fitted_to(self, texts: int) -> Self:
        """The same for so many texts: few of them get smaller batches, more epochs, and a larger part to
        measure on."""
        batch = self.batch_size
        while batch > _LEAST_BATCH and texts / batch < _LEAST_STEPS_AN_EPOCH:
            batch //= 2
        steps_an_epoch = max(1, math.ceil(texts / batch))
        steps = _STEPS_FROM_SCRATCH if self.base == "scratch" else _STEPS_FROM_A_MODEL
        wanted = math.ceil(steps / steps_an_epoch)
        percent = 5 if texts >= 1000 else 10 if texts >= 200 else 20
        return self.model_copy(
            update={
                "batch_size": batch,
                "epochs": max(self.epochs, min(_MOST_EPOCHS, wanted)),
                "validation_percent": max(self.validation_percent, percent),
            }
        )
