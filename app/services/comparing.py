"""Runs side by side: what they were told, what they reported, and what their models said of the examples
that all of them were asked."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isfinite, sqrt
from typing import TYPE_CHECKING, Any

from sqlalchemy.orm import Session

from app.errors import Damaged, Gone, InvalidInput
from app.i18n import gettext as _
from app.models import FINAL_STATES
from app.services import runs
from app.services.access import Actor
from app.services.annotating import brief
from app.services.evaluation import (
    PAGE,
    SPLITS,
    Prediction,
    Split,
    inputs_of,
    predictions,
    splits_of,
)
from app.services.runs import RunView
from app.tasks import get_task

if TYPE_CHECKING:
    from app.evaluation.resampling import Comparison

MAX_COMPARED = 200
MAX_TESTED = 8
"""Runs whose predictions are read and tested against each other."""
_ALL_POINTS = 20_000
"""Points of all curves of a kind together: a page draws no more."""


@dataclass(frozen=True, slots=True)
class Side:
    """One of the runs that are compared."""

    view: RunView
    scores: dict[str, float]
    """What its own report says of the split; empty where it has none."""
    missing: str | None
    """Why its predictions are not to be had, in words; None where they are, or were not looked for."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter with its values in the order of the runs; None where a run has no such parameter."""

    name: str
    values: list[Any]
    differs: bool


@dataclass(frozen=True, slots=True)
class Spread:
    """The mean of some values, and their standard deviation (of a sample)."""

    mean: float
    deviation: float
    count: int


@dataclass(frozen=True, slots=True)
class SeedGroup:
    """Runs of one kind over one version whose parameters differ only in the seed."""

    views: list[RunView]
    scores: dict[str, Spread]

    @property
    def ids(self) -> list[str]:
        """The ids of the runs."""
        return [view.run.id for view in self.views]

    @property
    def seeds(self) -> list[Any]:
        """The seeds, in the order of the runs."""
        return [view.run.params.get("seed") for view in self.views]


@dataclass(frozen=True, slots=True)
class RunScores:
    """One of the runs on the examples that all of them were asked."""

    view: RunView
    scores: dict[str, float]
    by_label: dict[str, float]
    """F1 of each label."""
    against_baseline: "Comparison | None"
    mcnemar: float | None


@dataclass(frozen=True, slots=True)
class Disagreement:
    """An example that some runs have right and others not."""

    id: int
    text: str
    right: list[bool]
    """In the order of the runs."""
    said: list[str]


