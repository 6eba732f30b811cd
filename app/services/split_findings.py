"""What a file says of splits and the project does not follow: said before the import, and counted by it."""

from collections import Counter
from collections.abc import Iterable

from app.db import session_scope
from app.i18n import gettext as _
from app.models import Import
from app.services import decided_splits
from app.tasks.content import content_hash


class SplitFindings:
    """Looks at the rows of one import, some thousands at a time."""

    def __init__(self, row: Import, *, is_staged: bool) -> None:
        """`is_staged`: the rows are staged as they are looked at, and need not be remembered here."""
        self._row, self._is_staged = row, is_staged
        self._seen: dict[str, set[str]] = {}

    def find(self, rows: Iterable[tuple[str, str | None]]) -> Counter[str]:
        """What is not followed, with the number of rows, of (text, the split that the file says)."""
        found: Counter[str] = Counter()
        wanted = [(content_hash(text), split) for text, split in rows if split is not None]
        if not wanted:
            return found
        hashes = {digest for digest, _split in wanted}
        project_id = self._row.project_id
        with session_scope(read_only=True) as session:
            decided = decided_splits.recall(session, project_id, hashes)
            said = decided_splits.splits_said(session, project_id, hashes, import_id=self._row.id)
        for digest, split in wanted:
            others = said.setdefault(digest, set()) | self._seen.get(digest, set())
            if decided.get(digest, split) != split:
                found[
                    _(
                        "what the file says of the split, since a version has the text in another: it stays there"
                    )
                ] += 1
            elif others - {split}:
                found[
                    _(
                        "the split of a row whose text stands elsewhere for another one: copies stay together"
                    )
                ] += 1
            said[digest].add(split)
            if not self._is_staged:
                self._seen.setdefault(digest, set()).add(split)
        return found
