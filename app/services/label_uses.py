"""Where a project's labels are used: counted, found, and checked against another mode, a range of examples at a time.

Nothing here writes: every range is read in a session of its own, so that a project of any size keeps nobody waiting.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Text, and_, cast, func, or_, select
from sqlalchemy.orm import Session

from app.db import session_scope
from app.models import Annotation, Example, Project, User
from app.services.label_names import Today
from app.services.revisions import is_newest
from app.tasks import get_task
from app.tasks.base import TextInputs

_RANGE = 5000
"""Examples that are looked at in one read."""


@dataclass(slots=True)
class Uses:
    """How many annotations have some labels, by what they are."""

    examples: int = 0
    """Whose gold has them."""
    by_people: Counter[str] = field(default_factory=Counter)
    """Of the gold, by the name of whoever said it."""
    by_imports: int = 0
    """Of the gold, what imports brought, or people whose accounts are gone."""
    beside: int = 0
    """What people said last that does not stand."""
    suggestions: int = 0
    """What is proposed in place of what stands."""
    history: int = 0
    """Earlier revisions, which nothing depends on."""
    is_complete: bool = True
    """False: there was no time to look at all of them."""

    @property
    def current(self) -> int:
        """All but history."""
        return self.examples + self.beside + self.suggestions


def count(project: Project, labels: Iterable[str], *, seconds: float) -> Uses:
    """How the annotations use these labels, under their names of today or former ones, as far as so many seconds go."""
    uses = Uses()
    for row in _having(project, labels, seconds=seconds):
        if row is None:
            uses.is_complete = False
        elif row.is_gold:
            uses.examples += 1
            if row.author is None:
                uses.by_imports += 1
            else:
                uses.by_people[row.author] += 1
        elif not row.is_current:
            uses.history += 1
        elif row.is_proposal:
            uses.suggestions += 1
        else:
            uses.beside += 1
    return uses


def in_use(project: Project, labels: Iterable[str], *, after: int = 0) -> set[str]:
    """Which of these labels annotations after `after` (an annotation's id) have that stand, wait, or are what somebody
    said last. What only history has is not in use."""
    wanted = set(labels)
    task = get_task(project.task)
    found: set[str] = set()
    for row in _having(project, wanted, after=after):
        if row is not None and (row.is_gold or row.is_current):
            found |= wanted.intersection(task.label_names(task.parse_payload(row.said)))
            if found == wanted:
                break
    return found


@dataclass(frozen=True, slots=True)
class Found:
    """Some examples, and the id up to which was looked; None: to the end."""

    ids: list[int]
    looked_up_to: int | None


def labelled_with(project: Project, label: str, *, after: int, limit: int, seconds: float) -> Found:
    """Examples whose gold has a label, under its name of today or a former one."""
    task = get_task(project.task)

    def has_it(payload: dict[str, Any], _inputs: dict[str, Any]) -> bool:
        return label in task.label_names(task.parse_payload(payload))

    like = _may_have(_spellings(project, [label]))
    return _golds(project, has_it, [like], after=after, limit=limit, seconds=seconds)


def breaking(
    project: Project,
    schema: dict[str, Any],
    *,
    after: int = 0,
    limit: int,
    seconds: float = float("inf"),
) -> Found:
    """Examples whose gold another schema would not allow, because of its mode: labels are not looked at."""
    breaks = _breaks(project, schema)
    return _golds(project, breaks, [], after=after, limit=limit, seconds=seconds)


def broken_since(session: Session, project: Project, schema: dict[str, Any], after: int) -> int:
    """How many examples have a gold from after `after` (an annotation's id) that another mode would not allow."""
    today, breaks = Today(project), _breaks(project, schema)
    rows = session.execute(
        select(Example.inputs, Annotation.payload)
        .join(Annotation, Annotation.example_id == Example.id)
        .where(
            Annotation.id == Example.gold_id,
            Annotation.id > after,
            Annotation.project_id == project.id,
            Annotation.payload.is_not(None),
        )
    )
    return sum(breaks(today(payload), inputs) for inputs, payload in rows)


_Test = Callable[[dict[str, Any], dict[str, Any]], bool]
"""Of a payload under the names of today and its inputs."""


def _breaks(project: Project, schema: dict[str, Any]) -> _Test:
    task = get_task(project.task)
    labels = task.labels(task.parse_schema(project.label_schema))
    wanted = task.with_labels(task.parse_schema(schema), labels)

    def breaks(payload: dict[str, Any], inputs: dict[str, Any]) -> bool:
        parsed = TextInputs.model_construct(**inputs)
        return bool(task.check(task.parse_payload(payload), parsed, wanted))

    return breaks


@dataclass(frozen=True, slots=True)
class _Row:
    said: dict[str, Any]
    """Under the labels' names of today."""
    is_gold: bool
    is_current: bool
    is_proposal: bool
    author: str | None


def _having(
    project: Project, labels: Iterable[str], *, seconds: float = float("inf"), after: int = 0
) -> Iterator[_Row | None]:
    """The annotations that have some of these labels; None at the end if there was no time for all."""
    task, wanted = get_task(project.task), set(labels)
    today = Today(project)
    like = _may_have(_spellings(project, wanted))
    is_current = or_(is_newest(), and_(Annotation.user_id.is_(None), Annotation.is_proposal))
    query = (
        select(
            Annotation.payload,
            (Annotation.id == Example.gold_id).label("is_gold"),
            is_current.label("is_current"),
            Annotation.is_proposal,
            User.name,
        )
        .select_from(Example)
        .join(Annotation, Annotation.example_id == Example.id)
        .outerjoin(User, User.id == Annotation.user_id)
        .where(Annotation.id > after, Annotation.payload.is_not(None), like)
    )
    until = time.monotonic() + seconds
    for low, high in _ranges(project.id):
        with session_scope(read_only=True) as session:
            rows = session.execute(query.where(*_within(project.id, low, high))).all()
        for payload, is_gold, current, is_proposal, author in rows:
            said = today(payload)
            if wanted.intersection(task.label_names(task.parse_payload(said))):
                yield _Row(said, bool(is_gold), bool(current), is_proposal, author)
        if time.monotonic() > until:
            yield None
            return


def _golds(
    project: Project,
    matches: _Test,
    conditions: Sequence[ColumnElement[bool]],
    *,
    after: int,
    limit: int,
    seconds: float,
) -> Found:
    today = Today(project)
    query = (
        select(Example.id, Example.inputs, Annotation.payload)
        .join(Annotation, Annotation.id == Example.gold_id)
        .where(Example.status == "labelled", Annotation.payload.is_not(None), *conditions)
        .order_by(Example.id)
    )
    until = time.monotonic() + seconds
    found: list[int] = []
    for low, high in _ranges(project.id, after):
        with session_scope(read_only=True) as session:
            rows = session.execute(query.where(*_within(project.id, low, high))).all()
        for example_id, inputs, payload in rows:
            if matches(today(payload), inputs):
                found.append(example_id)
                if len(found) == limit:
                    return Found(found, example_id)
        if time.monotonic() > until:
            return Found(found, high)
    return Found(found, None)


def _ranges(project_id: str, after: int = 0) -> Iterator[tuple[int, int]]:
    """(after, up to) of a project's examples, some thousands in each."""
    while True:
        some = (
            select(Example.id)
            .where(Example.project_id == project_id, Example.id > after)
            .order_by(Example.id)
            .limit(_RANGE)
            .subquery()
        )
        with session_scope(read_only=True) as session:
            last = session.scalar(select(func.max(some.c.id)))
        if last is None:
            return
        yield after, last
        after = last


def _within(project_id: str, low: int, high: int) -> list[ColumnElement[bool]]:
    # The bounds are said of the annotations, too: a planner without statistics would read all of them each time.
    return [
        Example.project_id == project_id,
        Example.id > low,
        Example.id <= high,
        Annotation.example_id > low,
        Annotation.example_id <= high,
        Example.status != "staged",
    ]


def _spellings(project: Project, labels: Iterable[str]) -> set[str]:
    """The names under which annotations have these labels."""
    task, wanted = get_task(project.task), set(labels)
    every = task.labels(task.parse_schema(project.label_schema))
    return wanted.union(*(label.former for label in every if label.name in wanted))


def _may_have(names: Iterable[str]) -> ColumnElement[bool]:
    """A condition that leaves out most payloads without these names, since the database reads text faster than we do:
    the name stands at the end of a JSON string, maybe behind a prefix."""
    said = cast(Annotation.payload, Text)
    return or_(*(said.contains(orjson.dumps(name).decode()[1:], autoescape=True) for name in names))
