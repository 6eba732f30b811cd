"""Random secrets that people or browsers carry; only their hashes are stored."""

import hashlib
import hmac
import secrets

TOKEN_PREFIX = "ann_"  # noqa: S105  (so that a leaked token is recognised as ours)


def new_secret(prefix: str = "") -> str:
    """256 random bits, URL-safe."""
    return prefix + secrets.token_urlsafe(32)


def hash_secret(secret: str) -> str:
    """SHA-256 in hex: enough for a secret of full entropy."""
    return hashlib.sha256(secret.encode()).hexdigest()


def csrf_token(session_secret: str) -> str:
    """The token that proves a form came from our own page: derived, so nothing more is stored."""
    return hmac.new(session_secret.encode(), b"csrf", hashlib.sha256).hexdigest()


def split_secret(secret: str) -> tuple[str, str]:
    """Two halves in hex, random each, that say nothing of the secret alone (a one-time pad)."""
    data = secret.encode()
    pad = secrets.token_bytes(len(data))
    return pad.hex(), bytes(a ^ b for a, b in zip(data, pad, strict=True)).hex()


def join_secret(pad: str, share: str) -> str:
    """The secret of two halves. Raises ValueError where they do not belong together."""
    pairs = zip(bytes.fromhex(pad), bytes.fromhex(share), strict=True)
    return bytes(a ^ b for a, b in pairs).decode()


def same(a: str, b: str) -> bool:
    """Constant-time comparison."""
    return hmac.compare_digest(a.encode(), b.encode())
