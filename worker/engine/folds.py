"""Cutting examples into folds: by content, seeded, and with the same mix of labels in each."""

from collections import Counter
from collections.abc import Sequence

from app.tasks.content import content_hash
from worker.engine.errors import DataError
from worker.engine.job import Item


def assign_folds(items: Sequence[Item], folds: int, *, seed: int) -> list[int]:
    """The fold of each item.

    Equal texts are in one fold. Where the annotation labels whole texts, each label is spread evenly, the
    rare ones first (after Sechidis, Tsoumakas and Vlahavas, 2011). Raises DataError where there are fewer
    texts than folds.
    """
    groups: dict[str, list[int]] = {}
    for number, item in enumerate(items):
        groups.setdefault(content_hash(item.text), []).append(number)
    if len(groups) < folds:
        raise DataError(
            f"The training and validation splits have {len(groups)} different texts: too few for {folds} "
            "folds. Choose fewer folds, or label more examples and freeze a new version."
        )
    used = Counter(label for item in items for label in _labels(item))

    def turn(digest: str) -> tuple[int, int, str]:
        """When a group gets its fold. The order among like ones follows from texts and seed alone."""
        members = groups[digest]
        rarest = min((used[label] for n in members for label in _labels(items[n])), default=0)
        return rarest, -len(members), content_hash(f"{seed} {digest}")

    assigned = [0] * len(items)
    sizes = [0] * folds
    labels: list[Counter[str]] = [Counter() for _ in range(folds)]
    for digest in sorted(groups, key=turn):
        members = groups[digest]
        own = Counter(label for n in members for label in _labels(items[n]))
        rare_first = sorted(own, key=lambda label: (used[label], label))
        fold = min(
            range(folds),
            key=lambda f: ([labels[f][label] for label in rare_first], sizes[f], f),
        )
        for n in members:
            assigned[n] = fold
        sizes[fold] += len(members)
        labels[fold] += own
    return assigned


def _labels(item: Item) -> Sequence[str]:
    """The labels of a text as a whole; none for tasks that label its parts."""
    found: Sequence[str] = item.annotation.get("labels", ())
    return found
