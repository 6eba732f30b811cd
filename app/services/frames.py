"""The frame inventory of an SRL project: senses of predicates and what their roles mean.

Frame files are read by a job: all that is readable in them comes into the inventory, or nothing.
"""

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from itertools import islice
from pathlib import PurePath
from typing import IO, Any

import orjson
from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import Session

from app.db import session_scope
from app.errors import Conflict, InvalidInput, NotFound, Problem, TooLarge
from app.formats.base import RowProblem
from app.formats.frames import Roleset as FrameRoleset
from app.formats.frames import read_frames
from app.i18n import gettext as _
from app.models import ACTIVE_STATES, FrameImport, Job, Project, Roleset, new_id
from app.services import audit, jobs
from app.services.access import Actor, project_for
from app.services.batches import Batches
from app.settings import get_settings
from app.storage import CHUNK, get_storage
from app.tasks.lemmas import candidates, normalise

_CHUNK = 1000
_PROBLEMS = 50
_TELL_EVERY = 200  # rolesets


def frames_key(import_id: str) -> str:
    """Where an uploaded frame file lies until it is read."""
    return f"frames/{import_id}"


def load(actor: Actor, project_id: str, *, filename: str, stream: IO[bytes]) -> FrameImport:
    """Store frame files (one XML, a zip or a tar) and queue the job that reads them into the project's inventory.

    Opens its own sessions, so that a slow upload holds no lock. Raises TooLarge or InvalidInput (an empty file).
    """
    with session_scope(read_only=True) as session:
        project_for(session, actor, project_id, "manager", write=True)
    import_id, size, bound = new_id(), 0, get_settings().max_upload_mb << 20
    with get_storage().writing(frames_key(import_id)) as sink:
        while chunk := stream.read(CHUNK):
            size += len(chunk)
            if size > bound:
                raise TooLarge(_("The file is larger than %(n)s MiB: split it.", n=bound >> 20))
            sink.write(chunk)
        if not size:
            raise InvalidInput.at("file", _("The file is empty."))
    name = PurePath(filename.replace("\\", "/")).name[-300:] or "frames.xml"
    with session_scope() as session:
        project_for(session, actor, project_id, "manager", write=True)
        job = jobs.create(
            session, kind="frames", queue="cpu", project_id=project_id, created_by=actor.user_id
        )
        row = FrameImport(
            id=import_id,
            project_id=project_id,
            job_id=job.id,
            user_id=actor.user_id,
            filename=name,
            size=size,
        )
        session.add(row)
        audit.record(
            session,
            user_id=actor.user_id,
            action="frames.load",
            project_id=project_id,
            subject=name[:100],
        )
    return row


def newest(session: Session, actor: Actor, project_id: str) -> tuple[FrameImport, Job] | None:
    """The last frame file that was loaded, with its job."""
    project_for(session, actor, project_id, "manager")
    row = session.execute(
        select(FrameImport, Job)
        .join(Job, Job.id == FrameImport.job_id)
        .where(FrameImport.project_id == project_id)
        .order_by(FrameImport.created_at.desc(), FrameImport.id)
        .limit(1)
    ).first()
    return (row.FrameImport, row.Job) if row else None


def get(session: Session, actor: Actor, project_id: str, import_id: str) -> tuple[FrameImport, Job]:
    """One frame file with its job. Raises NotFound."""
    project_for(session, actor, project_id, "manager")
    row = session.execute(
        select(FrameImport, Job)
        .join(Job, Job.id == FrameImport.job_id)
        .where(FrameImport.project_id == project_id, FrameImport.id == import_id)
    ).first()
    if row is None:
        raise NotFound(_("There is no such frame file."))
    return row.FrameImport, row.Job


def cancel(session: Session, actor: Actor, project_id: str) -> None:
    """Stop reading the last frame file: nothing of it is kept, unless all of it was read already."""
    project_for(session, actor, project_id, "manager", write=True)
    if found := newest(session, actor, project_id):
        jobs.request_cancel(session, found[1])


def run(claim: jobs.Claim) -> None:
    """Read the frame file that a job is for: first all of it, then what was good in it goes into the inventory.

    A roleset that is there already is replaced; a malformed file of an archive costs only itself. Raises
    InvalidInput when there is nothing to load.
    """
    with session_scope(read_only=True) as session:
        row = session.scalars(select(FrameImport).where(FrameImport.job_id == claim.job_id)).one()
    try:
        with tempfile.TemporaryFile() as spool:
            problems, count = _read(claim, row, spool)
            spool.seek(0)
            batches, done = Batches(), 0
            for chunk in _batched(map(_from_line, spool), _CHUNK):
                done += _store_some(claim, batches, row, chunk)
                jobs.renew(claim, {"phase": "storing", "done": done, "total": count})
        with session_scope() as session:
            jobs.succeed(session, claim, {"done": count, "total": count})
            session.get_one(FrameImport, row.id).report = {"loaded": count, "problems": problems}
    except (jobs.Interrupted, jobs.LostLease):
        raise  # it will be read again
    except BaseException:
        get_storage().remove(frames_key(row.id))
        raise
    get_storage().remove(frames_key(row.id))


