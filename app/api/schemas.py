"""What several operations answer with, and what they are asked with."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Path
from pydantic import BaseModel, ConfigDict, Field

from app.services.jobs import Device
from app.strict import StrictModel

ProjectId = Annotated[str, Path(description="The project's id.", max_length=20)]
# 2**53 - 1: the largest integer that JSON's readers all take exactly.
ExampleId = Annotated[int, Path(description="The example's id.", ge=1, le=2**53 - 1)]
RunId = Annotated[str, Path(description="The run's id.", max_length=20)]
ImportId = Annotated[str, Path(description="The import's id.", max_length=20)]
UserId = Annotated[str, Path(description="The id of somebody's account.", max_length=20)]
TokenId = Annotated[str, Path(description="The token's id.", max_length=20)]
Number = Annotated[int, Path(description="The version's number: 1, 2, …", ge=1, le=2**31 - 1)]
Split = Literal["train", "validation", "test"]
Role = Literal["annotator", "reviewer", "manager"]


class Answer(BaseModel):
    """Base of what is answered: read from the services' objects by attribute."""

    model_config = ConfigDict(from_attributes=True)


class Question(StrictModel):
    """Base of what is asked: a misspelt field is an error, not silence."""


class JobOut(Answer):
    """Long work: an import, a freeze, a training."""

    id: str
    kind: Literal[
        "import",
        "undo",
        "frames",
        "near_duplicates",
        "freeze",
        "export",
        "finetune",
        "pretrain",
        "crossvalidate",
        "evaluate",
        "push",
    ] = Field(description="What kind of work it is.")
    state: Literal[
        "queued", "starting", "running", "cancelling", "succeeded", "failed", "cancelled"
    ] = Field(
        validation_alias="shown_state",
        description="`starting`: a worker has it, and nothing has been heard of the work yet.",
    )
    priority: int = Field(description="1: urgent; 0: normal; -1: done when nothing else waits.")
    device: Device | None = Field(description="The kind of device it is pinned to; null: any.")
    progress: dict[str, Any] = Field(
        description="How far it is; `done` of `total` where that can be said.",
        examples=[{"phase": "reading", "done": 1048576, "total": 4194304, "rows": 8000}],
    )
    error: str | None = Field(description="Why it failed, in words.")
    error_category: str | None = Field(
        description="The kind of failure: data, out_of_memory, model, device, disk, hub, lost or internal."
    )
    attempt: int = Field(description="How many times it was started.")
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class Rows(Answer):
    """Base of lists: the rows are under `items`."""
