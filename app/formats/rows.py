"""Rows with named columns (CSV, JSON, JSONL, Parquet) as records: our own form, other tools', SFT conversations."""

from collections.abc import Mapping
from typing import Any

from app.errors import InvalidInput
from app.formats.annotations import read_annotation
from app.formats.base import ReadOptions, Record, RowProblem, read_split
from app.formats.bounds import parse_json, text_problem
from app.formats.headers import NAMES, find
from app.i18n import gettext as _
from app.tasks import get_task
from app.tasks.base import TextInputs

_SCALARS = (str, int, float, bool)


def guess_mapping(columns: list[str], options: ReadOptions) -> dict[str, str]:
    """Which column is what: as the options say, else by its name."""
    mapping: dict[str, str] = {}
    for role in NAMES:
        if role in options.columns:
            if options.columns[role]:
                mapping[role] = options.columns[role]
            continue
        found = find(role, columns)
        if found is not None and found not in mapping.values():
            mapping[role] = found
    return mapping


def read_row(
    row: Any, task: str, options: ReadOptions, number: int, mapping: Mapping[str, str] | None = None
) -> Record | RowProblem:
    """One row as a record, or what is wrong with it."""
    if not isinstance(row, Mapping):
        return RowProblem(number, _("The row is not an object with named values."))
    try:
        record = _record(row, task, options, number, mapping)
    except InvalidInput as error:
        where = error.problems[0].where if error.problems else None
        return RowProblem(number, error.message, where)
    problem = text_problem(record.text)
    return RowProblem(number, problem, "text") if problem else record


def _record(
    row: Mapping[str, Any],
    task: str,
    options: ReadOptions,
    number: int,
    mapping: Mapping[str, str] | None,
) -> Record:
    if isinstance(row.get("inputs"), Mapping):
        return _canonical(row, number)
    turns = _conversation(row)
    if turns is not None:
        return _from_conversation(turns, row, task, number)
    if mapping is None:
        mapping = guess_mapping(list(row), options)
    return _plain(row, task, options, number, mapping)


def _canonical(row: Mapping[str, Any], number: int) -> Record:
    """A row as a version's canonical file has it."""
    inputs = row["inputs"]
    if not isinstance(inputs.get("text"), str):
        raise InvalidInput.at("inputs.text", _("The row has no text."))
    meta = row.get("meta") or {}
    if not isinstance(meta, Mapping):
        raise InvalidInput.at("meta", _("The row's “meta” is not an object with named values."))
    return Record(
        text=inputs["text"],
        tokens=_tokens(inputs.get("tokens")),
        annotation=row.get("annotation"),
        external_id=None if row.get("external_id") is None else str(row["external_id"]),
        meta=dict(meta),
        row=number,
        split=read_split(row.get("split")),
    )


def _plain(
    row: Mapping[str, Any], task: str, options: ReadOptions, number: int, mapping: Mapping[str, str]
) -> Record:
    column = mapping.get("text")
    if column is None:
        raise InvalidInput.at(
            "text",
            _(
                "No column is known to hold the text. Choose one of: %(columns)s.",
                columns=", ".join(map(str, row)),
            ),
        )
    text = row.get(column)
    if not isinstance(text, str) or not text.strip():
        raise InvalidInput.at(column, _("The text is empty."))
    values = {role: row.get(name) for role, name in mapping.items()}
    used = set(mapping.values())
    meta = {
        str(name): value
        for name, value in row.items()
        # What is not equal to itself is not a number: how tables say that a value is missing.
        if name not in used and isinstance(value, _SCALARS) and value != "" and value == value
    }
    own = read_json(values.get("meta")) or {}
    return Record(
        text=text,
        tokens=_tokens(read_json(values.get("tokens"))),
        annotation=read_annotation(values.get("label"), text, task, options),
        external_id=None if values.get("external_id") in (None, "") else str(values["external_id"]),
        meta=meta if "meta" not in mapping or not isinstance(own, dict) else own,
        row=number,
        split=read_split(values.get("split")),
    )


def read_json(value: Any) -> Any:
    """A cell that holds JSON; other values as they are."""
    if not isinstance(value, str) or not value.startswith(("[", "{")):
        return None if isinstance(value, str) else value
    try:
        return parse_json(value)
    except ValueError:
        return None


def _tokens(value: Any) -> tuple[tuple[int, int], ...] | None:
    """Token offsets; a list of words, as other tools have it, says nothing of where they stand."""
    if not isinstance(value, list) or any(isinstance(item, str) for item in value):
        return None
    try:
        return tuple((int(item[0]), int(item[1])) for item in value)
    except (TypeError, ValueError, OverflowError, IndexError, KeyError):
        raise InvalidInput.at("tokens", _("The tokens must be pairs of start and end.")) from None


def _conversation(row: Mapping[str, Any]) -> tuple[str, str] | None:
    """(text, answer) of an SFT row: OpenAI messages, ShareGPT or Alpaca. None where it is none."""
    turns = row.get("messages", row.get("conversations"))
    if isinstance(turns, list):
        said: dict[str, str] = {}
        for turn in turns:
            if isinstance(turn, Mapping):
                who = str(turn.get("role", turn.get("from")))
                said.setdefault(
                    {"human": "user", "gpt": "assistant"}.get(who, who),
                    str(turn.get("content", turn.get("value", ""))),
                )
        if "user" not in said:
            raise InvalidInput.at("messages", _("The conversation has no turn of the user."))
        return said["user"], said.get("assistant", "")
    if isinstance(row.get("instruction"), str) and "output" in row:
        return str(row.get("input") or ""), str(row["output"])
    return None


def _from_conversation(
    turns: tuple[str, str], row: Mapping[str, Any], task: str, number: int
) -> Record:
    text, answer = turns
    if not text.strip():
        raise InvalidInput.at("input", _("The conversation has no text to label."))
    kind = get_task(task)
    annotation = kind.dump(kind.parse_answer(answer, TextInputs(text=text))) if answer else None
    own = row.get("external_id", row.get("id"))
    return Record(
        text=text, annotation=annotation, external_id=None if own is None else str(own), row=number
    )
