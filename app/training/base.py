"""What any training is told, whatever it learns."""

import re
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from app.i18n import mark

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?", re.ASCII)
"""How a model on the hub is named; no path of a machine looks so, but for one relative name."""
Base = Literal["packaged", "scratch", "hub", "folder", "run"]


class ModelParams(BaseModel):
    """Parameters of whatever is done with a model: which one, in which precision, from which seed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base: Annotated[
        Base,
        Field(title=mark("Base model"), description=mark("Where the starting weights come from.")),
    ] = "packaged"
    base_ref: Annotated[
        str | None,
        Field(
            title=mark("Which base model"),
            max_length=200,
            description=mark("Hub id, folder name or run id, when the base needs one."),
        ),
    ] = None
    precision: Annotated[
        Literal["auto", "fp32", "bf16", "fp16"],
        Field(
            title=mark("Numeric precision"),
            description=mark("Auto takes bf16, or fp16 on an older GPU, where that is fast."),
        ),
    ] = "auto"
    seed: Annotated[
        int,
        Field(title=mark("Seed"), ge=0, le=2**31 - 1, description=mark("Makes a run repeatable.")),
    ] = 42

    @model_validator(mode="after")
    def _base_has_its_reference(self) -> Self:
        if self.base in ("hub", "folder", "run") and not (self.base_ref or "").strip():
            raise ValueError(
                "this base model needs a reference: a hub id, a folder name or a run id"
            )
        return self


class TrainingParams(ModelParams):
    """Parameters that every kind of training has. Two runs with equal parameters, data and hardware give
    equal numbers."""

    epochs: Annotated[
        int,
        Field(
            title=mark("Epochs"), ge=1, le=1000, description=mark("Passes over the training split.")
        ),
    ] = 3
    batch_size: Annotated[
        int,
        Field(
            title=mark("Batch size"),
            ge=1,
            le=1024,
            description=mark("Examples per optimiser step."),
        ),
    ] = 32
    gradient_accumulation: Annotated[
        int,
        Field(
            title=mark("Gradient accumulation"),
            ge=1,
            le=256,
            description=mark("Micro-batches a step is split into, to save memory."),
        ),
    ] = 1
    gradient_checkpointing: Annotated[
        bool,
        Field(
            title=mark("Gradient checkpointing"),
            description=mark("Compute the layers twice, to train longer texts in the same memory."),
        ),
    ] = False
    learning_rate: Annotated[
        float,
        Field(
            title=mark("Learning rate"),
            gt=0,
            le=1,
            description=mark("Peak learning rate of the encoder (AdamW)."),
        ),
    ] = 1e-4
    weight_decay: Annotated[
        float,
        Field(title=mark("Weight decay"), ge=0, le=1, description=mark("Decoupled weight decay.")),
    ] = 0.01
    warmup_ratio: Annotated[
        float,
        Field(
            title=mark("Warm-up"),
            ge=0,
            le=1,
            description=mark("Share of the steps over which the rate rises from 0."),
        ),
    ] = 0.1
    max_length: Annotated[
        int,
        Field(
            title=mark("Window length"),
            ge=16,
            le=8192,
            description=mark("Sub-word pieces per window; longer texts go in several windows."),
        ),
    ] = 256
    scratch_layers: Annotated[
        int,
        Field(
            title=mark("From scratch: layers"),
            ge=1,
            le=48,
            description=mark("Layers of a model from scratch."),
        ),
    ] = 4
    scratch_hidden: Annotated[
        int,
        Field(
            title=mark("From scratch: hidden size"),
            ge=32,
            le=2048,
            multiple_of=32,
            description=mark("Hidden size of a model from scratch."),
        ),
    ] = 256
    scratch_vocab: Annotated[
        int,
        Field(
            title=mark("From scratch: vocabulary"),
            ge=200,
            le=250_000,
            description=mark("WordPiece vocabulary of a model from scratch."),
        ),
    ] = 8000
    checkpoint_seconds: Annotated[
        float,
        Field(
            title=mark("Seconds between checkpoints"),
            gt=0,
            le=86_400,
            description=mark("A checkpoint at least this often, in seconds."),
        ),
    ] = 60.0

    @model_validator(mode="after")
    def _batches_divide(self) -> Self:
        if self.batch_size % self.gradient_accumulation:
            raise ValueError("the batch size must be a multiple of the gradient accumulation")
        return self
