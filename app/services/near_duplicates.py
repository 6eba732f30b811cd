"""Test examples of a version that nearly stand in its train split: counted and listed by a job after the freeze."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from app.db import session_scope
from app.errors import Conflict
from app.i18n import gettext as _
from app.models import ACTIVE_STATES, DatasetVersion, Example, Job, NearDuplicate
from app.services import jobs, version_files, versions
from app.services.access import Actor, project_for
from app.services.batches import Batches

_TELL_EVERY = 5000


@dataclass(frozen=True, slots=True)
class Row:
    """A test example with its near-duplicate. A text is None where its example is not there any more."""

    example_id: int
    text: str | None
    train_id: int
    train_text: str | None
    similarity: float


@dataclass(frozen=True, slots=True)
class Page:
    """Some of them, and the cursor of the next ones."""

    rows: list[Row]
    next_after: int | None


def queue(session: Session, version: DatasetVersion, user_id: str | None = None) -> None:
    """Let a written version be looked through when nothing else waits; there is nothing to do where it has no test or
    no train split."""
    if not (version.counts["splits"]["test"] and version.counts["splits"]["train"]):
        version.near_duplicates = {"examples": 0, "is_complete": True}
        return
    job = jobs.create(
        session,
        kind="near_duplicates",
        queue="cpu",
        project_id=version.project_id,
        created_by=user_id or version.created_by,
        priority=jobs.PRIORITIES["idle"],
    )
    version.near_duplicates_job_id = job.id


def start(session: Session, actor: Actor, project_id: str, number: int) -> None:
    """Look a version through that was not, or not to the end. Raises Conflict while it is looked through, or not
    written."""
    project_for(session, actor, project_id, "manager", write=True)
    version = versions.ready(session, actor, project_id, number)
    job = job_of(session, version)
    if job is not None and job.state in ACTIVE_STATES:
        raise Conflict(_("The version is just being looked through."))
    queue(session, version, actor.user_id)


def job_of(session: Session, version: DatasetVersion) -> Job | None:
    """The job that looks, or has looked, the version through."""
    job_id = version.near_duplicates_job_id
    return session.get(Job, job_id) if job_id else None


def browse(
    session: Session, actor: Actor, project_id: str, number: int, *, after: int = 0, limit: int = 50
) -> Page:
    """The pairs by the ids of the test examples; `after` is the last one of the page before."""
    version = versions.ready(session, actor, project_id, number)
    found = session.scalars(
        select(NearDuplicate)
        .where(NearDuplicate.version_id == version.id, NearDuplicate.example_id > after)
        .order_by(NearDuplicate.example_id)
        .limit(limit + 1)
    ).all()
    shown = found[:limit]
    ids = {number for one in shown for number in (one.example_id, one.train_id)}
    rows = session.execute(select(Example.id, Example.inputs).where(Example.id.in_(ids)))
    texts = {example_id: str(inputs["text"]) for example_id, inputs in rows}
    return Page(
        [
            Row(
                one.example_id,
                texts.get(one.example_id),
                one.train_id,
                texts.get(one.train_id),
                one.similarity,
            )
            for one in shown
        ],
        shown[-1].example_id if len(found) > limit else None,
    )


def run(claim: jobs.Claim) -> None:
    """Look a version through. A later attempt begins anew."""
    # Loaded where it is needed alone: no web process looks for near-duplicates.
    from app.evaluation.near_duplicates import HeldOut

    with session_scope(read_only=True) as session:
        version = session.scalars(
            select(DatasetVersion).where(DatasetVersion.near_duplicates_job_id == claim.job_id)
        ).one()
    total = int(version.counts["examples"])
    test = HeldOut(_texts(claim, version, "test", total))
    pairs = list(test.met_in(_texts(claim, version, "train", total)))
    _clear(claim, version)
    batches = Batches()
    while pairs:
        with batches.transaction() as session:
            jobs.hold(session, claim)
            some, pairs = pairs[: batches.rows], pairs[batches.rows :]
            session.execute(
                insert(NearDuplicate),
                [
                    {
                        "version_id": version.id,
                        "example_id": pair.held_out,
                        "train_id": pair.other,
                        "similarity": pair.similarity,
                    }
                    for pair in some
                ],
            )
    with session_scope() as session:
        found = session.scalars(
            select(NearDuplicate.example_id).where(NearDuplicate.version_id == version.id)
        ).all()
        row = session.get_one(DatasetVersion, version.id)
        row.near_duplicates = {"examples": len(found), "is_complete": test.is_complete}
        jobs.succeed(session, claim, {"done": total, "total": total})


def _texts(
    claim: jobs.Claim, version: DatasetVersion, split: str, total: int
) -> Iterator[tuple[int, str]]:
    for number, example in enumerate(version_files.examples(version), 1):
        if number % _TELL_EVERY == 1:
            told = {"phase": split, "done": number, "total": total}
            if not jobs.renew(claim, told):
                raise jobs.Cancelled
        if example.split == split:
            yield example.id or 0, str(example.inputs["text"])


def _clear(claim: jobs.Claim, version: DatasetVersion) -> None:
    batches = Batches()
    while True:
        with batches.transaction() as session:
            jobs.hold(session, claim)
            own = NearDuplicate.version_id == version.id
            ids = session.scalars(select(NearDuplicate.example_id).where(own).limit(batches.rows))
            some = list(ids)
            if not some:
                return
            session.execute(delete(NearDuplicate).where(own, NearDuplicate.example_id.in_(some)))
