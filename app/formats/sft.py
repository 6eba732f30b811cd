"""SFT conversations out: OpenAI messages, Alpaca, ShareGPT, TRL. (`shapes/conversation.py` reads them.)

A version is one file for each split, with a `dataset_info.json` for LLaMA-Factory and a README that says how to load
it. Sources: LLaMA-Factory, `data/README.md`; TRL, `docs/source/dataset_formats.md`; Stanford Alpaca's README.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal

import orjson

from app.formats.base import NO_FACTS, Message, Record, VersionFacts, Writer
from app.formats.sft_readme import readme
from app.i18n import gettext as _
from app.i18n import mark
from app.tasks import get_task

Conversation = Callable[[Record], list[Message]]


class _SftWriter(Writer):
    """What all of them share: an example is a conversation, and nothing but that."""

    purpose = "training"
    splits: Literal["said", "apart", "unsaid"] = "apart"
    leaves_out: tuple[str, ...] = (mark("meta data"), mark("tokens"), mark("external ids"))
    of_llama_factory: Mapping[str, Any] | None = None
    """What `dataset_info.json` says of such a file; None: LLaMA-Factory does not read it."""

    def row(self, record: Record, conversation: Conversation) -> object:
        """An example as a JSON value."""
        raise NotImplementedError

    def write(
        self,
        records: Iterable[Record],
        task: str,
        *,
        conversation: Conversation,
        comments: bool = False,
        facts: VersionFacts = NO_FACTS,
    ) -> Iterator[bytes]:
        for record in records:
            yield orjson.dumps(self.row(record, conversation), option=orjson.OPT_APPEND_NEWLINE)

    def check(self, record: Record, task: str) -> list[str]:
        """An empty answer: trainers learn nothing from it, or leave the example out without a word."""
        if record.annotation and get_task(task).answer(record.annotation, record.text).strip():
            return []
        return [
            _("The answer is empty: trainers leave such an example out, or learn to say nothing.")
        ]

    def beside(self, files: Mapping[str, str], facts: VersionFacts) -> dict[str, bytes]:
        found = {"README.md": readme(self.name, files, facts).encode()}
        if self.of_llama_factory is not None:
            info = {
                f"{self.name}_{split}": {"file_name": name, **self.of_llama_factory}
                for split, name in files.items()
            }
            found["dataset_info.json"] = orjson.dumps(info, option=orjson.OPT_INDENT_2)
        return found


class MessagesWriter(_SftWriter):
    """OpenAI's chat form: one `{"messages": […]}` a line."""

    name = "messages"
    title = mark("OpenAI messages (SFT)")
    extension = "messages.jsonl"
    media_type = "application/x-ndjson"
    of_llama_factory = {  # noqa: RUF012
        "formatting": "sharegpt",
        "columns": {"messages": "messages"},
        "tags": {
            "role_tag": "role",
            "content_tag": "content",
            "user_tag": "user",
            "assistant_tag": "assistant",
            "system_tag": "system",
        },
    }

    def row(self, record: Record, conversation: Conversation) -> object:
        return {"messages": conversation(record)}


class _ArrayWriter(_SftWriter):
    """An array, one element a line, without holding it."""

    media_type = "application/json"

    def write(
        self,
        records: Iterable[Record],
        task: str,
        *,
        conversation: Conversation,
        comments: bool = False,
        facts: VersionFacts = NO_FACTS,
    ) -> Iterator[bytes]:
        opening = b"[\n"
        for record in records:
            yield opening + orjson.dumps(self.row(record, conversation))
            opening = b",\n"
        yield b"\n]\n" if opening == b",\n" else b"[]\n"


class AlpacaWriter(_ArrayWriter):
    """Stanford Alpaca's form: an array of `{"instruction", "input", "output"}`."""

    name = "alpaca"
    title = mark("Alpaca (SFT)")
    extension = "alpaca.json"
    of_llama_factory = {  # noqa: RUF012
        "columns": {"prompt": "instruction", "query": "input", "response": "output"}
    }

    def row(self, record: Record, conversation: Conversation) -> object:
        system, said, answer = conversation(record)
        return {
            "instruction": system["content"],
            "input": said["content"],
            "output": answer["content"],
        }


class ShareGptWriter(_ArrayWriter):
    """ShareGPT's form: an array of `{"id", "conversations": [{"from", "value"}]}`."""

    name = "sharegpt"
    title = mark("ShareGPT (SFT)")
    extension = "sharegpt.json"
    leaves_out = (mark("meta data"), mark("tokens"))
    of_llama_factory = {  # noqa: RUF012
        "formatting": "sharegpt",
        "columns": {"messages": "conversations"},
    }
    _WHO = {"system": "system", "user": "human", "assistant": "gpt"}  # noqa: RUF012

    def row(self, record: Record, conversation: Conversation) -> object:
        turns = [
            {"from": self._WHO[message["role"]], "value": message["content"]}
            for message in conversation(record)
        ]
        return {"id": str(record.external_id or record.row), "conversations": turns}


class TrlWriter(_SftWriter):
    """TRL's prompt-completion form in words: the loss is on the completion alone."""

    name = "trl"
    title = mark("TRL prompt and completion (SFT)")
    extension = "trl.jsonl"
    media_type = "application/x-ndjson"

    def row(self, record: Record, conversation: Conversation) -> object:
        *before, answer = conversation(record)
        prompt = "\n\n".join([*(message["content"] for message in before), ""])
        return {"prompt": prompt, "completion": answer["content"]}


class TrlChatWriter(_SftWriter):
    """TRL's conversational prompt-completion form, which a chat template is put around."""

    name = "trl_chat"
    title = mark("TRL prompt and completion, conversational (SFT)")
    extension = "trl_chat.jsonl"
    media_type = "application/x-ndjson"

    def row(self, record: Record, conversation: Conversation) -> object:
        *before, answer = conversation(record)
        return {"prompt": before, "completion": [answer]}
