"""The optimiser and its learning rates."""

from typing import Any

import torch

from app.training import TrainingParams
from worker.engine.heads import TaskModel

CLIP = 1.0
"""Largest norm of a step's gradient."""


def build_optimizer(
    model: TaskModel, params: TrainingParams, *, head_learning_rate: float | None = None
) -> torch.optim.AdamW:
    """AdamW over the model's parameter groups."""
    groups = model.parameter_groups(
        learning_rate=params.learning_rate,
        head_learning_rate=head_learning_rate,
        weight_decay=params.weight_decay,
    )
    return torch.optim.AdamW(groups, lr=params.learning_rate, fused=True)


def factor(step: int, *, total: int, warmup: float) -> float:
    """Share of the peak rate at a step (from 0): up over the warm-up in a line, then down to 0 in a line."""
    rising = max(1, round(total * warmup))
    if step < rising and warmup > 0:
        return (step + 1) / rising
    return max(0.0, (total - step) / max(1, total - (rising if warmup > 0 else 0)))


def set_rates(optimizer: torch.optim.Optimizer, share: float) -> None:
    """Give each group its peak rate times `share`."""
    group: dict[str, Any]
    for group in optimizer.param_groups:
        group["lr"] = group["peak"] * share
