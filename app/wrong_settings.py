"""What to say of settings that cannot be: one line each, with the variable, what it takes and an example.

Values are never repeated: several hold passwords.
"""

from typing import Any

from annotated_types import Ge, Gt, Le
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from app.errors import AnnotuneError

_TEXTS = {
    "database_url": (
        "the URL of a PostgreSQL or SQLite database; there are no others",
        "postgresql+psycopg://user:password@host/name",
    ),
    "redis_url": ("the URL of a Redis or Valkey server", "redis://host:6379/0"),
    "storage_url": (
        "a folder, or a URL of fsspec whose package is installed (s3fs for s3://)",
        "s3://bucket/annotune",
    ),
    "public_url": (
        "the address that people open, without a path",
        "https://annotune.example.org",
    ),
    "trusted_proxies": (
        "addresses or networks, separated by commas",
        "127.0.0.1, 172.16.0.0/12",
    ),
    "model_dirs": ("folders, separated by commas or as a JSON list", "/srv/models, /srv/more"),
    "hub_read": (
        "owners or owner/name, separated by commas or as a JSON list",
        "our-team, ada/reviews",
    ),
    "hub_push": (
        "owners or owner/name, separated by commas or as a JSON list",
        "our-team, ada/reviews",
    ),
    "hub_url": ("an http:// or https:// address", "https://hub.example.org"),
    "mlflow_url": ("an http:// or https:// address", "http://user:password@host:5000"),
}


class WrongSettings(AnnotuneError):
    """Settings that cannot be, one line each."""


def explain(error: ValidationError, fields: dict[str, FieldInfo]) -> WrongSettings:
    """The error for what pydantic found."""
    names = {str(problem["loc"][0]).lower().removeprefix("annotune_") for problem in error.errors()}
    lines = [_line(name, fields[name]) for name in fields if name in names]
    return WrongSettings("\n".join(lines) or "A setting cannot be read.")


def _line(name: str, field: FieldInfo) -> str:
    takes, example = _TEXTS[name] if name in _TEXTS else _plain(field)
    return f"ANNOTUNE_{name.upper()} is wrong. It takes {takes}, such as {example}."


def _plain(field: FieldInfo) -> tuple[str, Any]:
    """What a number or a switch takes, by its type and bounds."""
    kind = str(field.annotation)
    if "bool" in kind:
        return "true or false", "true"
    if "int" not in kind and "float" not in kind:
        return "a text", field.default
    noun = "a whole number" if "int" in kind else "a number"
    least = next((rule.ge for rule in field.metadata if isinstance(rule, Ge)), None)
    most = next((rule.le for rule in field.metadata if isinstance(rule, Le)), None)
    above = next((rule.gt for rule in field.metadata if isinstance(rule, Gt)), None)
    if least is not None and most is not None:
        noun += f" from {least} to {most}"
    elif least is not None:
        noun += f" of at least {least}"
    elif above is not None:
        noun += f" above {above}"
    return noun, 1 if field.default is None else field.default
