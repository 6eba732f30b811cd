"""The job that reads an uploaded file: all of it into staged examples, which nobody sees, or nothing.

When the whole file is good (or its wrong rows may be left out), one short transaction decides that the import
counts (`published_at`), and its rows become visible bit by bit. A worker that dies in between is followed by one
that starts over, or finishes publishing: nothing stays half-imported.
"""

import time
from collections.abc import Iterable, Iterator
from typing import Any, cast

from sqlalchemy import CursorResult, Table, Update, delete, func, or_, select, text, update
from sqlalchemy.orm import Session

from app.db import session_scope
from app.errors import InvalidInput
from app.formats import READERS, encoding_of
from app.formats.base import Record, RowProblem
from app.formats.bounds import batched
from app.i18n import gettext as _
from app.models import Annotation, Example, Import, Project, now
from app.services import contributions, decided_splits, id_findings, jobs, label_sets
from app.services.batches import Batches
from app.services.import_rows import MAX_PROBLEMS, Checker, ImportOptions, Report
from app.services.split_findings import SplitFindings
from app.settings import get_settings
from app.storage import get_storage
from app.tasks.content import content_hash

_BATCH_SIZE = 8 << 20
"""Characters of a batch, roughly."""
_BATCH = 5000
_EXAMPLES, _ANNOTATIONS = cast("Table", Example.__table__), cast("Table", Annotation.__table__)
_TELL_SECONDS = 1.0


def run(claim: jobs.Claim) -> None:
    """Carry out the import that a job is for."""
    with session_scope(read_only=True) as session:
        row = session.scalars(select(Import).where(Import.job_id == claim.job_id)).one()
        project = session.get_one(Project, row.project_id)
    if row.published_at is None:
        try:
            _decide(claim, row, _stage(claim, row, project))
        except jobs.LostLease:
            raise  # what is staged now belongs to whoever took over
        except BaseException:
            take_back(row.id)
            raise
    _publish(claim, row)
    get_storage().remove(f"uploads/{row.id}")


def _stage(claim: jobs.Claim, row: Import, project: Project) -> dict[str, Any]:
    """Read the whole file into staged examples; the report. Raises InvalidInput where nothing is to stay."""
    take_back(row.id)
    options = ImportOptions(**row.options)
    _check_size(claim, row, project, options)
    decided_splits.catch_up(project.id)
    split_findings = SplitFindings(row, is_staged=True)
    checker = Checker(project, options)
    report = Report(new_labels=checker.new_labels, taken_for=checker.taken_for)
    batches = Batches()
    with get_storage().reading(f"uploads/{row.id}") as stream:
        read = options.reading(project)
        guess = encoding_of(stream, row.format, read)
        report.encoding, report.encoding_is_certain = guess.encoding, guess.is_certain
        records = READERS[row.format].read(stream, project.task, read)
        for batch in _batches(records):
            good = list(checker.check(batch, report))
            report.unused.update(
                split_findings.find((item[0].text, options.split or item[0].split) for item in good)
            )
            while good:
                rows, good = good[: batches.rows], good[batches.rows :]
                _insert(claim, batches, row, rows, options, report)
            progress = {
                "phase": "reading",
                # A reader that is through may have closed the file.
                "done": row.size if stream.closed else min(stream.tell(), row.size),
                "total": row.size,
                "rows": report.read,
            }
            if not jobs.renew(claim, progress):
                raise jobs.Cancelled
            if report.rejected >= MAX_PROBLEMS and options.on_error == "stop":
                break
    if report.has_ids:
        report.unused.update(id_findings.among_staged(row.id))
    result = report.as_json()
    stopped = not report.read or (report.rejected > 0 and options.on_error == "stop")
    with session_scope() as session:
        jobs.hold(session, claim)
        session.get_one(Import, row.id).report = result
    if stopped and report.rejected:
        raise InvalidInput(
            _(
                "Row %(row)s cannot be read, so nothing was imported. Mend it, or leave it out. %(message)s",
                row=report.problems[0]["row"],
                message=report.problems[0]["message"],
            )
            if report.rejected == 1
            else _(
                "%(n)s rows cannot be read, so nothing was imported. Mend them, or leave them out. "
                "The first: row %(row)s: %(message)s",
                n=f"{report.rejected}+" if report.rejected >= MAX_PROBLEMS else report.rejected,
                row=report.problems[0]["row"],
                message=report.problems[0]["message"],
            )
        )
    if stopped:
        raise InvalidInput(_("The file holds no rows."))
    return result


