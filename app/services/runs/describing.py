"""What people say of a run: its name, a note, tags, and whether it is put away."""

from collections.abc import Iterable

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from app.errors import InvalidInput
from app.i18n import gettext as _
from app.models import Run, RunTag, now
from app.services.access import Actor
from app.services.runs.reading import managed
from app.services.runs.reading import note as note_change

MAX_NAME, MAX_NOTE, MAX_TAG, MAX_TAGS = 200, 20_000, 50, 20


def describe(
    session: Session,
    actor: Actor,
    run_id: str,
    *,
    name: str | None = None,
    note: str | None = None,
    tags: Iterable[str] | None = None,
    archived: bool | None = None,
) -> None:
    """Change what is given. Raises InvalidInput for an empty or too long name, note or tag."""
    run = managed(session, actor, run_id).run
    if name is not None:
        run.name = _bounded("name", name, MAX_NAME, _("Give the run a name."))
    if note is not None:
        run.note = _bounded("note", note, MAX_NOTE)
    if tags is not None:
        _set_tags(session, run, tags)
    if archived is not None:
        run.archived_at = (run.archived_at or now()) if archived else None
    run.reports += 1
    note_change(session, actor, run, "update")


def tags_of_project(session: Session, project_id: str) -> list[str]:
    """The tags in use, in the order of the alphabet. Who may see the project has been checked."""
    query = (
        select(RunTag.name)
        .join(Run, Run.id == RunTag.run_id)
        .where(Run.project_id == project_id)
        .distinct()
        .order_by(RunTag.name)
    )
    return list(session.scalars(query))


def _set_tags(session: Session, run: Run, tags: Iterable[str]) -> None:
    names = {tag.strip().casefold(): tag.strip() for tag in tags if tag.strip()}
    if len(names) > MAX_TAGS:
        raise InvalidInput.at("tags", _("At most %(n)s tags.", n=MAX_TAGS))
    for name in names.values():
        _bounded("tags", name, MAX_TAG)
        if "," in name:
            raise InvalidInput.at("tags", _("A tag has no comma: “%(tag)s”.", tag=name))
    session.execute(delete(RunTag).where(RunTag.run_id == run.id))
    if names:
        session.execute(
            insert(RunTag), [{"run_id": run.id, "name": name} for name in names.values()]
        )


def _bounded(where: str, text: str, longest: int, if_empty: str = "") -> str:
    text = text.strip()
    if not text and if_empty:
        raise InvalidInput.at(where, if_empty)
    if len(text) > longest:
        raise InvalidInput.at(where, _("At most %(n)s characters.", n=longest))
    if "\x00" in text:
        raise InvalidInput.at(where, _("The input holds something that cannot be stored."))
    return text
