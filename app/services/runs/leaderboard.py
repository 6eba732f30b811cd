"""The best runs of a project by its task's primary metric."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from app.models import DatasetVersion, Job, Run
from app.services.access import Actor, project_for
from app.services.runs.reading import RunFilter, RunView, seen, views, with_tags
from app.tasks import get_task

Sort = Literal["test", "validation", "seconds", "created", "name"]
PAGE = 50
MOST = 10_000
"""Runs that an export holds at most."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A run with its place, its scores by the primary metric, and their intervals."""

    place: int
    """By the score on test, then on validation, whatever the order of the list; equal runs share one."""
    view: RunView
    test: float | None
    test_interval: list[float] | None
    validation: float | None
    validation_interval: list[float] | None
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Leaderboard:
    """Some of the runs, and what is best in all of them."""

    metric: str
    standings: list[Standing]
    total: int
    best_test: float | None
    best_validation: float | None
    pages: int


@dataclass(frozen=True, slots=True)
class Row:
    """A standing as an export says it."""

    place: int
    run: str
    name: str
    kind: str
    version: int | None
    metric: str
    test: float | None
    test_low: float | None
    test_high: float | None
    validation: float | None
    validation_low: float | None
    validation_high: float | None
    seconds: float | None
    tags: str
    created_at: datetime


LEADERBOARD_COLUMNS = [field.name for field in fields(Row)]


def leaderboard(
    session: Session,
    actor: Actor,
    project_id: str,
    *,
    wanted: RunFilter = RunFilter(),
    sort: Sort = "test",
    descending: bool = True,
    page: int = 1,
    size: int = PAGE,
) -> Leaderboard:
    """A page of the runs that have a score, sorted; runs without the sorted figure come last."""
    metric = get_task(project_for(session, actor, project_id).task).primary_metric
    figures: dict[str, Any] = {
        "test": _figure("metrics", "test", "scores", metric),
        "validation": _figure("metrics", "validation", "scores", metric),
        "seconds": _figure("seconds"),
        "created": Run.created_at,
        "name": func.lower(Run.name),
    }
    test, validation = figures["test"], figures["validation"]
    scored = and_(Job.state == "succeeded", or_(test.is_not(None), validation.is_not(None)))
    standing = func.rank().over(order_by=(test.desc().nulls_last(), validation.desc().nulls_last()))
    query = wanted.of(seen(session, actor, views(), project_id)).where(scored)
    total, best_test, best_validation = session.execute(
        query.with_only_columns(
            func.count(Run.id), func.max(test), func.max(validation), maintain_column_froms=True
        )
    ).one()
    key = figures[sort]
    rows = session.execute(
        query.add_columns(standing, test, validation, figures["seconds"])
        .order_by((key.desc() if descending else key.asc()).nulls_last(), Run.created_at, Run.id)
        .limit(size)
        .offset((page - 1) * size)
    ).all()
    found = with_tags(session, (RunView(*row[:4]) for row in rows))
    return Leaderboard(
        metric,
        [
            Standing(
                row[4],
                view,
                row[5],
                _interval(view, "test", metric),
                row[6],
                _interval(view, "validation", metric),
                row[7],
            )
            for view, row in zip(found, rows, strict=True)
        ],
        total,
        best_test,
        best_validation,
        -(-total // size),
    )


def leaderboard_rows(board: Leaderboard) -> Iterator[dict[str, Any]]:
    """A leaderboard as flat rows for programs."""
    for item in board.standings:
        low, high = item.test_interval or (None, None)
        validation_low, validation_high = item.validation_interval or (None, None)
        yield asdict(
            Row(
                place=item.place,
                run=item.view.run.id,
                name=item.view.run.name,
                kind=item.view.kind,
                version=item.view.version_number,
                metric=board.metric,
                test=item.test,
                test_low=low,
                test_high=high,
                validation=item.validation,
                validation_low=validation_low,
                validation_high=validation_high,
                seconds=item.seconds,
                tags=", ".join(item.view.tags),
                created_at=item.view.run.created_at,
            )
        )


def versions_with_runs(session: Session, project_id: str) -> list[int]:
    """The numbers of the versions that runs are over, newest first. Who may see them has been checked."""
    query = (
        select(DatasetVersion.number)
        .join(Run, Run.version_id == DatasetVersion.id)
        .where(Run.project_id == project_id)
        .distinct()
        .order_by(DatasetVersion.number.desc())
    )
    return list(session.scalars(query))


def _figure(*path: str) -> Any:
    """A number inside a run's result; NULL where it has none."""
    return Run.result[path].as_float()


def _interval(view: RunView, split: str, metric: str) -> list[float] | None:
    report = ((view.run.result or {}).get("metrics") or {}).get(split) or {}
    found: list[float] | None = (report.get("intervals") or {}).get(metric)
    return found
