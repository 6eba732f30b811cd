"""Rows of a file against the project that they are for: the same checks for the preview and for the import."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal

from pydantic import Field

from app.errors import InvalidInput, Problem
from app.formats.base import Preview, ReadOptions, Record, RowProblem
from app.i18n import gettext as _
from app.models import Project
from app.storable import unstorable
from app.strict import StrictModel
from app.tasks import get_task
from app.tasks.base import Label

MAX_PROBLEMS = 200
MAX_EXTERNAL_ID = 300
"""Characters."""
MAX_NEW_LABELS = 500
"""That a file may bring: with more, the column that was taken for the label is another one."""


class ImportOptions(StrictModel):
    """How a file is to be read, and what to do with what does not fit."""

    format: str | None = None
    """A reader's name; None: by the file's name and its first bytes."""
    read: ReadOptions = Field(default_factory=ReadOptions)
    on_error: Literal["stop", "skip"] = "stop"
    """Wrong rows: import nothing, or leave them out."""
    on_duplicate: Literal["keep", "skip", "update"] = "keep"
    """Texts that the project has already: import them again, leave them out, or let what the file says of them be
    labels where nobody has labelled, and suggestions beside what stands (by `external_id`, else by the text)."""
    new_labels: Literal["add", "reject"] = "add"
    """Labels that the schema lacks: add them, or treat their rows as wrong."""
    split: Literal["train", "validation", "test"] | None = None
    """Put the whole file into one split; None: by content, or as the rows say."""

    def reading(self, project: Project) -> ReadOptions:
        """How the file is to be read in this project."""
        language = self.read.language or project.language
        return self.read.model_copy(update={"language": language})


@dataclass
class Report:
    """What has been read so far."""

    encoding: str = ""
    """Empty for what is no text."""
    encoding_is_certain: bool = True
    read: int = 0
    labelled: int = 0
    duplicates: int = 0
    rejected: int = 0
    rejected_is_exact: bool = True
    """False where some rows cannot be told apart: then it is the least that there may be."""
    matched: int = 0
    """Rows about texts that the project has already, where these are to be updated."""
    updates: dict[str, int] = field(default_factory=dict)
    """What became of them, once the import counts: {"label", "suggestion", "same"}."""
    new_labels: list[str] = field(default_factory=list)
    labels: set[str] = field(default_factory=set)
    """All that its annotations use."""
    taken_for: dict[str, str] = field(default_factory=dict)
    """Labels of the file that differ from the project's only in case or blanks, and what they became."""
    unused: Counter[str] = field(default_factory=Counter)
    """What rows hold that was neither read nor kept beside the text, with the number of rows."""
    problems: list[dict[str, Any]] = field(default_factory=list)
    has_ids: bool = False
    """Whether any good row has an external id."""

    def reject(self, row: int, message: str, column: str | None = None) -> None:
        self.rejected += 1
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append({"row": row, "column": column, "message": message})

    def as_json(self) -> dict[str, Any]:
        found = vars(self) | {"labels": sorted(self.labels)}
        del found["has_ids"]
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportPreview(Preview):
    """The beginning of a file as it will be imported: the good rows as they will be stored, the others as problems."""

    unused: dict[str, int]
    """What these rows hold that is neither read nor kept beside the text, with the number of rows."""
    new_labels: list[str]
    taken_for: dict[str, str]
    duplicates: int = 0
    """Of these rows, those whose text the project has already."""
    updates: dict[str, int] = field(default_factory=dict)
    """Where texts are to be updated: of these rows, those that match ("matched"), and what would become of them."""
    labels: list[str] = field(default_factory=list)
    """All that the file uses, as far as it was looked through."""


