"""What a row of another tool becomes: one with named columns, which all rows are read from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from app.formats.base import ReadOptions
from app.i18n import gettext as _


@dataclass(frozen=True, slots=True)
class Shaped:
    """A row with named columns, and what is known of them."""

    row: Mapping[str, Any]
    roles: Mapping[str, str] = field(default_factory=dict)
    """Which column is what, whatever its name: {"label": "annotations"}; "" for none."""
    payload: dict[str, Any] | None = None
    """The annotation, where it is in the task's own form already."""
    unused: tuple[str, ...] = ()
    """Names of what is left out."""
    offsets: str = "characters"
    """What this tool's numbers count, where the spans' words do not tell."""


def a_guess(chosen: str, others: Sequence[str]) -> str:
    """What to say where one of several columns was taken for the label."""
    return _(
        "%(others)s as the label: “%(name)s” was taken, which is a guess",
        others=", ".join(f"“{name}”" for name in others),
        name=chosen,
    )


class Shape(Protocol):
    """How one tool writes a row. Modules have this shape."""

    MARKS: frozenset[str]
    """An object without any of these names is not this tool's: most rows are none's, and are told by this alone."""

    def matches(self, row: Any, options: ReadOptions) -> bool:
        """Whether the row is this tool's. Any JSON value may come."""
        ...

    def shape(self, row: Any, task: str, options: ReadOptions) -> Shaped:
        """The row with named columns. Raises InvalidInput for what cannot be understood."""
        ...
