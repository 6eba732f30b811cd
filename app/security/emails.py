"""E-mail addresses and names in one form, so that what looks the same is the same."""

import unicodedata

import email_validator

from app.errors import InvalidInput
from app.i18n import gettext as _

MAX_NAME = 100
_JOINERS = "\u200c\u200d"  # they shape letters in Persian and the languages of India, and emoji
_INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}

# An address is a log-in name here and nothing is sent to it: those inside a network are as good as others.
email_validator.SPECIAL_USE_DOMAIN_NAMES.clear()


def normalize_email(email: str) -> str:
    """The one form of an address: NFKC (letters of full width are letters), lower case, the domain in Unicode.
    Raises InvalidInput."""
    try:
        parts = email_validator.validate_email(
            unicodedata.normalize("NFKC", email).strip(),
            check_deliverability=False,
            globally_deliverable=False,
        )
    except email_validator.EmailNotValidError as error:
        raise InvalidInput.at("email", _("This is not an e-mail address.")) from error
    local = unicodedata.normalize("NFKC", parts.local_part.lower())
    normal = f"{local}@{parts.domain}"
    if len(normal) > 254:
        raise InvalidInput.at("email", _("This is not an e-mail address."))
    return normal


def login_names(email: str) -> tuple[str, ...]:
    """What an address that somebody typed may be stored as: as typed, for accounts older than this form."""
    typed = email.strip().lower().replace("\0", "")[:254]
    try:
        return tuple(dict.fromkeys((typed, normalize_email(email))))
    except InvalidInput:
        return (typed,)


def clean_name(name: str) -> str:
    """A person's name in NFC with single spaces. Raises InvalidInput for what cannot be seen in it."""
    name = unicodedata.normalize("NFC", " ".join(name.split()))
    if not name.strip(_JOINERS) or len(name) > MAX_NAME:
        raise InvalidInput.at("name", _("Give a name of at most 100 characters."))
    if any(c not in _JOINERS and unicodedata.category(c) in _INVISIBLE for c in name):
        raise InvalidInput.at(
            "name", _("The name holds an invisible character. Type it anew instead of pasting it.")
        )
    return name
