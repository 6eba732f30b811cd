"""Which texts are the same."""

import hashlib


def content_hash(text: str) -> str:
    """SHA-256 of the text with white space folded: equal for texts that only differ in spacing."""
    return hashlib.sha256(" ".join(text.split()).encode()).hexdigest()