@dataclass(frozen=True, slots=True)
class Tested:
    """Runs on the examples that all of them were asked; each is tested against the baseline."""

    baseline: str
    """The id of the run that the others are tested against."""
    examples: int
    left_out: int
    """Examples that not all were asked, or whose gold differs between the runs' versions."""
    runs: list[RunScores]
    labels: list[str]
    """All that occur."""
    disagreements: list[Disagreement]
    disagreement_count: int
    """Of those that were asked for."""
    next_after: int | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which disagreements are shown: those that one run has right, or another wrong, from a number on."""

    right: str | None = None
    wrong: str | None = None
    after: int = 0


@dataclass(frozen=True, slots=True)
class Compared:
    """Runs side by side, in the order that was asked for."""

    split: Split
    splits: list[Split]
    """Those that any of the runs was evaluated on."""
    primary: str
    baseline: str
    sides: list[Side]
    parameters: list[Parameter]
    groups: list[SeedGroup]
    """Where at least one has several runs; else empty."""
    tested: Tested | None
    untested: str | None
    """Why nothing is tested on examples, in words."""

    @property
    def differing(self) -> list[Parameter]:
        """The parameters that differ."""
        return [parameter for parameter in self.parameters if parameter.differs]

    @property
    def base_group(self) -> SeedGroup:
        """The group that has the baseline; there is one wherever there are groups."""
        return next(group for group in self.groups if self.baseline in group.ids)

    @property
    def metrics(self) -> list[str]:
        """The scores that any of the reports has, the primary one first."""
        names = dict.fromkeys(name for side in self.sides for name in side.scores)
        return sorted(names, key=lambda name: name != self.primary)


def compare_runs(
    session: Session,
    actor: Actor,
    project_id: str,
    run_ids: Sequence[str],
    *,
    split: Split | None = None,
    baseline: str | None = None,
    wanted: Wanted | None = None,
) -> Compared:
    """Compare runs of a project, of any kind and in any state; the baseline is the first where none is named,
    and the split the first that all were evaluated on, else any.

    Up to eight are tested on the examples that all of them were asked. Raises InvalidInput.
    """
    ids = list(dict.fromkeys(run_ids))
    if not 2 <= len(ids) <= MAX_COMPARED:
        raise InvalidInput.at("runs", _("Choose 2 to %(n)s runs to compare.", n=MAX_COMPARED))
    wanted = wanted or Wanted()
    for name, chosen in (("baseline", baseline), ("right", wanted.right), ("wrong", wanted.wrong)):
        if chosen is not None and chosen not in ids:
            raise InvalidInput.at(name, _("Choose one of the runs that are compared."))
    views = runs.get_many(session, actor, project_id, ids)
    baseline = baseline or ids[0]
    known = [set(splits_of(view)) for view in views]
    splits = [name for name in SPLITS if any(name in each for each in known)]
    shared = [name for name in splits if all(name in each for each in known)]
    split = split or (shared or splits)[0]
    sides = [Side(view, _reported(view, split), None) for view in views]
    tested, untested = None, None
    if len(ids) > MAX_TESTED:
        untested = _(
            "Examples are compared for up to %(n)s runs: choose fewer to see tests, labels and "
            "disagreements.",
            n=MAX_TESTED,
        )
    else:
        tables = {view.run.id: _table(view, split) for view in views}
        sides = [
            Side(side.view, side.scores, found if isinstance(found, str) else None)
            for side, found in zip(sides, tables.values(), strict=True)
        ]
        kept = [view for view in views if not isinstance(tables[view.run.id], str)]
        if len(kept) < 2:
            untested = _("Fewer than two of these runs have predictions for this split.")
        else:
            rows = [table for table in tables.values() if not isinstance(table, str)]
            tested = _tested(session, kept, rows, baseline, wanted)
            if tested is None:
                untested = _("These runs have no example in common in this split.")
    return Compared(
        split=split,
        splits=splits,
        primary=get_task(views[0].project.task).primary_metric,
        baseline=baseline,
        sides=sides,
        parameters=_parameters([view.run.params for view in views]),
        groups=_seed_groups(sides),
        tested=tested,
        untested=untested,
    )


def points_for(count: int) -> int:
    """How many points each of so many curves has at most."""
    return max(2, min(runs.MAX_CURVE_POINTS, _ALL_POINTS // max(1, count)))


def curves(
    session: Session, actor: Actor, project_id: str, run_ids: Sequence[str], kind: str
) -> dict[str, list[dict[str, Any]]]:
    """The curves of runs of a project, thinned so that all together stay bounded. Raises InvalidInput."""
    ids = list(dict.fromkeys(run_ids))
    if not 1 <= len(ids) <= MAX_COMPARED:
        raise InvalidInput.at("runs", _("Choose 1 to %(n)s runs.", n=MAX_COMPARED))
    runs.get_many(session, actor, project_id, ids)
    return runs.curves(session, ids, kind, most=points_for(len(ids)))


def _reported(view: RunView, split: Split) -> dict[str, float]:
    """The scores that a run has reported for a split, whatever its kind says besides."""
    report = ((view.run.result or {}).get("metrics") or {}).get(split) or {}
    scores = report.get("scores") if isinstance(report, dict) else None
    return {
        name: float(value)
        for name, value in (scores or {}).items()
        if isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
    }


def _table(view: RunView, split: Split) -> dict[int, Prediction] | str:
    """A run's predictions by example, or why there are none."""
    if view.job.state not in FINAL_STATES:
        return _("It has not ended yet.")
    if view.job.state != "succeeded":
        return _("It has not succeeded, so it left no predictions.")
    try:
        found = {item.id: item for item in predictions(view, split)}
    except (Gone, Damaged) as error:
        return error.message
    return found or _("It has no predictions for this split.")


