"""What changed from one version to another: examples added, removed, relabelled, moved to another split."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from sqlalchemy.orm import Session

from app.formats.example import StoredExample, id_of, read_line
from app.models import DatasetVersion, Project
from app.services.access import Actor, project_for
from app.services.annotating import brief
from app.services.label_names import Today
from app.services.version_files import lines
from app.services.versions import ready
from app.tasks import get_task

Kind = Literal["added", "removed", "relabelled", "moved"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class Side:
    """An example as one version has it."""

    split: str
    annotation: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """An example that is not the same in both versions."""

    example_id: int
    text: str
    kinds: tuple[Kind, ...]
    before: Side | None
    """None: the earlier version does not have it."""
    after: Side | None


@dataclass(frozen=True, slots=True)
class VersionDiff:
    """How two versions of a project differ."""

    counts: dict[Kind, int]
    """Examples; one that is relabelled and moved counts as both."""
    unchanged: int
    labels: dict[str, tuple[int, int]]
    """How often each label is used, before and after, where that differs."""
    changes: list[Change]
    """Some of them, by their ids."""
    next_after: int | None
    """The `after` of the following ones."""


def diff(
    session: Session,
    actor: Actor,
    project_id: str,
    base: int,
    number: int,
    *,
    kind: Kind | None = None,
    after: int = 0,
    limit: int = 50,
) -> VersionDiff:
    """What changed from version `base` to version `number`, and the first changes (of a kind) after an example.

    Labels are compared under their names in the newer of the two: a label that was renamed or merged in between is no
    change of what was said. Both files are read once, in the order of their examples; nothing but the changes that are
    shown is kept. Raises NotFound, Conflict where one is not written, Gone or Damaged.
    """
    project = project_for(session, actor, project_id)
    earlier = ready(session, actor, project_id, base)
    later = ready(session, actor, project_id, number)
    today = Today(project, max(earlier, later, key=lambda version: version.number))
    session.close()  # reading the files takes a while
    counts: Counter[Kind] = Counter(dict.fromkeys(KINDS, 0))
    shown: list[Change] = []
    more = False
    unchanged = 0
    for old, new in _pairs(earlier, later):
        if old is not None and old == new:
            unchanged += 1
            continue
        change = _change(old, new, today)
        if change is None:
            unchanged += 1
            continue
        counts.update(change.kinds)
        if change.example_id <= after or (kind is not None and kind not in change.kinds):
            continue
        if len(shown) < limit:
            shown.append(change)
        else:
            more = True
    return VersionDiff(
        counts=dict(counts),
        unchanged=unchanged,
        labels=_labels(earlier, later, today),
        changes=shown,
        next_after=shown[-1].example_id if more else None,
    )


def in_words(project: Project, change: Change) -> tuple[str, str]:
    """What the annotation of a changed example said before and says after, in a few words."""
    task = get_task(project.task)

    def words(side: Side | None) -> str:
        return brief(task, side.annotation if side else None, {"text": change.text})

    return words(change.before), words(change.after)


def _pairs(
    earlier: DatasetVersion, later: DatasetVersion
) -> Iterator[tuple[bytes | None, bytes | None]]:
    """The lines of each example in both versions; None where one does not have it."""
    olds, news = lines(earlier), lines(later)
    old, new = next(olds, None), next(news, None)
    while old is not None or new is not None:
        old_id = None if old is None else id_of(old)
        new_id = None if new is None else id_of(new)
        if new_id is None or (old_id is not None and old_id < new_id):
            yield old, None
            old = next(olds, None)
        elif old_id is None or new_id < old_id:
            yield None, new
            new = next(news, None)
        else:
            yield old, new
            old, new = next(olds, None), next(news, None)


def _change(old: bytes | None, new: bytes | None, today: Today) -> Change | None:
    before, after = (None if line is None else _read(line, today) for line in (old, new))
    kinds: tuple[Kind, ...]
    if before is None:
        kinds = ("added",)
    elif after is None:
        kinds = ("removed",)
    else:
        found: list[Kind] = []
        if before.annotation != after.annotation:
            found.append("relabelled")
        if before.split != after.split:
            found.append("moved")
        kinds = tuple(found)
    shown = after or before
    if not kinds or shown is None:
        return None
    return Change(
        example_id=shown.id or 0,
        text=shown.inputs["text"],
        kinds=kinds,
        before=None if before is None else Side(before.split, before.annotation or {}),
        after=None if after is None else Side(after.split, after.annotation or {}),
    )


def _read(line: bytes, today: Today) -> StoredExample:
    example = read_line(line)
    return replace(example, annotation=today(example.annotation))


def _labels(
    earlier: DatasetVersion, later: DatasetVersion, today: Today
) -> dict[str, tuple[int, int]]:
    old, new = (today.counts(version.counts.get("labels", {})) for version in (earlier, later))
    names = dict.fromkeys([*new, *old])
    return {
        name: (old.get(name, 0), new.get(name, 0))
        for name in names
        if old.get(name, 0) != new.get(name, 0)
    }
