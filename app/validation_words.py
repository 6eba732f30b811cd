"""What pydantic finds wrong, as sentences in the person's language."""

from collections.abc import Mapping
from typing import Any

from app.i18n import gettext as _
from app.i18n import mark

_SENTENCES = {
    "missing": mark("It is missing."),
    "extra_forbidden": mark("There is no such field."),
    "string_type": mark("It must be a text."),
    "string_too_long": mark("It must have at most %(max_length)s characters."),
    "string_too_short": mark("It must have at least %(min_length)s characters."),
    "string_pattern_mismatch": mark("It is not in the form that is asked for."),
    "int_type": mark("It must be a whole number."),
    "int_parsing": mark("It must be a whole number."),
    "int_from_float": mark("It must be a whole number."),
    "int_parsing_size": mark("The number is too large."),
    "float_type": mark("It must be a number."),
    "float_parsing": mark("It must be a number."),
    "finite_number": mark("It must be a finite number."),
    "bool_type": mark("It must be true or false."),
    "bool_parsing": mark("It must be true or false."),
    "list_type": mark("It must be a list."),
    "tuple_type": mark("It must be a list."),
    "dict_type": mark("It must be an object with named values."),
    "model_type": mark("It must be an object with named values."),
    "model_attributes_type": mark("It must be an object with named values."),
    "none_required": mark("It must be left empty."),
    "too_long": mark("It must have at most %(max_length)s items."),
    "too_short": mark("It must have at least %(min_length)s items."),
    "greater_than": mark("It must be more than %(gt)s."),
    "greater_than_equal": mark("It must be at least %(ge)s."),
    "less_than": mark("It must be less than %(lt)s."),
    "less_than_equal": mark("It must be at most %(le)s."),
    "multiple_of": mark("It must be a multiple of %(multiple_of)s."),
    "literal_error": mark("It must be one of these: %(expected)s."),
    "enum": mark("It must be one of these: %(expected)s."),
    "json_invalid": mark("It is not JSON."),
    "datetime_type": mark("It must be a date with a time."),
    "datetime_parsing": mark("It must be a date with a time."),
    "datetime_from_date_parsing": mark("It must be a date with a time."),
}
"""By pydantic's names of errors: docs.pydantic.dev, “Validation errors”."""


def sentence(error: Mapping[str, Any]) -> str:
    """One of the errors of a ValidationError, with its context, as a sentence; our own are sentences already."""
    kind = error["type"]
    if kind == "string_too_short" and error.get("ctx", {}).get("min_length") == 1:
        return _("It must not be empty.")
    if kind in _SENTENCES:
        return _(_SENTENCES[kind], **error.get("ctx", {}))
    return str(error["msg"]).removeprefix("Value error, ")
