"""How every error of the API looks (RFC 9457), for its documentation."""

from typing import Any

from pydantic import BaseModel, Field

Responses = dict[int | str, dict[str, Any]]
"""What an operation may answer, by status, as FastAPI takes it."""


class ProblemItem(BaseModel):
    """One thing that is wrong."""

    where: str = Field(description="A field, row or label.", examples=["body.payload"])
    message: str = Field(description="A sentence for a person.")


class ProblemDocument(BaseModel):
    """An error, as `application/problem+json`."""

    type: str = Field(examples=["about:blank"])
    title: str = Field(description="The status in words.", examples=["Not Found"])
    status: int = Field(description="The HTTP status again.", examples=[404])
    detail: str = Field(
        description="What went wrong and how to mend it, in the caller's language.",
        examples=["There is no such project, or you are not a member of it."],
    )
    problems: list[ProblemItem] = Field(description="Each thing that is wrong with the input.")


def problem(description: str) -> dict[str, Any]:
    """An entry of `responses` for an error."""
    schema = {"$ref": "#/components/schemas/ProblemDocument"}
    return {
        "model": ProblemDocument,
        "description": description,
        "content": {"application/problem+json": {"schema": schema}},
    }


PROBLEMS: Responses = {
    400: problem("The request cannot be read: its form is cut off or malformed."),
    401: problem("Nobody is logged in, or the token is unknown or revoked."),
    403: problem("This person or token may not do this."),
    404: problem("It is not there, or not visible to this person."),
    408: problem("The request came in too slowly."),
    410: problem("A stored file that this needs is missing."),
    413: problem("The request is larger than this installation takes."),
    415: problem("The body is in another form than this address takes."),
    422: problem("The input cannot be taken as it is; `problems` says what is wrong where."),
    500: problem("A stored file is damaged, or something went wrong on Annotune's side."),
    507: problem("The disk is full: nothing more can be saved."),
    503: problem(
        "Something that Annotune needs does not answer now. Try again after `Retry-After`."
    ),
}
"""What every operation may answer besides its success."""

PASSWORD_PROBLEMS: Responses = {
    429: problem(
        "Too many wrong passwords; `Retry-After` says in how many seconds another may be tried."
    ),
    503: problem("Too many passwords are being checked; `Retry-After` says when to ask again."),
}
"""What an operation may answer besides that hashes or checks a password."""
