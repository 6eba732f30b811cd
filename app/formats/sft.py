"""SFT conversations out: OpenAI messages, Alpaca, ShareGPT. (`shapes/conversation.py` reads them.)"""

from collections.abc import Callable, Iterable, Iterator

import orjson

from app.formats.base import NO_FACTS, Message, Record, VersionFacts, Writer
from app.i18n import mark


class MessagesWriter(Writer):
    """OpenAI's chat form: one `{"messages": […]}` a line."""

    name = "messages"
    title = mark("OpenAI messages (SFT)")
    extension = "messages.jsonl"
    media_type = "application/x-ndjson"
    splits = "apart"

    def write(
        self,
        records: Iterable[Record],
        task: str,
        *,
        conversation: Callable[[Record], list[Message]],
        comments: bool = False,
        facts: VersionFacts = NO_FACTS,
    ) -> Iterator[bytes]:
        for record in records:
            yield orjson.dumps({"messages": conversation(record)}, option=orjson.OPT_APPEND_NEWLINE)


class AlpacaWriter(Writer):
    """Stanford Alpaca's form: an array of `{"instruction", "input", "output"}`."""

    name = "alpaca"
    title = mark("Alpaca (SFT)")
    extension = "alpaca.json"
    media_type = "application/json"
    splits = "apart"

    def write(
        self,
        records: Iterable[Record],
        task: str,
        *,
        conversation: Callable[[Record], list[Message]],
        comments: bool = False,
        facts: VersionFacts = NO_FACTS,
    ) -> Iterator[bytes]:
        def row(record: Record) -> object:
            said = {message["role"]: message["content"] for message in conversation(record)}
            return {
                "instruction": said.get("system", ""),
                "input": said["user"],
                "output": said["assistant"],
            }

        yield from _array(row(record) for record in records)


class ShareGptWriter(Writer):
    """ShareGPT's form: an array of `{"id", "conversations": [{"from", "value"}]}`."""

    name = "sharegpt"
    title = mark("ShareGPT (SFT)")
    extension = "sharegpt.json"
    media_type = "application/json"
    splits = "apart"
    _WHO = {"system": "system", "user": "human", "assistant": "gpt"}  # noqa: RUF012

    def write(
        self,
        records: Iterable[Record],
        task: str,
        *,
        conversation: Callable[[Record], list[Message]],
        comments: bool = False,
        facts: VersionFacts = NO_FACTS,
    ) -> Iterator[bytes]:
        def row(record: Record) -> object:
            turns = [
                {"from": self._WHO[message["role"]], "value": message["content"]}
                for message in conversation(record)
            ]
            return {"id": str(record.external_id or record.row), "conversations": turns}

        yield from _array(row(record) for record in records)


def _array(rows: Iterable[object]) -> Iterator[bytes]:
    """A JSON array, one element a line, without holding it."""
    opening = b"[\n"
    for row in rows:
        yield opening + orjson.dumps(row)
        opening = b",\n"
    yield b"\n]\n" if opening == b",\n" else b"[]\n"
