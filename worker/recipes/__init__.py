"""The recipes: how each family of tasks is encoded, decoded and scored."""

from worker.recipes.base import Encoded, Encoder, Prediction, Recipe
from worker.recipes.classification import Classification
from worker.recipes.spans import Spans
from worker.recipes.srl import Srl

RECIPES: dict[str, type[Recipe]] = {r.name: r for r in (Classification, Spans, Srl)}
"""Every recipe by the name that task types give."""

__all__ = ["RECIPES", "Encoded", "Encoder", "Prediction", "Recipe"]
