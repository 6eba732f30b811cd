"""What a format that has no place for it leaves unsaid of an example, in the same words for each."""

from app.formats.base import Record
from app.i18n import gettext as _


def unsaid(record: Record, *, external_id: bool = True, tokens: bool = True) -> list[str]:
    """Sentences on the meta, and on the id and the source's tokens unless the format says them."""
    notes = []
    if record.meta:
        notes.append(_("What is kept beside the text (meta) is not written."))
    if external_id and record.external_id is not None:
        notes.append(_("Its id is not written."))
    if tokens and record.tokens is not None:
        notes.append(_("The tokens of its source are not written."))
    return notes
