"""The audit log in words."""

from collections.abc import Callable
from typing import Any

from app.i18n import gettext as _
from app.i18n import mark
from app.models import AuditEntry
from app.services.access import ROLES
from app.services.audit import ACTIONS

_FIELDS = {
    "name": mark("name"),
    "description": mark("description"),
    "language": mark("language"),
    "guidelines": mark("guidelines"),
    "label_schema": mark("labels"),
    "instruction": mark("instruction"),
}


def activity(entry: AuditEntry) -> str:
    """What somebody did, in words."""
    words = ACTIONS.get(entry.action)
    if words is None:
        return entry.action
    return _(words, subject=entry.details.get("name", entry.subject))


def actions() -> dict[str, str]:
    """Every kind of entry with its words, by these."""
    found = {name: _(words, subject="…") for name, words in ACTIONS.items()}
    return dict(sorted(found.items(), key=lambda item: item[1]))


def details(entry: AuditEntry) -> list[str]:
    """What else the entry says, in words; what it says in words of an earlier or later release, as it is stored."""
    said = []
    for key, value in entry.details.items():
        if key == "name":
            continue
        words = _DETAILS[key](value) if key in _DETAILS else f"{key}: {value}"
        if words:
            said.append(words)
    return said


def _role(name: Any) -> str:
    return _(ROLES[name]) if name in ROLES else str(name)


_DETAILS: dict[str, Callable[[Any], str]] = {
    "is_admin": lambda value: _("administrator") if value else "",
    "scopes": lambda value: (
        _("for reading and writing") if "write" in value else _("for reading alone")
    ),
    "days": lambda value: _("valid for %(n)s days", n=value),
    "fields": lambda value: ", ".join(_(_FIELDS.get(name, name)) for name in value),
    "role": lambda value: _("now: %(role)s", role=_role(value)),
    "before": lambda value: _("before: %(role)s", role=_role(value)) if value else "",
    "format": lambda value: _("as %(format)s", format=value),
    "split": lambda value: _("split: %(name)s", name=value),
}
