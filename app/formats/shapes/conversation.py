"""SFT rows: what the user says is the text, and the assistant's answer is read into the annotation.

    {"messages": [{"role": "user", "content": "…"}, {"role": "assistant", "content": "positive"}]}    OpenAI
    {"conversations": [{"from": "human", "value": "…"}, {"from": "gpt", "value": "positive"}]}        ShareGPT
    {"instruction": "…", "input": "…", "output": "positive"}                                          Alpaca
    {"prompt": "…", "completion": "positive"}                                                         TRL
    {"prompt": [{"role": "user", …}], "completion": [{"role": "assistant", …}]}                       TRL, too

One text has one annotation, so a conversation that goes on is refused.
"""

from collections.abc import Mapping
from typing import Any

import orjson

from app.errors import InvalidInput
from app.formats.base import ReadOptions
from app.formats.shapes.base import Shaped
from app.i18n import gettext as _
from app.tasks import get_task
from app.tasks.base import TextInputs

_TURNS = ("messages", "conversations")
_PAIRS = (("instruction", "output"), ("prompt", "completion"))
_ROLES = {
    **dict.fromkeys(("user", "human"), "user"),
    **dict.fromkeys(("assistant", "gpt", "chatgpt", "bot", "model"), "assistant"),
    **dict.fromkeys(("system", "developer"), "system"),
}  # fmt: skip
_TURN_KEYS = frozenset({"role", "from", "content", "value"})

MARKS = frozenset((*_TURNS, *(said for said, _answer in _PAIRS)))


def matches(row: Any, options: ReadOptions) -> bool:
    if not isinstance(row, dict) or options.columns.get("text", "") in row:
        return False
    if any(isinstance(row.get(name), list) for name in _TURNS) or _is_trl_chat(row):
        return True
    return _pair(row) is not None


def shape(row: Mapping[str, Any], task: str, options: ReadOptions) -> Shaped:
    for name in _TURNS:
        if isinstance(row.get(name), list):
            return _of_turns(row, name, task)
    if _is_trl_chat(row):
        rest = {name: value for name, value in row.items() if name not in ("prompt", "completion")}
        return _of_turns({**rest, "messages": row["prompt"] + row["completion"]}, "messages", task)
    said, answered = _pair(row) or _PAIRS[0]
    # Alpaca's instruction is the task where an input follows it, and the text itself where none does.
    given = row.get("input")
    has_input = bool(given.strip() if isinstance(given, str) else given)
    text = "input" if said == "instruction" and has_input else said
    rest = {name: value for name, value in row.items() if name != answered}
    payload = _payload(_content(row[answered], answered), row[text], text, task)
    return Shaped(rest, {"text": text, "label": ""}, payload)


def _is_trl_chat(row: Mapping[str, Any]) -> bool:
    return isinstance(row.get("prompt"), list) and isinstance(row.get("completion"), list)


def _pair(row: Mapping[str, Any]) -> tuple[str, str] | None:
    return next((p for p in _PAIRS if isinstance(row.get(p[0]), str) and p[1] in row), None)


def _of_turns(row: Mapping[str, Any], column: str, task: str) -> Shaped:
    said: dict[str, list[str]] = {}
    unused: set[str] = set()
    for turn in row[column]:
        if not isinstance(turn, dict):
            raise InvalidInput.at(column, _("A turn of the conversation is not an object."))
        who = str(turn.get("role", turn.get("from")))
        content = _content(turn.get("content", turn.get("value")), column)
        said.setdefault(_ROLES.get(who, who), []).append(content)
        unused.update(f"{column}.{name}" for name in turn if name not in _TURN_KEYS)
    if "user" not in said:
        raise InvalidInput.at(column, _("The conversation has no turn of the user."))
    others = sorted(said.keys() - _ROLES.keys())
    if others or any(len(turns) > 1 for turns in said.values()):
        raise InvalidInput.at(
            column,
            _(
                "The conversation has %(n)s turns (%(roles)s). One of the user and one answer can be labelled: "
                "split it, or choose another column for the text.",
                n=sum(map(len, said.values())),
                roles=", ".join(said),
            ),
        )
    text = said["user"][0]
    payload = _payload("".join(said.get("assistant", ())), text, column, task)
    rest = {name: value for name, value in row.items() if name not in _TURNS}
    system = {"system": said["system"][0]} if "system" in said and "system" not in rest else {}
    roles = {"text": column, "label": ""}
    return Shaped({**system, **rest, column: text}, roles, payload, tuple(sorted(unused)))


def _content(value: Any, column: str) -> str:
    """The words of a turn, also in parts: [{"type": "text", "text": "…"}]. Raises InvalidInput for other parts."""
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, dict):
        return orjson.dumps(value, default=str).decode()
    parts = value if isinstance(value, list) else [value]
    texts = [
        part.get("text", part.get("value")) if isinstance(part, dict) else part for part in parts
    ]
    words = [text for text in texts if isinstance(text, str)]
    if len(words) < len(texts):
        raise InvalidInput.at(
            column, _("The conversation holds more than words: pictures or calls.")
        )
    return "\n".join(words)


def _payload(answer: str, text: Any, column: str, task: str) -> dict[str, Any] | None:
    if not isinstance(text, str) or not text.strip():
        raise InvalidInput.at(column, _("The conversation has no text to label."))
    if not answer.strip():
        return None
    task_type = get_task(task)
    return task_type.dump(task_type.parse_answer(answer, TextInputs.model_construct(text=text)))
