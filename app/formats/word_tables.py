"""Tables of one word a row, with a column that says which sentence it is of:

Sentence #,Word,POS,Tag
Sentence: 1,Ada,NNP,B-PER
,met,VBD,O
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

from app.formats.base import ReadOptions, Record, RowProblem
from app.formats.bounds import MAX_ROW
from app.formats.headers import fold
from app.formats.rows import read_row
from app.i18n import gettext as _

_SENTENCE = frozenset(
    ("sentence_#", "sentence", "sentence_id", "sentence_idx", "sentence_number", "sent_id", "sent", "sentence#")
)  # fmt: skip
_WORD = frozenset({"word", "words", "token", "tokens"})
_TAG = frozenset({"tag", "tags", "ner", "ner_tag", "ner_tags", "label", "labels", "bio", "entity"})


def word_columns(columns: Sequence[str], task: str, options: ReadOptions) -> dict[str, str]:
    """The columns of sentence (as "external_id"), word (as "text") and tag (as "label") of such a table; none if it
    is another, or somebody has chosen other columns."""
    found = {
        role: next((column for column in columns if fold(column) in names), "")
        for role, names in (("external_id", _SENTENCE), ("text", _WORD), ("label", _TAG))
    }
    is_chosen = any(
        options.columns.get(role, found[role]) != found[role] for role in ("text", "label")
    )
    return found if task == "ner" and all(found.values()) and not is_chosen else {}


def read_sentences(
    rows: Iterable[tuple[int, Mapping[str, Any]] | RowProblem],
    columns: Mapping[str, str],
    task: str,
    options: ReadOptions,
) -> Iterator[Record | RowProblem]:
    """Each sentence as a record; one with a wrong row is wrong as a whole."""
    own = ReadOptions(
        columns={"tokens": "tokens", "label": "ner_tags", "external_id": "id"},
        label_map=options.label_map,
    )
    number = 0
    last = ""

    def sentence_of(row: tuple[int, Mapping[str, Any]] | RowProblem) -> int:
        nonlocal number, last
        if not isinstance(row, RowProblem):
            name = _word(row[1][columns["external_id"]])
            if name and name != last:
                number, last = number + 1, name
        return number

    beside = _("columns of a word each: only word and tag are read")
    for _number, group in groupby(rows, sentence_of):
        lines: list[tuple[int, Mapping[str, Any]]] = []
        problem: RowProblem | None = None
        size = 0
        for row in group:
            if isinstance(row, RowProblem):
                problem = problem or row
                continue
            size += len(_word(row[1][columns["text"]])) + 1
            if size > MAX_ROW:
                problem = problem or RowProblem(row[0], _("The sentence does not end."))
                continue
            lines.append(row)
        if problem is not None or not lines:
            yield problem or RowProblem(0, _("The sentence has no words."))
            continue
        first, cells = lines[0]
        values = {
            "id": _word(cells[columns["external_id"]]) or None,
            "tokens": [_word(row[columns["text"]]) for _n, row in lines],
            "ner_tags": [_word(row[columns["label"]]) for _n, row in lines],
        }
        item = read_row(values, task, own, first)
        if isinstance(item, Record) and len(cells) > len(columns) and beside:
            item, beside = replace(item, unused=(*item.unused, beside)), ""
        yield item


def _word(cell: Any) -> str:
    return "" if cell is None else str(cell).strip()
