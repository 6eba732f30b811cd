"""The job that reads an uploaded file: all of it into staged examples, which nobody sees, or nothing.

When the whole file is good (or its wrong rows may be left out), one short transaction decides that the import
counts (`published_at`), and its rows become visible bit by bit. A worker that dies in between is followed by one
that starts over, or finishes publishing: nothing stays half-imported.
"""

import time
from collections.abc import Iterator
from itertools import islice
from typing import Any, cast

from sqlalchemy import Table, bindparam, delete, func, or_, select, update
from sqlalchemy.orm import Session

from app.db import session_scope
from app.errors import InvalidInput
from app.formats import READERS, encoding_of
from app.formats.base import Record, RowProblem
from app.formats.packed import is_packed
from app.i18n import gettext as _
from app.i18n import ngettext
from app.models import Annotation, Example, Import, Project, now
from app.services import (
    bulk,
    contributions,
    decided_splits,
    id_findings,
    import_matches,
    import_updates,
    jobs,
    label_sets,
)
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
_EXAMPLE_COLUMNS = (
    "id", "project_id", "import_id", "status", "created_at",
    "external_id", "split", "content_hash", "inputs", "meta",
)  # fmt: skip
_ANNOTATION_COLUMNS = (
    "example_id", "project_id", "source", "revision", "comment", "is_proposal", "created_at", "payload",
)  # fmt: skip
_TELL_SECONDS = 0.5


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
    if row.options.get("on_duplicate") == "update":
        import_updates.apply(claim, row)
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
    batches, tell_at = Batches(), 0.0
    with get_storage().reading(f"uploads/{row.id}") as stream:
        read = options.reading(project)
        guess = encoding_of(stream, row.format, read)
        report.encoding, report.encoding_is_certain = guess.encoding, guess.is_certain
        records = READERS[row.format].read(stream, project.task, read)
        for batch in _batches(_bounded(records), batches):
            good = list(checker.check(batch, report))
            report.unused.update(
                split_findings.find((item[0].text, options.split or item[0].split) for item in good)
            )
            if options.on_duplicate == "update":
                good = import_matches.stage(claim, batches, row, project, good, report)
            if good:
                _insert(claim, batches, row, good, options, report)
            if time.monotonic() >= tell_at:
                progress = {
                    "phase": "reading",
                    # A reader that is through may have closed the file.
                    "done": row.size if stream.closed else min(stream.tell(), row.size),
                    "total": row.size,
                    "rows": report.read,
                }
                if not jobs.renew(claim, progress):
                    raise jobs.Cancelled
                tell_at = time.monotonic() + _TELL_SECONDS
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
        is_exact = report.rejected_is_exact and report.rejected < MAX_PROBLEMS
        raise InvalidInput(
            ngettext(
                "%(n)s row cannot be read, so nothing was imported. Mend it, or leave it out: row %(row)s: %(message)s",
                "%(n)s rows cannot be read, so nothing was imported. Mend them, or leave them out. "
                "The first: row %(row)s: %(message)s",
                report.rejected if is_exact else 2,
                n=report.rejected if is_exact else f"{report.rejected}+",
                row=report.problems[0]["row"],
                message=report.problems[0]["message"],
            )
        )
    if stopped:
        raise InvalidInput(_("The file holds no rows."))
    return result


def _check_size(claim: jobs.Claim, row: Import, project: Project, options: ImportOptions) -> None:
    """Read a file that may hold more than its size says once, and keep nothing of it: what unpacks to too much, or to
    too many rows, is refused before anything is staged. Raises InvalidInput."""
    tell_at = time.monotonic() + _TELL_SECONDS
    with get_storage().reading(f"uploads/{row.id}") as stream:
        if not is_packed(stream):
            return
        records = READERS[row.format].read(stream, project.task, options.reading(project))
        for number, _item in enumerate(_bounded(records), 1):
            if time.monotonic() > tell_at:
                told = {"phase": "checking", "done": 0, "total": row.size, "rows": number}
                if not jobs.renew(claim, told):
                    raise jobs.Cancelled
                tell_at = time.monotonic() + _TELL_SECONDS


