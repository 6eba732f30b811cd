"""What `annotune up` has found out by the time it becomes the supervisor."""

import json
from dataclasses import asdict, dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Plan:
    """It travels as one JSON word of the command line, and holds nothing secret."""

    data_dir: str
    address: str
    """Where people find it."""
    listener: int
    """The file descriptor of the socket that they connect to, which outlives every web server."""
    logs: str | None
    """The folder of the programs' logs; None: they write here."""
    broker: list[str] | None
    """How to start the embedded broker; None: the settings name another."""
    broker_socket: str

    def dump(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def load(cls, word: str) -> Self:
        return cls(**json.loads(word))