def _read(
    claim: jobs.Claim, row: FrameImport, spool: IO[bytes]
) -> tuple[list[dict[str, str]], int]:
    """Write the good rolesets of the file to another, one JSON line each; what could not be read, and how many."""
    problems: list[dict[str, str]] = []
    count = 0
    with get_storage().reading(frames_key(row.id)) as stream:
        for number, item in enumerate(read_frames(stream, row.filename)):
            if number % _TELL_EVERY == 0:
                # The reader may have closed the file.
                done = row.size if stream.closed else min(stream.tell(), row.size)
                told = {"phase": "reading", "done": done, "total": row.size, "rolesets": count}
                if not jobs.renew(claim, told):
                    raise jobs.Cancelled
            if isinstance(item, RowProblem):
                if len(problems) < _PROBLEMS:
                    where = _("line %(n)s", n=item.row)
                    problems.append({"where": where, "message": item.message})
                continue
            count += 1
            spool.write(orjson.dumps(asdict(item), option=orjson.OPT_APPEND_NEWLINE))
    if not count:
        with session_scope() as session:
            jobs.hold(session, claim)
            session.get_one(FrameImport, row.id).report = {"loaded": 0, "problems": problems}
        raise InvalidInput(
            _("There is no PropBank frame in “%(name)s”.", name=row.filename),
            [Problem(**problem) for problem in problems],
        )
    return problems, count


def _from_line(line: bytes) -> FrameRoleset:
    data = orjson.loads(line)
    roles = tuple((role, text) for role, text in data["roles"])
    return FrameRoleset(data["id"], data["lemma"], data["name"], roles, tuple(data["aliases"]))


def _store_some(
    claim: jobs.Claim, batches: Batches, row: FrameImport, rolesets: tuple[FrameRoleset, ...]
) -> int:
    left = rolesets
    while left:
        now, left = left[: batches.rows], left[batches.rows :]
        with batches.transaction() as session:
            jobs.hold(session, claim).attempt = 1
            store(session, row.project_id, now)
    return len(rolesets)


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
            select(func.count(Roleset.sense.distinct()))
            .join(Project, Project.id == Roleset.project_id)
            .where(Roleset.project_id == project_id, Roleset.id > Project.cleared_roleset_id)
        )
        or 0
    )


def clear(session: Session, actor: Actor, project_id: str) -> None:
    """Empty the inventory: nobody sees any of it from now on, and its rows go afterwards. Raises Conflict while a
    frame file is being read."""
    project = project_for(session, actor, project_id, "manager", write=True)
    loading = newest(session, actor, project_id)
    if loading is not None and loading[1].state in ACTIVE_STATES:
        raise Conflict(_("A frame file is just being read: wait for it, or cancel it."))
    project.cleared_roleset_id = session.scalar(select(func.max(Roleset.id))) or 0
    audit.record(session, user_id=actor.user_id, action="frames.clear", project_id=project_id)


def remove_cleared() -> None:
    """Delete the rows of inventories that were emptied."""
    cleared = (
        select(Roleset.id)
        .join(Project, Project.id == Roleset.project_id)
        .where(Roleset.id <= Project.cleared_roleset_id)
    )
    batches, found = Batches(), True
    while found:
        with session_scope(read_only=True) as session:
            ids = session.scalars(cleared.limit(batches.rows)).all()
        found = bool(ids)
        if found:
            with batches.transaction() as session:
                session.execute(delete(Roleset).where(Roleset.id.in_(ids)))


def find(session: Session, actor: Actor, project_id: str, word: str) -> list[Roleset]:
    """The rolesets for a word of the text: its lemma, or an inflected form of it."""
    project = project_for(session, actor, project_id)
    forms = list(candidates(word))
    rows = session.scalars(
        select(Roleset)
        .where(
            Roleset.project_id == project_id,
            Roleset.id > project.cleared_roleset_id,
            Roleset.lemma.in_(forms),
        )
        .order_by(Roleset.sense)
    ).all()
    ranked = sorted(rows, key=lambda row: (forms.index(row.lemma), row.sense))
    return list({row.sense: row for row in reversed(ranked)}.values())[::-1]


def _batched(items: Iterable[FrameRoleset], size: int) -> Iterator[tuple[FrameRoleset, ...]]:
    iterator = iter(items)
    while chunk := tuple(islice(iterator, size)):
        yield chunk
