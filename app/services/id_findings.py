"""External ids that a file has more than once: said before the import, and counted by it."""

from collections import Counter
from collections.abc import Iterable

from sqlalchemy import func, select

from app.db import session_scope
from app.i18n import gettext as _
from app.models import Example


def among(ids: Iterable[str | None]) -> Counter[str]:
    """What is to be said of these ids, with the number of rows that have one which stood before."""
    counts = Counter(one for one in ids if one is not None)
    return _said(counts.total() - len(counts))


def among_staged(import_id: str) -> Counter[str]:
    """The same of all that an import has staged."""
    rows = select(func.count(), func.count(Example.external_id.distinct())).where(
        Example.import_id == import_id, Example.external_id.is_not(None)
    )
    with session_scope(read_only=True) as session:
        total, distinct = session.execute(rows).one()
    return _said(total - distinct)


def _said(rows: int) -> Counter[str]:
    text = _("the id as a name of one row alone: another row of the file has the same")
    return Counter({text: rows} if rows else {})
