"""Models that runs left: ordinary transformers folders, sent as one zip."""

import hashlib
import io
import zipfile
from collections.abc import Iterator, Mapping

from app.services.model_card import card_of
from app.services.runs import model_key
from app.storage import CHUNK, DIGESTS, get_storage

_CARD = "README.md"


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
    """The run's model folder with its card and everything's digests as a zip, made while it is sent (stored: weights
    do not compress). Raises Gone or Damaged where the folder is not the `size` bytes that were stored, by its digests,
    before anything is sent."""
    card = card_of(run_id).encode()
    digests = dict(get_storage().verify_folder(model_key(run_id), size=size))
    if digests:  # models of earlier versions have none
        digests[_CARD] = hashlib.sha256(card).hexdigest()
    return _pieces(card, digests, model_key(run_id))


def _pieces(card: bytes, digests: Mapping[str, str], key: str) -> Iterator[bytes]:
    storage, sink = get_storage(), _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as bundle:
        bundle.writestr(_entry(_CARD), card)
        if digests:
            lines = (f"{digest}  {name}\n" for name, digest in sorted(digests.items()))
            bundle.writestr(_entry(DIGESTS), "".join(lines))
        for name in storage.names(key):
            if name in (_CARD, DIGESTS):
                continue
            info = _entry(name)
            info.file_size = storage.size(f"{key}/{name}")
            with storage.reading(f"{key}/{name}") as source, bundle.open(info, "w") as entry:
                while chunk := source.read(CHUNK):
                    entry.write(chunk)
                    yield sink.take()
    yield sink.take()


def _entry(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = 0o644 << 16
    return info
