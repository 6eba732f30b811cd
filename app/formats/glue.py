"""GLUE's files: labelled TSV in each task's layout, and predictions as its leaderboard takes them.

Quotation marks are plain characters there, columns differ from task to task, and CoLA has no header.
Labels are numbers or words; both are read, and told in one form.
"""

import math
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from io import TextIOBase
from typing import IO

from app.errors import InvalidInput
from app.formats.encoding import open_text, unreadable
from app.i18n import gettext as _

MAX_LINE = 1_000_000
"""Characters of a row."""
_ENTAILMENT = {"0": "entailment", "1": "not_entailment"}
_YES_NO = {"0": "0", "1": "1"}


@dataclass(frozen=True, slots=True)
class GlueTask:
    """A task of GLUE and how its files look."""

    name: str
    title: str
    label: tuple[str, ...]
    """The column of the label: GLUE's own name, then others in use."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """The words of its numbers; empty where labels are numbers on a scale."""
    text: str = ""
    """The column of the text, where a row has one text and not a pair."""
    headless: tuple[int, int, int] | None = None
    """Where a file without a header has label and text, and how many columns it has."""


TASKS: dict[str, GlueTask] = {
    task.name: task
    for task in (
        GlueTask("sst2", "SST-2", ("label",), _YES_NO, "sentence"),
        GlueTask("cola", "CoLA", ("label",), _YES_NO, "sentence", headless=(1, 3, 4)),
        GlueTask("mrpc", "MRPC", ("Quality", "label"), _YES_NO),
        GlueTask("qqp", "QQP", ("is_duplicate", "label"), _YES_NO),
        GlueTask("stsb", "STS-B", ("score", "label")),
        GlueTask(
            "mnli",
            "MNLI",
            ("gold_label", "label"),
            {"0": "entailment", "1": "neutral", "2": "contradiction"},
        ),
        GlueTask("qnli", "QNLI", ("label",), _ENTAILMENT),
        GlueTask("rte", "RTE", ("label",), _ENTAILMENT),
        GlueTask("wnli", "WNLI", ("label",), _YES_NO),
    )
}
TEXT_TASKS = tuple(task.name for task in TASKS.values() if task.text)
"""Those that a model for single texts can be scored on."""


@dataclass(frozen=True, slots=True)
class GlueRow:
    """A labelled row."""

    row: int
    """Its line in the file, from 1."""
    index: int
    """By which predictions name it: the column `index` (or `idx`), else its place from 0."""
    label: str
    text: str


def read_gold(stream: IO[bytes], task: GlueTask) -> Iterator[GlueRow]:
    """The rows of a labelled file; `text` is empty for pairs. Raises InvalidInput naming the row."""
    rows = _rows(stream)
    number, first = next(rows, (0, []))
    if not first:
        raise InvalidInput.at("file", _("The file is empty."))
    names = [cell.strip() for cell in first]
    label_column = next((name for name in task.label if name in names), None)
    if label_column is not None and (not task.text or task.text in names):
        width, label = len(names), names.index(label_column)
        text = names.index(task.text) if task.text else None
        index = next((names.index(name) for name in ("index", "idx") if name in names), None)
    elif task.headless is not None:
        (label, text, width), index = task.headless, None
        yield _gold(number, first, width, label, text, index, 0, task)
    else:
        wanted = [task.label[0], task.text] if task.text else [task.label[0]]
        raise InvalidInput.at(
            "row 1",
            _(
                "The first row must name the columns, among them %(names)s, as %(task)s has them.",
                names=", ".join(f"“{name}”" for name in wanted),
                task=task.title,
            ),
        )
    before = 0 if label_column else 1
    for place, (number, cells) in enumerate(rows, before):
        yield _gold(number, cells, width, label, text, index, place, task)


def read_predictions(stream: IO[bytes], task: GlueTask) -> dict[int, str]:
    """Predicted labels by index, out of GLUE's submission layout: a header `index<TAB>prediction`, a row each.

    Raises InvalidInput naming the row.
    """
    rows = _rows(stream)
    _number, first = next(rows, (0, []))
    if [cell.strip().lower() for cell in first] != ["index", "prediction"]:
        raise InvalidInput.at(
            "row 1", _("The first row of predictions must be “index”, a tab and “prediction”.")
        )
    found: dict[int, str] = {}
    for number, cells in rows:
        _check_width(number, cells, 2)
        index = _index(number, cells[0])
        if index in found:
            raise _wrong(number, _("The index %(n)s is there twice.", n=index))
        found[index] = _label(number, cells[1], task)
    return found


def _gold(
    number: int,
    cells: list[str],
    width: int,
    label: int,
    text: int | None,
    index: int | None,
    place: int,
    task: GlueTask,
) -> GlueRow:
    _check_width(number, cells, width)
    words = "" if text is None else cells[text]
    if text is not None and not words.strip():
        raise _wrong(number, _("The text is empty."))
    return GlueRow(
        number,
        place if index is None else _index(number, cells[index]),
        _label(number, cells[label], task),
        words,
    )


def _check_width(number: int, cells: list[str], width: int) -> None:
    if len(cells) != width:
        raise _wrong(
            number,
            _("The row has %(n)s cells, but there are %(m)s columns.", n=len(cells), m=width),
        )


def _index(number: int, cell: str) -> int:
    if not cell.strip().isdecimal() or len(cell) > 15:
        raise _wrong(number, _("“%(cell)s” is not an index: 0, 1, 2, …", cell=cell[:40]))
    return int(cell)


def _label(number: int, cell: str, task: GlueTask) -> str:
    """The label in its one form: GLUE's word, else its number; any word where one text has one label."""
    word = cell.strip()
    if not task.labels:
        try:
            if math.isfinite(float(word)):
                return word
        except ValueError:
            pass
        raise _wrong(number, _("“%(cell)s” is not a number.", cell=cell[:40]))
    if word in task.labels:
        return task.labels[word]
    if word in task.labels.values() or (task.text and word):
        return word
    known = ", ".join(dict.fromkeys([*task.labels, *task.labels.values()]))
    raise _wrong(
        number,
        _("“%(cell)s” is not a label of %(task)s: %(known)s.",
          cell=cell[:40], task=task.title, known=known),
    )  # fmt: skip


def _wrong(number: int, message: str) -> InvalidInput:
    return InvalidInput.at(f"row {number}", _("Row %(n)s: %(message)s", n=number, message=message))


def _rows(stream: IO[bytes]) -> Iterator[tuple[int, list[str]]]:
    """(line number, cells) of each line that is not empty."""
    lines, encoding = open_text(stream, None, newline="\n")
    try:
        for number, line in enumerate(_lines(lines), 1):
            if len(line) >= MAX_LINE:
                raise _wrong(number, _("It is longer than %(n)s characters.", n=f"{MAX_LINE:,}"))
            problem = unreadable(line, encoding)
            if problem:
                raise _wrong(number, problem)
            line = line.rstrip("\n").removesuffix("\r")
            if line.strip():
                yield number, line.split("\t")
    except (OSError, EOFError) as error:
        raise InvalidInput.at(
            "file", _("The compressed file is damaged: %(error)s", error=error)
        ) from error
    finally:
        with suppress(ValueError):  # the caller may have closed it already
            lines.detach()  # else it would close the caller's stream with itself


def _lines(lines: TextIOBase) -> Iterator[str]:
    while line := lines.readline(MAX_LINE):
        yield line