def _check_size(claim: jobs.Claim, row: Import, project: Project, options: ImportOptions) -> None:
    """Read the file once and keep nothing of it: what unpacks to too much, or has too many rows, is refused before
    anything is staged. Reading is a small part of an import's time. Raises InvalidInput."""
    bound = get_settings().max_import_rows
    tell_at = time.monotonic() + _TELL_SECONDS
    with get_storage().reading(f"uploads/{row.id}") as stream:
        records = READERS[row.format].read(stream, project.task, options.reading(project))
        for number, _item in enumerate(records, 1):
            if number > bound:
                raise InvalidInput.at(
                    "file", _("The file has more than %(n)s rows: split it.", n=f"{bound:,}")
                )
            if time.monotonic() > tell_at:
                told = {"phase": "checking", "done": 0, "total": row.size, "rows": number}
                if not jobs.renew(claim, told):
                    raise jobs.Cancelled
                tell_at = time.monotonic() + _TELL_SECONDS


def _insert(
    claim: jobs.Claim,
    batches: Batches,
    row: Import,
    good: list[tuple[Record, dict[str, Any], dict[str, Any] | None]],
    options: ImportOptions,
    report: Report,
) -> None:
    """Stage some rows in one short transaction; what can be prepared is prepared before it."""
    hashes = [content_hash(record.text) for record, _inputs, _annotation in good]
    seen = known_texts(row, set(hashes))
    examples: list[dict[str, Any]] = []
    annotations: list[dict[str, Any] | None] = []
    for (record, inputs, annotation), digest in zip(good, hashes, strict=True):
        if digest in seen:
            report.duplicates += 1
            if options.on_duplicate == "skip":
                continue
        seen.add(digest)
        examples.append(
            {
                "project_id": row.project_id,
                "import_id": row.id,
                "external_id": record.external_id,
                "inputs": inputs,
                "meta": record.meta,
                "content_hash": digest,
                "split": options.split or record.split,
                "status": "staged",
            }
        )
        annotations.append(annotation)
    if not examples:
        return
    with batches.transaction() as session:
        jobs.hold(session, claim)
        ids = _new_ids(session, len(examples))
        for example, example_id in zip(examples, ids, strict=True):
            example["id"] = example_id
        # Plain executemany of the driver's: giving ids back row by row takes several times as long.
        session.connection().execute(_EXAMPLES.insert(), examples)
        said = [
            {
                "project_id": row.project_id,
                "example_id": example_id,
                "user_id": None,
                "source": "import",
                "revision": 1,
                "payload": annotation,
            }
            for example_id, annotation in zip(ids, annotations, strict=True)
            if annotation is not None
        ]
        if said:
            session.connection().execute(_ANNOTATIONS.insert(), said)
    report.labelled += len(said)


def known_texts(row: Import, hashes: set[str]) -> set[str]:
    """Which of these texts the project has, or this import has staged."""
    with session_scope(read_only=True) as session:
        return set(
            session.scalars(
                select(Example.content_hash).where(
                    Example.project_id == row.project_id,
                    Example.content_hash.in_(hashes),
                    # What another import has staged may never come to be seen.
                    or_(Example.status != "staged", Example.import_id == row.id),
                )
            )
        )


def _new_ids(session: Session, count: int) -> list[int]:
    """Ids for so many examples, in order. On SQLite the transaction has the write lock, so nobody else takes them."""
    if session.connection().dialect.name == "postgresql":
        sequence = func.pg_get_serial_sequence("examples", "id")
        new = select(func.nextval(sequence)).select_from(func.generate_series(1, count))
        return sorted(session.scalars(new))
    given = session.scalar(text("SELECT seq FROM sqlite_sequence WHERE name = 'examples'")) or 0
    return list(range(given + 1, given + 1 + count))


