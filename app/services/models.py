"""Models that runs left: ordinary transformers folders, sent as one zip."""

import io
import zipfile
from collections.abc import Iterator

from app.services.model_card import card_of
from app.services.runs import model_key
from app.storage import CHUNK, DIGESTS, get_storage


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


def archive(run_id: str, size: int | None) -> Iterator[bytes]:
    """The run's model folder with its card as a zip, made while it is sent (stored: weights do not
    compress). Raises Gone or Damaged where the folder is not the `size` bytes that were stored, before anything is
    sent."""
    card = card_of(run_id)
    get_storage().check_folder(model_key(run_id), size=size, digests=False)
    return _pieces(card, model_key(run_id))


def _pieces(card: str, key: str) -> Iterator[bytes]:
    storage, sink = get_storage(), _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as bundle:
        about = zipfile.ZipInfo("README.md")
        about.external_attr = 0o644 << 16
        bundle.writestr(about, card)
        for name in storage.names(key):
            if name in ("README.md", DIGESTS):
                continue
            info = zipfile.ZipInfo(name)
            info.external_attr = 0o644 << 16
            info.file_size = storage.size(f"{key}/{name}")
            with storage.reading(f"{key}/{name}") as source, bundle.open(info, "w") as entry:
                while chunk := source.read(CHUNK):
                    entry.write(chunk)
                    yield sink.take()
    yield sink.take()
