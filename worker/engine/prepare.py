"""Before training: the sample to train on, every split as windows, and what a person should know of them."""

import logging
from collections.abc import Callable

import numpy as np

from app.training import FineTuneParams
from worker.engine.job import Item
from worker.recipes.base import Encoded, Encoder, Recipe, Splits

log = logging.getLogger(__name__)


def sample(splits: dict[str, list[Item]], params: FineTuneParams) -> dict[str, list[Item]]:
    """The splits, with a seeded sample of the training split where the parameters ask for one."""
    train, wanted = splits["train"], params.max_train_examples
    if wanted is None or wanted >= len(train):
        return splits
    chosen = np.random.default_rng(params.seed).permutation(len(train))[:wanted]
    return splits | {"train": [train[i] for i in sorted(chosen.tolist())]}


def encode_splits(
    recipe: Recipe,
    splits: Splits,
    encoder: Encoder,
    check: Callable[[], None],
) -> tuple[dict[str, Encoded], dict[str, int]]:
    """Every split's windows, and the counts for result.json. `check` may raise Stopped in between."""
    encoded = {}
    for split, items in splits.items():
        check()
        encoded[split] = recipe.encode(items, encoder)
    counts = {split: len(items) for split, items in splits.items()}
    for name in ("windowed", "nested", "unaligned"):
        counts[name] = sum(part.counts[name] for part in encoded.values())
    if counts["windowed"]:
        log.info(
            "%d texts are longer than %d pieces and go in several windows.",
            counts["windowed"],
            encoder.max_length,
        )
    if counts["nested"]:
        log.warning(
            "%d spans lie inside or across others and fit in no layer of the model, so they are not learned; "
            "the scores count them.",
            counts["nested"],
        )
    if counts["unaligned"]:
        log.warning(
            "%d spans do not fall on word tokens and cannot be learned exactly; the scores count them.",
            counts["unaligned"],
        )
    return encoded, counts