def _decide(claim: jobs.Claim, row: Import, report: dict[str, Any]) -> None:
    """From this moment the import counts, all of it: versions that are asked for from now on hold every row."""
    with session_scope() as session:
        jobs.hold(session, claim)
        project = label_sets.locked(session, row.project_id)
        label_sets.add_used(project, report["labels"])
        session.get_one(Import, row.id).published_at = now()


def _publish(claim: jobs.Claim, row: Import) -> None:
    """Make the staged examples visible bit by bit; the last step ends the job with them."""
    batches, after, done = Batches(), _published_up_to(row), False
    while not done:
        with batches.transaction() as session:
            # Each step is one that no later attempt repeats, so their number begins anew: what is half
            # visible must not be given up.
            jobs.hold(session, claim).attempt = 1
            last = next_rows(session, row.id, after, batches.rows)
            if last is None:
                done = True
                jobs.succeed(session, claim, {"done": row.size, "total": row.size})
            else:
                _show(session, row, after, last)
                after = last
        if not done:
            jobs.renew(claim, {"phase": "publishing", "done": row.size, "total": row.size})


def _published_up_to(row: Import) -> int:
    """The id up to which an earlier attempt has published."""
    is_row = (Example.project_id == row.project_id) & (Example.import_id == row.id)
    first = select(func.min(Example.id)).where(is_row, Example.status == "staged")
    last = select(func.max(Example.id)).where(is_row)
    with session_scope(read_only=True) as session:
        staged = session.scalar(first)
        return staged - 1 if staged is not None else session.scalar(last) or 0


def next_rows(session: Session, import_id: str, after: int, limit: int) -> int | None:
    """An id up to which there are some examples of an import after `after`, at most so many; None at the end.

    A range of ids rather than the LIMIT of a list: PostgreSQL without statistics, as just after a large import, would
    sort all that is left each time. And what was done with those before costs nothing.
    """
    first = session.scalar(
        select(func.min(Example.id)).where(Example.import_id == import_id, Example.id > after)
    )
    return None if first is None else first + limit - 1


def _show(session: Session, row: Import, after: int, last: int) -> None:
    """Show the examples up to `last`, those with an annotation as labelled, and count them."""
    staged = (
        (Example.import_id == row.id)
        & (Example.id > after)
        & (Example.id <= last)
        & (Example.status == "staged")
    )
    # The bounds are said of the annotations, too: a planner without statistics would read all of them each time.
    said = (
        (Annotation.example_id == Example.id)
        & (Annotation.example_id > after)
        & (Annotation.example_id <= last)
    )
    labelled = _update(
        session,
        update(Example).where(staged, said).values(status="labelled", gold_id=Annotation.id),
    )
    others = _update(session, update(Example).where(staged).values(status="open"))
    contributions.add(session, row.project_id, {}, examples=labelled + others, labelled=labelled)


def _update(session: Session, statement: Update) -> int:
    result = session.execute(statement.execution_options(synchronize_session=False))
    return cast("CursorResult[Any]", result).rowcount


def take_back(import_id: str) -> None:
    """Take back what an import has staged (annotations go with their examples)."""
    batches, after = Batches(), 0
    while True:
        with batches.transaction() as session:
            last = next_rows(session, import_id, after, batches.rows)
            if last is None:
                return
            session.execute(
                delete(Example)
                .where(
                    Example.import_id == import_id,
                    Example.id > after,
                    Example.id <= last,
                    Example.status == "staged",
                )
                .execution_options(synchronize_session=False)
            )
            after = last


def _batches(items: Iterable[Record | RowProblem]) -> Iterator[list[Record | RowProblem]]:
    return batched(items, count=_BATCH, weight=_BATCH_SIZE, weigh=_weight)


def _weight(item: Record | RowProblem) -> int:
    if isinstance(item, RowProblem):
        return len(item.message)
    parts = sum(len(v) for v in (item.annotation or {}).values() if isinstance(v, list))
    return len(item.text) + 20 * len(item.tokens or ()) + 100 * parts
