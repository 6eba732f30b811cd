"""What a point says, as named numbers."""

from math import isfinite
from typing import Any

_NOT_MEASURED = ("step", "total_steps", "eta_seconds")


def numbers(point: dict[str, Any]) -> dict[str, float]:
    """`train/loss` and the like of a step, `validation/macro_f1` of an evaluation; finite ones only."""
    if point["kind"] == "evaluation":
        found, prefix = point.get("metrics") or {}, point.get("split") or "evaluation"
    else:
        found, prefix = point, "train"
    return {
        f"{prefix}/{name}": float(value)
        for name, value in found.items()
        if isinstance(value, int | float)
        and not isinstance(value, bool)
        and name not in _NOT_MEASURED
        and isfinite(value)
    }
