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


def same(a: str, b: str) -> bool:
    """Constant-time comparison."""
    return hmac.compare_digest(a.encode(), b.encode())
