"""What a push to a hub is told."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from app.i18n import mark
from app.training.base import ModelParams

_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9])?"


class PushParams(ModelParams):
    """Parameters of a push: which run's model goes where. The token is no parameter: it is never stored."""

    base: Annotated[
        Literal["run"],
        Field(title=mark("Base model"), description=mark("Where the starting weights come from.")),
    ] = "run"
    repo_id: Annotated[
        str,
        Field(
            title=mark("Repository"),
            max_length=193,
            pattern=rf"^{_NAME}(/{_NAME})?$",
            description=mark("Where on the hub: owner/name, or a name of the token's owner."),
        ),
    ]
    private: Annotated[
        bool,
        Field(
            title=mark("Private"),
            description=mark("Whether only its owners see a repository that is new."),
        ),
    ] = True
    own_token: Annotated[
        bool,
        Field(
            title=mark("Own token"),
            description=mark("Whether a token was typed for this push, or the worker's is used."),
        ),
    ] = False

    @field_validator("repo_id")
    @classmethod
    def _as_the_hub_has_it(cls, value: str) -> str:
        if "--" in value or ".." in value:
            raise ValueError("a hub id has no “--” and no “..”")
        if value.endswith(".git"):
            raise ValueError("a hub id does not end with “.git”")
        return value
