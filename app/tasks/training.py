"""What a fine-tuning run is told: one model shared by the form, the API, the stored run and the engine."""

import math
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from app.i18n import mark

Base = Literal["packaged", "scratch", "hub", "folder", "run"]
Head = Literal["softmax", "crf"]
Tuning = Literal["full", "lora", "head"]

# For small training splits; measured with the packaged model on the demo's projects.
_LEAST_BATCH, _LEAST_STEPS_AN_EPOCH = 4, 16
_LEAST_STEPS, _MOST_EPOCHS = 250, 30


class FineTuneParams(BaseModel):
    """Parameters of a fine-tuning run. Two runs with equal parameters, version and hardware give equal numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base: Annotated[Base, Field(description=mark("Where the starting weights come from."))] = (
        "packaged"
    )
    base_ref: Annotated[
        str | None,
        Field(
            max_length=200,
            description=mark("Hub id, folder name or run id, when the base needs one."),
        ),
    ] = None
    head: Annotated[Head, Field(description=mark("Softmax, or a CRF over tag sequences."))] = (
        "softmax"
    )
    tuning: Annotated[
        Tuning,
        Field(
            description=mark(
                "Which weights are trained: all; small matrices beside them (LoRA), for large models; or "
                "the head alone. The latter two like a learning rate of about 0.001."
            )
        ),
    ] = "full"
    lora_rank: Annotated[int, Field(ge=1, le=256, description=mark("Rank of LoRA's matrices."))] = (
        16
    )
    epochs: Annotated[
        int, Field(ge=1, le=1000, description=mark("Passes over the training split."))
    ] = 3
    batch_size: Annotated[
        int, Field(ge=1, le=1024, description=mark("Examples per optimiser step."))
    ] = 32
    gradient_accumulation: Annotated[
        int,
        Field(
            ge=1, le=256, description=mark("Micro-batches a step is split into, to save memory.")
        ),
    ] = 1
    gradient_checkpointing: Annotated[
        bool,
        Field(
            description=mark("Compute the layers twice, to train longer texts in the same memory.")
        ),
    ] = False
    early_stopping: Annotated[
        int | None,
        Field(
            ge=1,
            le=1000,
            description=mark(
                "Stop after so many epochs without a better validation score; empty means never."
            ),
        ),
    ] = None
    learning_rate: Annotated[
        float, Field(gt=0, le=1, description=mark("Peak learning rate of the encoder (AdamW)."))
    ] = 1e-4
    head_learning_rate: Annotated[
        float | None,
        Field(
            gt=0, le=1, description=mark("Learning rate of a CRF's transitions; empty means 0.01.")
        ),
    ] = None
    weight_decay: Annotated[
        float, Field(ge=0, le=1, description=mark("Decoupled weight decay."))
    ] = 0.01
    warmup_ratio: Annotated[
        float,
        Field(ge=0, le=1, description=mark("Share of the steps over which the rate rises from 0.")),
    ] = 0.1
    max_length: Annotated[
        int,
        Field(
            ge=16,
            le=8192,
            description=mark("Sub-word pieces per window; longer texts go in several windows."),
        ),
    ] = 256
    precision: Annotated[
        Literal["auto", "fp32", "bf16"],
        Field(description=mark("Auto takes bf16 where the device has it.")),
    ] = "auto"
    seed: Annotated[int, Field(ge=0, le=2**31 - 1, description=mark("Makes a run repeatable."))] = (
        42
    )
    max_train_examples: Annotated[
        int | None,
        Field(ge=1, description=mark("Train on a seeded sample of this many; empty means all.")),
    ] = None
    scratch_layers: Annotated[
        int, Field(ge=1, le=48, description=mark("Layers of a model from scratch."))
    ] = 4
    scratch_hidden: Annotated[
        int,
        Field(
            ge=32, le=2048, multiple_of=32, description=mark("Hidden size of a model from scratch.")
        ),
    ] = 256
    scratch_vocab: Annotated[
        int,
        Field(
            ge=200, le=250_000, description=mark("WordPiece vocabulary of a model from scratch.")
        ),
    ] = 8000
    checkpoint_seconds: Annotated[
        float,
        Field(gt=0, le=86_400, description=mark("A checkpoint at least this often, in seconds.")),
    ] = 60.0

    @model_validator(mode="after")
    def _base_has_its_reference(self) -> "FineTuneParams":
        if self.base in ("hub", "folder", "run") and not (self.base_ref or "").strip():
            raise ValueError(
                "this base model needs a reference: a hub id, a folder name or a run id"
            )
        if self.batch_size % self.gradient_accumulation:
            raise ValueError("the batch size must be a multiple of the gradient accumulation")
        return self

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
