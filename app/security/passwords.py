"""Passwords: argon2id with the library's current parameters."""

from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from app.errors import InvalidInput
from app.i18n import gettext as _

MIN_LENGTH = 10
_hasher = PasswordHasher()


def check_strength(password: str) -> None:
    """Raises InvalidInput for a password that is too short, too long or one repeated character."""
    if len(password) < MIN_LENGTH:
        raise InvalidInput.at(
            "password", _("Choose a password of at least %(n)s characters.", n=MIN_LENGTH)
        )
    if len(password) > 1000:
        raise InvalidInput.at("password", _("The password is longer than 1,000 characters."))
    if len(set(password)) < 4:
        raise InvalidInput.at(
            "password", _("The password repeats so few characters that it is easily guessed.")
        )


def hash_password(password: str) -> str:
    """The argon2id hash, with its salt and parameters."""
    return _hasher.hash(password)


@cache
def _decoy() -> str:
    """What the password of an account that does not exist is compared with; no start waits for it."""
    return _hasher.hash("nobody has this password")


def verify_password(password: str, hashed: str | None) -> bool:
    """Whether the password is right. Takes as long for an account that does not exist (hashed=None)."""
    try:
        return _hasher.verify(hashed or _decoy(), password) and hashed is not None
    except (VerificationError, InvalidHashError):
        return False