class Checker:
    """Checks records against the project; learns the labels that the schema lacks, where it may."""

    def __init__(self, project: Project, options: ImportOptions) -> None:
        self.task = get_task(project.task)
        self.schema = self.task.parse_schema(project.label_schema)
        self.options = options
        self.new_labels: list[str] = []
        self.taken_for: dict[str, str] = {}
        labels = self.task.labels(self.schema)
        self._known = {label.name for label in labels}
        self._alike = alike(labels)
        self._former = {old: label.name for label in labels for old in label.former}
        self._retired = {label.name for label in labels if label.retired}

    def check(
        self, items: Iterable[Record | RowProblem], report: Report
    ) -> Iterator[tuple[Record, dict[str, Any], dict[str, Any] | None]]:
        """(record, inputs, annotation) of the good ones; the others go to the report."""
        for item in items:
            if isinstance(item, RowProblem):
                report.reject(item.row, item.message, item.column)
                report.rejected_is_exact &= not item.is_several
                continue
            if reason := unstorable(item.external_id) or (item.meta and unstorable(item.meta)):
                report.reject(item.row, _("A field beside the text: %(reason)s", reason=reason))
                continue
            if len(item.external_id or "") > MAX_EXTERNAL_ID:
                report.reject(
                    item.row,
                    _("The external id is longer than %(n)s characters.", n=MAX_EXTERNAL_ID),
                )
                continue
            try:
                inputs = self.task.parse_inputs({"text": item.text, "tokens": item.tokens})
                annotation = None
                if item.annotation is not None:
                    payload = item.parsed or self.task.parse_payload(item.annotation)
                    names = set(self.task.label_names(payload))
                    if not names <= self._known:
                        payload = self.task.map_labels(payload, self._name_of)
                        names = set(self.task.label_names(payload))
                        self._learn(names)
                    if retired := names & self._retired:
                        reason = _("The label “%(name)s” is not given any more.", name=min(retired))
                        raise InvalidInput(reason)
                    annotation = self.task.accept(payload, inputs, self.schema)
                    report.labels |= names
            except InvalidInput as error:
                first = error.problems[0] if error.problems else Problem("", error.message)
                report.reject(item.row, first.message)
                continue
            report.read += 1
            report.has_ids = report.has_ids or item.external_id is not None
            report.unused.update(item.unused)
            yield item, inputs.model_dump(mode="json", exclude_none=True), annotation

    def _name_of(self, name: str) -> str:
        """The project's name for a label of the file: a former name, and one that differs in case or blanks alone, are
        the same label's."""
        if name in self._known:
            return name
        bare = name.strip()
        found = self._former.get(bare) or self._alike.get(bare.casefold(), bare)
        if found != name and found in self._known:
            self.taken_for[name] = found
        return found

    def _learn(self, names: set[str]) -> None:
        if self.options.new_labels != "add":
            return
        names = names - self._known
        if len(self.new_labels) + len(names) > MAX_NEW_LABELS:
            raise InvalidInput.at(
                "label",
                _(
                    "The file has more than %(n)s labels that the project lacks. Is another column the label?",
                    n=MAX_NEW_LABELS,
                ),
            )
        if names:
            self.schema = self.task.extend_schema(self.schema, sorted(names))
            self._known |= names
            self._alike = alike(self.task.labels(self.schema))
            self.new_labels.extend(sorted(names))


def alike(labels: Sequence[Label]) -> dict[str, str]:
    """The names of labels by their names and titles without regard to case; without those that two labels share."""
    names: dict[str, set[str]] = {}
    for label in labels:
        for word in (label.name, label.title or label.name):
            names.setdefault(word.casefold(), set()).add(label.name)
    return {word: found.pop() for word, found in names.items() if len(found) == 1}


def checked_preview(found: Preview, project: Project, options: ImportOptions) -> ImportPreview:
    """The preview of a file with the checks of the import: the good rows as they will be stored, the others named."""
    checker = Checker(project, options)
    report = Report()
    records = [
        replace(record, annotation=annotation)
        for record, _inputs, annotation in checker.check(found.records, report)
    ]
    wrong = [RowProblem(p["row"], p["message"], p["column"]) for p in report.problems]
    as_read = {part.name: getattr(found, part.name) for part in fields(found)}
    return ImportPreview(
        **as_read
        | {
            "records": records,
            "problems": sorted([*found.problems, *wrong], key=lambda problem: problem.row),
        },
        unused=dict(report.unused),
        new_labels=checker.new_labels,
        taken_for=checker.taken_for,
    )
