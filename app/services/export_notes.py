"""What a format cannot say of a version: gone through once, and kept beside the exports."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import orjson

from app.errors import Gone
from app.formats.archive import SPLITS
from app.formats.base import Record, Writer
from app.i18n import LOCALES, get_locale, ngettext, set_locale
from app.i18n import gettext as _
from app.services.export_files import Plan
from app.services.version_files import exports_key
from app.services.version_records import VersionRecords
from app.storage import get_storage

MAX_NOTES = 200


@dataclass(frozen=True, slots=True)
class Note:
    """Something of one example that a format cannot say."""

    example_id: int
    message: str


@dataclass(frozen=True, slots=True)
class Notes:
    """The first notes, and how many examples have one."""

    notes: list[Note]
    examples: int
    by_split: dict[str, int] = field(default_factory=dict)
    """How many of them each split has."""
    remarks: list[str] = field(default_factory=list)
    """What is to be known of the whole file."""


def find(plan: Plan) -> Notes | None:
    """The notes, if they need no reading of the version or were gathered before."""
    if not _has_any(plan.writer):
        return Notes([], 0, remarks=_remarks(plan))
    try:
        with get_storage().reading(_key(plan)) as stream:
            kept = orjson.loads(stream.read())
            said = kept["notes"][get_locale()]
            return Notes(
                [Note(*note) for note in said], kept["examples"], kept["by_split"], _remarks(plan)
            )
    except (Gone, ValueError, LookupError, TypeError):
        return None


def gather(plan: Plan, on_record: Callable[[VersionRecords], object] = lambda _seen: None) -> Notes:
    """Go through the version and keep what is found. `on_record` is told after each example."""
    records = VersionRecords(plan.version)
    by_split: Counter[str] = Counter()
    noted: list[Record] = []
    count = 0
    for record in records:
        messages = plan.writer.check(record, plan.task)
        if messages:
            by_split[record.split or "train"] += 1
            if count < MAX_NOTES:
                noted.append(record)
            count += len(messages)
        on_record(records)
    kept = {
        "examples": by_split.total(),
        "by_split": {split: by_split[split] for split in SPLITS if by_split[split]},
        "notes": {locale: _said(plan, noted, locale) for locale in LOCALES},
    }
    with get_storage().writing(_key(plan)) as sink:
        sink.write(orjson.dumps(kept))
    return find(plan) or Notes([], 0)


def _said(plan: Plan, noted: list[Record], locale: str) -> list[tuple[int, str]]:
    """The first notes in one of our languages."""
    before = get_locale()
    set_locale(locale)
    try:
        found = [(r.row, message) for r in noted for message in plan.writer.check(r, plan.task)]
        return found[:MAX_NOTES]
    finally:
        set_locale(before)


def _has_any(writer: Writer) -> bool:
    """Whether there is something that the format cannot say."""
    return type(writer).check is not Writer.check


def _key(plan: Plan) -> str:
    return f"{exports_key(plan.version.id)}/{plan.options.format}-notes-{plan.program}"


def _remarks(plan: Plan) -> list[str]:
    writer, splits = plan.writer, plan.version.counts.get("splits", {})
    remarks = []
    if writer.leaves_out:
        parts = ", ".join(_(part) for part in writer.leaves_out)
        remarks.append(_("Not in this format: %(parts)s.", parts=parts))
    others = splits.get("validation", 0) + splits.get("test", 0)
    is_said = writer.splits == "said" or plan.options.comments
    if plan.options.split == "all" and not is_said and others:
        remarks.append(
            ngettext(
                "All splits stand in one file, which does not say which example is of which: %(n)s example of "
                "validation and test would be trained on. Take each split in a file of its own, or one of them.",
                "All splits stand in one file, which does not say which example is of which: %(n)s examples of "
                "validation and test would be trained on. Take each split in a file of its own, or one of them.",
                others,
            )
        )
    return remarks
