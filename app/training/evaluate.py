"""What an evaluation is told: which model, and what it is scored on."""

from typing import Annotated, Literal

from pydantic import Field

from app.i18n import mark
from app.training.base import ModelParams

EvaluatedSplit = Literal["train", "validation", "test", "all"]


class EvaluateParams(ModelParams):
    """Parameters of an evaluation: of another run's model, on a version, or on a file of its own."""

    base: Annotated[
        Literal["run"],
        Field(title=mark("Base model"), description=mark("Where the starting weights come from.")),
    ] = "run"
    split: Annotated[
        EvaluatedSplit,
        Field(
            title=mark("Split"),
            description=mark("The split it is scored on; a file is a test split."),
        ),
    ] = "test"
    glue: Annotated[
        Literal["sst2", "cola"] | None,
        Field(
            title=mark("Layout"),
            description=mark("The task of GLUE whose layout the file has; empty for a version."),
        ),
    ] = None
    filename: Annotated[
        str | None,
        Field(
            title=mark("File"),
            max_length=300,
            description=mark("The file's name where it came from."),
        ),
    ] = None
    labels: Annotated[
        dict[str, str],
        Field(
            title=mark("Labels"),
            description=mark("Which label of the model each label of the file stands for."),
        ),
    ] = {}  # noqa: RUF012 (pydantic copies it)
