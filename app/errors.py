"""What can go wrong, said for a person: the domain raises these, one place turns them into pages and problem+json."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: where (a field, a row, a label) and what, as a sentence."""

    where: str
    message: str


class AnnotuneError(Exception):
    """Base of every error that a person is shown. `status` is the HTTP status it becomes."""

    status = 500
    retry_after: int | None = None
    """Seconds after which the same request may do better."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class NotFound(AnnotuneError):
    """What was asked for is not there, or not visible to this person."""

    status = 404


class Gone(NotFound):
    """A file that was stored once is not there any more."""

    status = 410


class Unauthenticated(AnnotuneError):
    """Nobody is logged in, or the token is unknown."""

    status = 401


class Forbidden(AnnotuneError):
    """This person may not do this."""

    status = 403


class Conflict(AnnotuneError):
    """The thing changed meanwhile; `current` is its newest state, for the caller to decide on."""

    status = 409

    def __init__(self, message: str, current: Any = None) -> None:
        super().__init__(message)
        self.current = current


class TimedOut(AnnotuneError):
    """A request that comes in too slowly."""

    status = 408


class TooLarge(AnnotuneError):
    """An upload or a request over its bound."""

    status = 413


class UnsupportedContent(AnnotuneError):
    """A body in a form that this address does not take."""

    status = 415


class InvalidInput(AnnotuneError):
    """Input that cannot be taken as it is; each problem names its place."""

    status = 422

    def __init__(self, message: str, problems: Sequence[Problem] = ()) -> None:
        super().__init__(message)
        self.problems = list(problems)

    @classmethod
    def at(cls, where: str, message: str) -> "InvalidInput":
        """One problem at one place."""
        return cls(message, [Problem(where, message)])


class Unavailable(AnnotuneError):
    """Something Annotune needs (database, broker, worker, storage) does not answer now.

    `retry_after`: seconds after which another try makes sense.
    """

    status = 503

    def __init__(self, message: str, *, retry_after: int = 2) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class TooManyAttempts(AnnotuneError):
    """Too many wrong passwords; after `retry_after` seconds another may be tried."""

    status = 429

    def __init__(self, message: str, *, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class StorageFull(AnnotuneError):
    """The disk is full: nothing was stored."""

    status = 507


class Damaged(AnnotuneError):
    """A stored file is not what was stored."""
