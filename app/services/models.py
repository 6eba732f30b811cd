"""Models that runs left: ordinary transformers folders, sent as one zip."""

import io
import zipfile
from collections.abc import Iterator

from app.services.model_card import card_of
from app.services.runs import model_key
from app.storage import CHUNK, get_storage


class _Sink(io.RawIOBase):
    """Where the zip is written: kept only until the next piece is sent."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.position = 0

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self.pieces.append(bytes(data))
        self.position += len(data)
        return len(data)

    def tell(self) -> int:
        return self.position

    def take(self) -> bytes:
        piece = b"".join(self.pieces)
        self.pieces.clear()
        return piece


def archive(run_id: str) -> Iterator[bytes]:
    """The run's model folder with its card as a zip, made while it is sent (stored: weights do not
    compress)."""
    card = card_of(run_id)
    storage, sink = get_storage(), _Sink()
    key = model_key(run_id)
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as bundle:
        about = zipfile.ZipInfo("README.md")
        about.external_attr = 0o644 << 16
        bundle.writestr(about, card)
        for name in storage.names(key):
            if name == "README.md":
                continue
            info = zipfile.ZipInfo(name)
            info.external_attr = 0o644 << 16
            info.file_size = storage.size(f"{key}/{name}")
            with storage.reading(f"{key}/{name}") as source, bundle.open(info, "w") as entry:
                while chunk := source.read(CHUNK):
                    entry.write(chunk)
                    yield sink.take()
    yield sink.take()
