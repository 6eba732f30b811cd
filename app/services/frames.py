"""The frame inventory of an SRL project: senses of predicates and what their roles mean."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import IO, Any

from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import Session

from app.errors import InvalidInput, Problem
from app.formats.base import RowProblem
from app.formats.frames import Roleset as FrameRoleset
from app.formats.frames import read_frames
from app.i18n import gettext as _
from app.models import Roleset
from app.services import audit
from app.services.access import Actor, project_for
from app.tasks.lemmas import candidates, normalise

_CHUNK = 1000
_PROBLEMS = 50


def load(
    session: Session, actor: Actor, project_id: str, stream: IO[bytes], filename: str
) -> tuple[int, list[Problem]]:
    """Read frame files (one XML, a zip or a tar) into the project's inventory.

    A roleset that is there already is replaced. Returns how many were loaded and what could not be read;
    a malformed file costs only itself. Raises InvalidInput when there is nothing to load.
    """
    project_for(session, actor, project_id, "manager", write=True)
    problems: list[Problem] = []
    count = store(session, project_id, _good(read_frames(stream, filename), problems))
    if not count:
        raise InvalidInput(_("There is no PropBank frame in “%(name)s”.", name=filename), problems)
    audit.record(
        session,
        user_id=actor.user_id,
        action="frames.load",
        project_id=project_id,
        subject=filename,
        n=count,
    )
    return count, problems


def _good(
    items: Iterable[FrameRoleset | RowProblem], problems: list[Problem]
) -> Iterator[FrameRoleset]:
    for item in items:
        if not isinstance(item, RowProblem):
            yield item
        elif len(problems) < _PROBLEMS:
            problems.append(Problem(_("line %(n)s", n=item.row), item.message))


def store(session: Session, project_id: str, rolesets: Iterable[FrameRoleset]) -> int:
    """Put rolesets into a project's inventory, by every lemma that they go by; how many there were."""
    count = 0
    for chunk in _batched(rolesets, _CHUNK):
        rows: dict[tuple[str, str], dict[str, Any]] = {}
        for roleset in chunk:
            count += 1
            roles = [{"role": role, "description": text} for role, text in roleset.roles]
            for lemma in {normalise(name) for name in (roleset.lemma, *roleset.aliases)}:
                rows[roleset.id, lemma] = {
                    "project_id": project_id,
                    "sense": roleset.id,
                    "lemma": lemma,
                    "name": roleset.name,
                    "roles": roles,
                }
        session.execute(
            delete(Roleset).where(
                Roleset.project_id == project_id, Roleset.sense.in_({sense for sense, _l in rows})
            )
        )
        session.execute(insert(Roleset), list(rows.values()))
    return count


def count(session: Session, project_id: str) -> int:
    """Rolesets in a project's inventory."""
    return (
        session.scalar(
            select(func.count(Roleset.sense.distinct())).where(Roleset.project_id == project_id)
        )
        or 0
    )


def clear(session: Session, actor: Actor, project_id: str) -> None:
    """Empty the inventory."""
    project_for(session, actor, project_id, "manager", write=True)
    session.execute(delete(Roleset).where(Roleset.project_id == project_id))
    audit.record(session, user_id=actor.user_id, action="frames.clear", project_id=project_id)


def find(session: Session, actor: Actor, project_id: str, word: str) -> list[Roleset]:
    """The rolesets for a word of the text: its lemma, or an inflected form of it."""
    project_for(session, actor, project_id)
    forms = list(candidates(word))
    rows = session.scalars(
        select(Roleset)
        .where(Roleset.project_id == project_id, Roleset.lemma.in_(forms))
        .order_by(Roleset.sense)
    ).all()
    ranked = sorted(rows, key=lambda row: (forms.index(row.lemma), row.sense))
    return list({row.sense: row for row in reversed(ranked)}.values())[::-1]


def _batched(items: Iterable[FrameRoleset], size: int) -> Iterator[tuple[FrameRoleset, ...]]:
    iterator = iter(items)
    while chunk := tuple(islice(iterator, size)):
        yield chunk