def _bounded(items: Iterator[Record | RowProblem]) -> Iterator[Record | RowProblem]:
    """The same, as many as a file may have. Raises InvalidInput."""
    bound = get_settings().max_import_rows
    for number, item in enumerate(items, 1):
        if number > bound:
            raise InvalidInput.at(
                "file", _("The file has more than %(n)s rows: split it.", n=f"{bound:,}")
            )
        yield item


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
    examples: list[bulk.Row] = []
    payloads: list[tuple[int, str]] = []
    """Each with the place of its example."""
    for (record, inputs, annotation), digest in zip(good, hashes, strict=True):
        if digest in seen:
            report.duplicates += 1
            if options.on_duplicate == "skip":
                continue
        seen.add(digest)
        if annotation is not None:
            payloads.append((len(examples), bulk.as_json(annotation)))
        own = (record.external_id, options.split or record.split, digest)
        examples.append((*own, bulk.as_json(inputs), bulk.as_json(record.meta)))
    if not examples:
        return
    with batches.transaction() as session:
        jobs.hold(session, claim)
        connection = session.connection()
        ids = bulk.new_ids(connection, _EXAMPLES, len(examples))
        moment = bulk.stored(connection, _EXAMPLES, "created_at", now())
        bulk.insert_rows(
            connection,
            _EXAMPLES,
            _EXAMPLE_COLUMNS,
            [
                (number, row.project_id, row.id, "staged", moment, *own)
                for number, own in zip(ids, examples, strict=True)
            ],
        )
        bulk.insert_rows(
            connection,
            _ANNOTATIONS,
            _ANNOTATION_COLUMNS,
            [
                (ids[place], row.project_id, "import", 1, "", False, moment, payload)
                for place, payload in payloads
            ],
        )
    report.labelled += len(payloads)


def known_texts(row: Import, hashes: set[str]) -> set[str]:
    """Which of these texts the project has, or this import has staged."""
    with session_scope(read_only=True) as session:
        return set(
            session.scalars(
                select(Example.content_hash).where(
                    Example.project_id == row.project_id,
                    bulk.among(session.connection(), Example.content_hash, list(hashes)),
                    # What another import has staged may never come to be seen.
                    or_(Example.status != "staged", Example.import_id == row.id),
                )
            )
        )


def _decide(claim: jobs.Claim, row: Import, report: dict[str, Any]) -> None:
    """From this moment the import counts, all of it: versions that are asked for from now on hold every row."""
    with session_scope() as session:
        jobs.hold(session, claim)
        project = label_sets.locked(session, row.project_id)
        label_sets.add_used(project, report["labels"])
        session.get_one(Import, row.id).published_at = now()


def _publish(claim: jobs.Claim, row: Import) -> None:
    """Make the staged examples visible bit by bit; the last step ends the job with them."""
    batches, after, done, tell_at = Batches(), _published_up_to(row), False, 0.0
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
        if not done and time.monotonic() >= tell_at:
            jobs.renew(claim, {"phase": "publishing", "done": row.size, "total": row.size})
            tell_at = time.monotonic() + _TELL_SECONDS


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
    bounds = {"of": row.id, "after": after, "last": last}
    labelled, others = (
        session.connection().execute(statement, bounds).rowcount
        for statement in (_SHOW_LABELLED, _SHOW_OTHERS)
    )
    contributions.add(session, row.project_id, {}, examples=labelled + others, labelled=labelled)


_STAGED = (
    (_EXAMPLES.c.import_id == bindparam("of"))
    & (_EXAMPLES.c.id > bindparam("after"))
    & (_EXAMPLES.c.id <= bindparam("last"))
    & (_EXAMPLES.c.status == "staged")
)
# The bounds are said of the annotations, too: a planner without statistics would read all of them each time.
_SAID = (
    (_ANNOTATIONS.c.example_id == _EXAMPLES.c.id)
    & (_ANNOTATIONS.c.example_id > bindparam("after"))
    & (_ANNOTATIONS.c.example_id <= bindparam("last"))
)
_SHOW_LABELLED = (
    update(_EXAMPLES).where(_STAGED, _SAID).values(status="labelled", gold_id=_ANNOTATIONS.c.id)
)
_SHOW_OTHERS = update(_EXAMPLES).where(_STAGED).values(status="open")


def take_back(import_id: str) -> None:
    """Take back what an import has staged (annotations go with their examples)."""
    import_updates.forget(import_id)
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


def _batches(
    items: Iterator[Record | RowProblem], batches: Batches
) -> Iterator[list[Record | RowProblem]]:
    """As many as one transaction is to touch: what is prepared between two of them is the pause that others have."""
    while True:
        batch: list[Record | RowProblem] = []
        size = 0
        for item in islice(items, min(_BATCH, batches.rows)):
            batch.append(item)
            size += _weight(item)
            if size >= _BATCH_SIZE:
                break
        if not batch:
            return
        yield batch


def _weight(item: Record | RowProblem) -> int:
    if isinstance(item, RowProblem):
        return len(item.message)
    parts = sum(len(v) for v in (item.annotation or {}).values() if isinstance(v, list))
    return len(item.text) + 20 * len(item.tokens or ()) + 100 * parts
