"""What a fine-tuning is told: one model shared by the form, the API, the stored run and the engine."""

import math
from typing import Annotated, Literal

from pydantic import Field

from app.i18n import mark
from app.training.base import Base, TrainingParams

Head = Literal["softmax", "crf"]
Tuning = Literal["full", "lora", "head"]

# For small training splits; measured with the packaged model on the demo's projects.
_LEAST_BATCH, _LEAST_STEPS_AN_EPOCH = 4, 16
_LEAST_STEPS, _MOST_EPOCHS = 250, 30


class FineTuneParams(TrainingParams):
    """Parameters of a fine-tuning run."""

    head: Annotated[
        Head, Field(title=mark("Head"), description=mark("Softmax, or a CRF over tag sequences."))
    ] = "softmax"
    tuning: Annotated[
        Tuning,
        Field(
            title=mark("Weights"),
            description=mark(
                "Which weights are trained: all; small matrices beside them (LoRA), for large models; or "
                "the head alone. The latter two like a learning rate of about 0.001."
            ),
        ),
    ] = "full"
    lora_rank: Annotated[
        int,
        Field(
            title=mark("Rank of LoRA"), ge=1, le=256, description=mark("Rank of LoRA's matrices.")
        ),
    ] = 16
    early_stopping: Annotated[
        int | None,
        Field(
            title=mark("Early stopping"),
            ge=1,
            le=1000,
            description=mark(
                "Stop after so many epochs without a better validation score; empty means never."
            ),
        ),
    ] = None
    head_learning_rate: Annotated[
        float | None,
        Field(
            title=mark("Learning rate of the CRF"),
            gt=0,
            le=1,
            description=mark("Learning rate of a CRF's transitions; empty means 0.01."),
        ),
    ] = None
    max_train_examples: Annotated[
        int | None,
        Field(
            title=mark("Training examples at most"),
            ge=1,
            description=mark("Train on a seeded sample of this many; empty means all."),
        ),
    ] = None

    def for_base(self, base: Base) -> "FineTuneParams":
        """The same for another base model: one from scratch needs larger steps, and more of them."""
        if base != "scratch":
            return self.model_copy(update={"base": base})
        return self.model_copy(
            update={"base": base, "learning_rate": 1e-3, "epochs": max(10, self.epochs)}
        )

    def fitted_to(self, examples: int) -> "FineTuneParams":
        """The same for a training split of this size.

        A small split gets smaller batches and more epochs, so that the model takes enough steps to
        learn anything at all.
        """
        batch = self.batch_size
        while batch > _LEAST_BATCH and examples / batch < _LEAST_STEPS_AN_EPOCH:
            batch //= 2
        steps_an_epoch = max(1, math.ceil(examples / batch))
        epochs = max(self.epochs, min(_MOST_EPOCHS, math.ceil(_LEAST_STEPS / steps_an_epoch)))
        return self.model_copy(update={"batch_size": batch, "epochs": epochs})