def _parameters(params: Sequence[dict[str, Any]]) -> list[Parameter]:
    names = dict.fromkeys(name for each in params for name in each)
    rows = [(name, [each.get(name) for each in params]) for name in names]
    return [
        Parameter(name, values, any(value != values[0] for value in values))
        for name, values in rows
    ]


def _seed_groups(sides: Iterable[Side]) -> list[SeedGroup]:
    alike: dict[str, list[Side]] = defaultdict(list)
    for side in sides:
        told = {name: value for name, value in side.view.run.params.items() if name != "seed"}
        key = repr((side.view.kind, side.view.run.version_id, sorted(told.items())))
        alike[key].append(side)
    if all(len(group) == 1 for group in alike.values()):
        return []
    return [
        SeedGroup(
            [side.view for side in group],
            {
                name: spread([s.scores[name] for s in group if name in s.scores])
                for name in dict.fromkeys(name for s in group for name in s.scores)
            },
        )
        for group in alike.values()
    ]


def spread(values: Sequence[float]) -> Spread:
    """Mean and standard deviation (n − 1 below) of at least one value; one alone deviates by 0."""
    mean = sum(values) / len(values)
    squares = sum((value - mean) ** 2 for value in values)
    return Spread(mean, sqrt(squares / max(1, len(values) - 1)), len(values))


def _tested(
    session: Session,
    views: Sequence[RunView],
    tables: Sequence[dict[int, Prediction]],
    baseline: str,
    wanted: Wanted,
) -> Tested | None:
    """None where the runs have no example in common."""
    # Only here: numpy is large, and most pages do without it.
    from app.evaluation.outcomes import Outcomes
    from app.evaluation.resampling import compare, mcnemar

    task = get_task(views[0].project.task)
    shared = [
        item.id
        for item in tables[0].values()
        if all(item.id in table and table[item.id].gold == item.gold for table in tables[1:])
    ]
    if not shared:
        return None
    labels = sorted(
        {
            label
            for table in tables
            for item in table.values()
            for payload in (item.gold, item.predicted)
            for _place, label in task.places(payload)
        }
    )
    outcomes = [
        Outcomes.of(((task.places(t[i].gold), task.places(t[i].predicted)) for i in shared), labels)
        for t in tables
    ]
    ids = [view.run.id for view in views]
    baseline = baseline if baseline in ids else ids[0]
    base = outcomes[ids.index(baseline)]
    counted = task.counted_scores[task.primary_metric]
    right = {run_id: o.exact.tolist() for run_id, o in zip(ids, outcomes, strict=True)}
    found = [n for n in range(len(shared)) if _is_shown(right, n, wanted)]
    page = found[wanted.after : wanted.after + PAGE]
    inputs = inputs_of(session, [tables[0][shared[n]] for n in page])
    end = wanted.after + PAGE
    return Tested(
        baseline=baseline,
        examples=len(shared),
        left_out=len(set().union(*tables)) - len(shared),
        runs=[
            RunScores(
                view,
                {name: o.scores()[c] for name, c in task.counted_scores.items()},
                o.f1_by_label(),
                None if o is base else compare(base, o, counted),
                None if o is base else mcnemar(base, o),
            )
            for view, o in zip(views, outcomes, strict=True)
        ],
        labels=labels,
        disagreements=[
            Disagreement(
                shared[n],
                inputs[shared[n]]["text"],
                [column[n] for column in right.values()],
                [brief(task, t[shared[n]].predicted, inputs[shared[n]]) for t in tables],
            )
            for n in page
        ],
        disagreement_count=len(found),
        next_after=end if end < len(found) else None,
    )


def _is_shown(right: dict[str, list[bool]], n: int, wanted: Wanted) -> bool:
    """Whether the runs disagree on an example, in the way that is asked for. A run without predictions
    that is named has nothing right and nothing wrong."""
    if len({column[n] for column in right.values()}) < 2:
        return False
    if wanted.right is not None and not (wanted.right in right and right[wanted.right][n]):
        return False
    return wanted.wrong is None or (wanted.wrong in right and not right[wanted.wrong][n])
